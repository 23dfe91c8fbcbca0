// The person at the browser: opens the address that a command was given, signs in at oidc-provider's pages, and
// reports what was to be seen when the browser came back.
//
//   node browser.mjs
//
// The ready line and the routes are told in README.md.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { launchChromium } from './chromium.mjs';
import { live, serve } from './control.mjs';
import { findLowContrast, hasOverflow } from './page-checks.mjs';

const PATIENCE_MS = 20_000;
// For what the last page does by itself.
const SETTLE_MS = 5000;
const VIEWS = ['light', 'dark'].flatMap((colorScheme) => [
  { name: `${colorScheme}-desktop`, colorScheme, size: { width: 1280, height: 800 } },
  { name: `${colorScheme}-phone`, colorScheme, size: { width: 375, height: 667 } },
]);

// ---- what a person does

const press = (page, name) => page.getByRole('button', { name, exact: true }).click();

async function logIn(page, login) {
  await page.locator('[name=login]').fill(login);
  await page.locator('[name=password]').fill('any');
  await press(page, 'Sign-in');
}

// The page that asks for the code, unless the address brought it along, and the one that shows it for comparison.
async function compareCode(page, userCode) {
  if (userCode) {
    await page.locator('[name=user_code]').fill(userCode);
    await press(page, 'Continue');
  }
  return page.locator('h1:has-text("Confirm Device") ~ p code').innerText();
}

// Each gets the open page and what the test said, and resolves to what it adds to the report.
const ACTIONS = {
  look: async () => {},

  async approve(page, { login }) {
    await logIn(page, login);
    await press(page, 'Continue');
  },

  async deny(page, { login }) {
    await logIn(page, login);
    await page.getByRole('link', { name: 'Cancel' }).click();
  },

  async approveDevice(page, { login, userCode }) {
    const shownCode = await compareCode(page, userCode);
    await press(page, 'Continue');
    await logIn(page, login);
    await press(page, 'Continue');
    await page.getByRole('heading', { name: 'Sign-in Success' }).waitFor();
    return { shownCode };
  },

  async denyDevice(page, { userCode }) {
    const shownCode = await compareCode(page, userCode);
    await press(page, '[ Abort ]');
    await page.getByText('The Sign-in request was interrupted').waitFor();
    return { shownCode };
  },
};

// ---- what is seen

// Everything a context says and loads, from its first page on.
function record(context) {
  const seen = { console: [], requests: [], responses: [] };
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) {
      seen.console.push({
        page: message.page()?.url() ?? '', url: message.location().url, text: message.text(),
      });
    }
  });
  context.on('weberror', (error) => seen.console.push({
    page: error.page()?.url() ?? '', url: '', text: error.error().message,
  }));
  context.on('request', (request) => seen.requests.push({
    method: request.method(), url: request.url(), page: request.frame().url(), opens: request.isNavigationRequest(),
  }));
  context.on('response', (response) => seen.responses.push(response));
  return seen;
}

// Until the page that the listener answers with stands still: nothing of the answer is left in the address.
async function settle(page, start) {
  await page.waitForURL((url) => url.origin !== start.origin, { waitUntil: 'commit' });
  await page.waitForFunction(() => !location.search && !location.hash && document.readyState === 'complete', null,
    { timeout: SETTLE_MS }).catch(() => console.error(`The answer stayed in the address of ${page.url()}`));
}

async function takeViews(page, folder, name) {
  if (folder) await mkdir(folder, { recursive: true });
  const views = [];
  for (const { name: view, colorScheme, size } of VIEWS) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize(size);
    const path = folder && join(folder, `${name}-${view}.png`);
    if (path) await page.screenshot({ path, animations: 'disabled' });
    views.push({
      view, path, lowContrast: await page.evaluate(findLowContrast), overflow: await page.evaluate(hasOverflow),
    });
  }
  return views;
}

async function report(context, page, seen, start) {
  const session = await context.newCDPSession(page);
  const { entries } = await session.send('Page.getNavigationHistory');
  const isElsewhere = (url) => URL.canParse(url) && new URL(url).origin !== start.origin;
  const responses = await Promise.all(seen.responses.filter((response) => isElsewhere(response.url()))
    .map(async (response) => ({
      url: response.url(), status: response.status(), headers: await response.allHeaders(),
    })));
  return {
    address: page.url(),
    title: await page.title(),
    text: await page.locator('body').innerText(),
    html: await page.content(),
    history: entries.map(({ url }) => url),
    // What the provider's own pages say and load is not ours.
    console: seen.console.filter((message) => isElsewhere(message.page)),
    requests: seen.requests.filter(({ page: from, url, opens }) => isElsewhere(opens ? url : from)),
    responses,
  };
}

// ---- routes

const browser = await launchChromium().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
const opened = [];
const waiting = [];

async function visit({
  url, action = 'approve', login = 'carol', userCode, leavesProvider = true, folder, name,
}) {
  const start = new URL(url);
  const context = await browser.newContext({ viewport: VIEWS[0].size });
  context.setDefaultTimeout(PATIENCE_MS);
  try {
    const seen = record(context);
    const page = await context.newPage();
    await page.goto(url);
    const more = await ACTIONS[action](page, { login, userCode });
    if (leavesProvider) await settle(page, start);
    return {
      ...await report(context, page, seen, start),
      ...more,
      views: name ? await takeViews(page, folder, name) : [],
    };
  } finally {
    await context.close();
  }
}

const control = await serve({
  // From open.mjs.
  open: async ({ url }) => {
    const waiter = waiting.shift();
    if (waiter) waiter(url);
    else opened.push(url);
  },
  opened: async () => {
    if (opened.length) return { url: opened.shift() };
    return new Promise((done, failed) => {
      const waiter = (url) => {
        clearTimeout(timer);
        done({ url });
      };
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(waiter), 1);
        failed(new Error('No address was opened.'));
      }, PATIENCE_MS);
      waiting.push(waiter);
    });
  },
  visit,
});

// In single quotes, so that a shell's rules leave every character alone.
const command = [process.execPath, fileURLToPath(new URL('open.mjs', import.meta.url)), control]
  .map((part) => `'${part}'`).join(' ');
live({ control, command, version: browser.version() }, () => browser.close());
