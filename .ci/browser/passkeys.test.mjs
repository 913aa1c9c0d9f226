// A large refund: two people add passkeys, an administrator confirms them, and both sign with them.

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

/** A call of the stand-in for Stripe. */
async function stripe(path, form) {
  const { stripe: base, stripe_key: key } = pipeline.place;
  const answer = await fetch(`${base}/v1/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form),
  });
  const object = await answer.json();
  assert.ok(answer.ok, JSON.stringify(object));
  return object;
}

/** A charge that was paid, of so many cents. */
async function charge(amount) {
  const made = await stripe('payment_intents', {
    amount,
    currency: 'usd',
    confirm: 'true',
    payment_method: 'pm_card_visa',
    'payment_method_types[]': 'card',
  });
  return made.latest_charge;
}

/** Somebody in a browser of their own, at a page, with an authenticator that says yes. */
async function as(name, url) {
  const context = await browser.newContext(DESKTOP);
  const page = await context.newPage();
  page.on('pageerror', (error) => assert.fail(`a page's script failed: ${error}`));
  const debug = await context.newCDPSession(page);
  // https://chromedevtools.github.io/devtools-protocol/tot/WebAuthn/
  await debug.send('WebAuthn.enable');
  const { authenticatorId } = await debug.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  const verifies = (isUserVerified) => debug.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified });
  await signIn(page, url, name);
  return { page, verifies };
}

/** Support asks for a refund on the form; the address of what is proposed. */
async function ask(amount) {
  const { page } = await as(/Support/, `${pipeline.place.api}/requests/new`);
  await page.getByLabel('Charge', { exact: true }).fill(await charge(amount));
  await page.getByLabel('Amount').fill((amount / 100).toFixed(2));
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  await page.getByText('Asked for by').waitFor();
  return page.url();
}

/** Adds a passkey on the page for it, and lets an administrator confirm it; the fingerprint. */
async function enrol(page, id) {
  await page.getByRole('link', { name: 'Passkeys' }).click();
  await page.getByLabel('What you call it').fill('Laptop');
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.getByText('Not confirmed').waitFor();
  const fingerprint = await page.locator('.rows code').innerText();
  const confirmed = await fetch(`${pipeline.place.console}/passkeys`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ id, wanted: 'confirm', fingerprint, by: 'administrator' }),
  });
  assert.ok(confirmed.ok, await confirmed.text());
  return fingerprint;
}

/** What is decided sooner after reading than anybody reads is asked again. */
const read = (page) => page.waitForTimeout(2100);

const refunds = (board) => board.writes.filter((write) => write.path === '/v1/refunds').length;

test('a large refund is signed with two passkeys and with nothing else', async () => {
  const url = await ask(500_100);
  const before = refunds(await pipeline.board());
  const { page, verifies } = await as(/Finance lead/, url);
  await page.getByText('you have none that is confirmed').waitFor();
  assert.equal(await page.getByRole('button', { name: /Approve/ }).count(), 0);
  await examine(page, 'passkey-missing', assert);

  await enrol(page, 'finance-lead');
  await examine(page, 'passkeys', assert);
  await page.reload();
  await page.getByText('Counts', { exact: true }).waitFor();
  await page.getByLabel('What you call it').fill('Again');
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.getByText('This device holds a passkey of yours already.').waitFor();

  await page.goto(url);
  await page.getByLabel(/type the amount/).fill('5001.00');
  await read(page);
  await verifies(false);
  await page.getByRole('button', { name: /Approve/ }).click();
  await page.getByText('The passkey was not used. Try again.').waitFor();
  await examine(page, 'passkey-not-used', assert);
  await verifies(true);
  await page.getByRole('button', { name: /Approve/ }).click();
  await page.getByText('1 of 2 have signed').waitFor();
  await examine(page, 'passkey-signed', assert);
  assert.equal(refunds(await pipeline.board()), before);

  const second = await as(/Finance second/, `${pipeline.place.api}/`);
  await enrol(second.page, 'finance-second');
  await second.page.goto(url);
  await second.page.getByLabel(/type the amount/).fill('5001.00');
  await read(second.page);
  await second.page.getByRole('button', { name: /Approve/ }).click();
  await second.page.getByRole('heading', { name: 'Approved and done' }).waitFor();
  assert.equal(refunds(await pipeline.board()), before + 1);
});

test('without its script the form approves nothing', async () => {
  const url = await ask(500_200);
  const before = refunds(await pipeline.board());
  const { page } = await as(/Finance lead/, `${pipeline.place.api}/`);
  // The first test's passkey is another device's, and stays theirs.
  await page.goto(url);
  await page.evaluate(() => {
    document.querySelector('[name=amount]').value = '5002.00';
    const form = document.querySelector('form[data-passkey]');
    form.append(Object.assign(document.createElement('input'), { name: 'decision', value: 'approve' }));
  });
  await read(page);
  // Sent past the script, as a browser without one would.
  await page.evaluate(() => document.querySelector('form[data-passkey]').submit());
  await page.getByRole('heading', { name: 'Your decision was not counted' }).waitFor();
  await page.getByText('This needs your passkey').waitFor();
  await examine(page, 'passkey-refused', assert);
  assert.equal(refunds(await pipeline.board()), before);
});
