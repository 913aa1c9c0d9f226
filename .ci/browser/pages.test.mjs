// What people see, in a real browser: sign in, review, decide.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { DESKTOP, examine, signIn, startBrowser, startPipeline } from './pipeline.mjs';

let pipeline;
let browser;

before(async () => {
  pipeline = await startPipeline();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await pipeline?.stop();
});

/** An open proposal that so many people have to sign. */
async function open(need) {
  const fits = (one) => one.stage === 'pending' && one.need === need;
  const board = await pipeline.until(`a proposal for ${need}`, ({ approvals }) => approvals.some(fits));
  return board.approvals.find(fits);
}

const used = new Set();

/** A refund that support asks for on the form, so that one person signs it. */
async function ask() {
  const { stripe, stripe_key: key } = pipeline.place;
  const listed = await fetch(`${stripe}/v1/charges?limit=100`, { headers: { authorization: `Bearer ${key}` } });
  const free = (one) =>
    one.status === 'succeeded' && one.currency === 'usd' && one.amount < 50_000 && one.amount_refunded === 0 &&
    !one.disputed && !one.metadata.refund_request && !used.has(one.id);
  const charge = (await listed.json()).data.find(free);
  used.add(charge.id);
  const page = await as(/Support/, `${pipeline.place.api}/requests/new`);
  await page.getByLabel('Charge', { exact: true }).fill(charge.id);
  await page.getByLabel('Amount').fill((charge.amount / 100).toFixed(2));
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  await page.getByText('Asked for by').waitFor();
  return open(1);
}

/** What is decided sooner after reading than anybody reads is asked again. */
const read = (page) => page.waitForTimeout(2100);

/** A browser of its own for somebody, signed in and at a page. */
async function as(name, url) {
  const context = await browser.newContext(DESKTOP);
  const page = await context.newPage();
  page.on('pageerror', (error) => assert.fail(`a page's script failed: ${error}`));
  await signIn(page, url, name);
  return page;
}

const refunds = (board) => board.writes.filter((write) => write.path === '/v1/refunds').length;

test('somebody who is not signed in sees nothing of what is asked', async () => {
  const { url, amount } = await open(2);
  const page = await (await browser.newContext(DESKTOP)).newPage();
  await page.goto(url);
  await page.getByRole('heading', { name: 'Sign in', level: 1 }).waitFor();
  assert.ok(!(await page.content()).includes(amount));
  await examine(page, 'sign-in', assert);
});

test('finance signs in, reviews, approves, and Stripe has the refund', async () => {
  const proposal = await ask();
  const before = refunds(await pipeline.board());
  const page = await as(/Finance lead/, `${pipeline.place.api}/`);
  await page.getByRole('heading', { name: /Waits for you/ }).waitFor();
  await examine(page, 'inbox', assert);

  await page.locator(`a[href="/a/${proposal.id}"]`).click();
  const approve = page.getByRole('button', { name: `Approve ${proposal.amount}` });
  const seen = await approve.boundingBox();
  assert.ok(seen.y + seen.height <= DESKTOP.viewport.height, 'the decision is on the first screen');
  await examine(page, 'review', assert);
  await page.getByText('Ids and digests').click();
  await page.getByText(proposal.digest).first().waitFor();

  await read(page);
  await approve.click();
  await page.getByRole('heading', { name: 'Approved and done' }).waitFor();
  await page.getByRole('heading', { name: 'Your receipt' }).waitFor();
  await examine(page, 'approved', assert);
  const board = await pipeline.board();
  assert.equal(refunds(board), before + 1);
  const done = board.approvals.find((one) => one.id === proposal.id);
  assert.equal(done.stage, 'executed');

  await page.getByRole('link', { name: 'Open this proposal' }).click();
  await page.getByText(`Stripe did it: ${done.effect}.`).waitFor();
  await examine(page, 'executed', assert);
});

test('everything works with the keyboard alone', async () => {
  const { id, url } = await ask();
  const page = await as(/Finance lead/, url);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the content');
  await page.keyboard.press('Enter');
  for (let press = 0; press < 30; press += 1) {
    await page.keyboard.press('Tab');
    if ((await page.evaluate(() => document.activeElement.value)) === 'deny') break;
  }
  await read(page);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'You denied it' }).waitFor();
  await examine(page, 'denied', assert);
  const board = await pipeline.board();
  assert.equal(board.approvals.find((one) => one.id === id).stage, 'denied');
});

test('who may not sign is told so and finds no button, and support can ask', async () => {
  const { url } = await open(2);
  const page = await as(/Support/, url);
  await page.getByText('No rule of the policy lets you decide this.').waitFor();
  assert.equal(await page.locator('button[name=decision]').count(), 0);
  await examine(page, 'not-for-support', assert);
  await page.getByRole('link', { name: 'Ask for something' }).click();
  await page.getByLabel('Charge', { exact: true }).waitFor();
  await examine(page, 'ask', assert);
  await page.getByLabel('Charge', { exact: true }).fill('ch_nothing');
  await page.getByLabel('Amount').fill('1.00');
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  await page.getByRole('alert').getByText(/no such object/).waitFor();
  await examine(page, 'ask-refused', assert);
});

test("somebody else's link opens nothing", async () => {
  const slack = await (await fetch(pipeline.place.slack)).text();
  const [link] = slack.match(/http:\/\/localhost:\d+\/a\/ap_\w+\?t=[\w.-]+/g);
  assert.ok(link, 'Slack shows the links');
  const pages = [await as(/Finance lead/, `${pipeline.place.api}/`), await as(/Finance second/, `${pipeline.place.api}/`)];
  const statuses = [];
  for (const page of pages) {
    const answer = await page.goto(link);
    statuses.push(answer.status());
    if (answer.status() === 403) {
      await page.getByRole('heading', { name: 'This link is not yours' }).waitFor();
      await examine(page, 'not-yours', assert);
    }
  }
  assert.deepEqual(statuses.sort(), [200, 403], 'its owner gets the page, the colleague does not');
});

test('nothing is there where nothing is', async () => {
  const page = await (await browser.newContext(DESKTOP)).newPage();
  const answer = await page.goto(`${pipeline.place.api}/a/ap_nothing?t=v1.x.y.z`);
  assert.equal(answer.status(), 404);
  await examine(page, 'not-found', assert);
});

test('a page that was left open over the deadline decides nothing', async () => {
  const { id, url } = await ask();
  const before = refunds(await pipeline.board());
  const page = await as(/Finance lead/, url);
  // A session lasts eight hours and a proposal three days, so they sign in again at the end.
  await pipeline.pass(3 * 86_400 - 3600);
  await signIn(page, url, /Finance lead/);
  await page.getByText(/Decide in/).waitFor();
  await pipeline.pass(3600);
  await page.getByRole('button', { name: /Approve/ }).click();
  await page.getByRole('heading', { name: 'Your decision was not counted' }).waitFor();
  await examine(page, 'too-late', assert);
  await page.getByRole('link', { name: 'Open the proposal' }).click();
  await page.getByText(/ran out|Nobody decided in time/).first().waitFor();
  await examine(page, 'expired', assert);
  const board = await pipeline.until('the schedule has recorded it', ({ approvals }) =>
    approvals.find((one) => one.id === id).stage === 'expired');
  assert.equal(refunds(board), before);
});
