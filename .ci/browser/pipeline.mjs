// A pipeline in its own process, and a browser that looks at it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

// The packages are installed outside of the repository's tree.
const require = createRequire(join(process.env.BROWSER_PACKAGES, 'package.json'));
const { chromium } = require('playwright-core');
const axe = require('axe-core');

const SCREENSHOTS = process.env.SCREENSHOTS;
mkdirSync(SCREENSHOTS, { recursive: true });

/** Starts `countersign local` with its day of billing; resolves when it is ready. */
export async function startPipeline() {
  const child = spawn(process.env.COUNTERSIGN, ['local', '--json', '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  const [line] = await Promise.race([
    once(lines, 'line'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`countersign ended with ${code}`))),
  ]);
  const place = JSON.parse(line);
  const board = async () => (await fetch(`${place.console}/data`)).json();
  return {
    place,
    board,
    /** Looks until the board is as wished. */
    async until(what, wished) {
      for (let look = 0; look < 600; look += 1) {
        const now = await board();
        if (wished(now)) return now;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      throw new Error(`still not: ${what}`);
    },
    /** Lets time pass for every stand-in and every function. */
    async pass(seconds) {
      const answer = await fetch(`${place.console}/clock`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ seconds }),
      });
      if (!answer.ok) throw new Error(`the clock answered ${answer.status}`);
    },
    async stop() {
      if (child.exitCode === null) {
        child.kill('SIGTERM');
        await once(child, 'exit');
      }
    },
  };
}

/** Debian's browser, which talks to nothing but the pages. */
export async function startBrowser() {
  const profile = mkdtempSync(join(tmpdir(), 'countersign-browser-'));
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: [
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--disable-dev-shm-usage',
      `--crash-dumps-dir=${profile}`,
      // Root has no sandbox; in CI the machine is thrown away.
      ...(process.getuid() === 0 ? ['--no-sandbox'] : []),
    ],
  });
  browser.on('disconnected', () => rmSync(profile, { recursive: true, force: true }));
  return browser;
}

export const DESKTOP = { viewport: { width: 1280, height: 800 } };
const PHONE = { width: 390, height: 844 };

/** Signs in at the provider's stand-in as somebody, and goes on to a page. */
export async function signIn(page, url, name) {
  await page.goto(url);
  await page.getByRole('link', { name: 'Sign in' }).click();
  await page.getByRole('button', { name }).click();
  await page.waitForLoadState();
}

/** Keeps a picture at the desk, in the dark and on a phone, and lets axe look for violations in each. */
export async function examine(page, name, assert) {
  const desk = page.viewportSize();
  for (const [look, size, scheme] of [
    ['desktop', desk, 'light'],
    ['dark', desk, 'dark'],
    ['phone', PHONE, 'light'],
  ]) {
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme: scheme });
    await page.screenshot({ path: join(SCREENSHOTS, `${name}-${look}.png`), fullPage: look !== 'desktop' });
    // The page's policy forbids scripts; the debugger's own evaluation is none of the page's.
    await page.evaluate(axe.source);
    const found = await page.evaluate(() =>
      // eslint-disable-next-line no-undef
      window.axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }),
    );
    const said = found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' | ')}`);
    assert.deepEqual(said, [], `${name}, ${look}`);
    assert.ok(found.passes.length > 5, `axe looked at ${name}`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
    assert.equal(wide, false, `${name} needs no sideways scrolling, ${look}`);
  }
  await page.setViewportSize(desk);
  await page.emulateMedia({ colorScheme: 'light' });
}
