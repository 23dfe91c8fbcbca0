// Shows that the browser and the terminal see what is there, and notice what is wrong. Run by `npm test`.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

// Starts one of the programs; `call` posts to its routes.
async function start(program, ...args) {
  const child = spawn(process.execPath, [fileURLToPath(new URL(program, import.meta.url)), ...args],
    { stdio: ['pipe', 'pipe', process.env.VERBOSE ? 'inherit' : 'ignore'] });
  const [line] = await Promise.race([once(createInterface(child.stdout), 'line'), once(child, 'exit')]);
  assert.equal(typeof line, 'string', `${program} did not start; VERBOSE=1 shows why`);
  const ready = JSON.parse(line);
  return {
    ...ready,
    child,
    async call(route, body = {}) {
      const response = await fetch(`${ready.control}/${route}`, { method: 'POST', body: JSON.stringify(body) });
      const answer = await response.json();
      if (!response.ok) throw new Error(answer.error);
      return answer;
    },
    async end() {
      child.stdin.end();
      if (child.exitCode === null) await once(child, 'exit', { signal: AbortSignal.timeout(10_000) });
      return child.exitCode;
    },
  };
}

// ---- browser

// Pages of two origins: what a provider shows, and what a listener answers.
function serve(pages) {
  const server = http.createServer((request, response) => {
    const page = pages[new URL(request.url, 'http://x').pathname];
    response.writeHead(page ? 200 : 404, { 'content-type': 'text/html; charset=utf-8', 'x-probe': 'yes' });
    response.end(page ?? 'nothing here');
  });
  return new Promise((done) => {
    server.listen(0, '127.0.0.1', () => done({ server, url: `http://127.0.0.1:${server.address().port}` }));
  });
}

const GOOD = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Done</title>
<style>:root { color-scheme: light dark } body { background: #fff; color: #333 }
@media (prefers-color-scheme: dark) { body { background: #111; color: #ddd } }</style>
<link rel="icon" href="data:,"><h1>Done</h1><script>history.replaceState(null, '', '/back')</script>`;
const BAD = `${GOOD}<p style="color: rgb(0 0 0 / 10%)">pale</p><p style="width: 600px">wide</p>
<script>fetch('/missing')</script><img src="https://elsewhere.example/pixel.png">`;

describe('browser', () => {
  let browser;
  let folder;
  const servers = [];

  // What the browser says about a page that the provider's one leads to.
  async function comeBack(page, more = {}) {
    const listener = await serve({ '/back': page });
    const provider = await serve({ '/': `<script>location = '${listener.url}/back?code=c0de#x'</script>` });
    servers.push(listener.server, provider.server);
    return { listener, report: await browser.call('visit', { url: `${provider.url}/`, action: 'look', ...more }) };
  }

  before(async () => {
    browser = await start('browser.mjs');
    folder = await mkdtemp(join(tmpdir(), 'user-'));
  });
  after(async () => {
    assert.equal(await browser.end(), 0);
    servers.forEach((server) => server.close());
    await rm(folder, { recursive: true });
  });

  test('the command hands an address over, whole', async () => {
    const url = 'http://127.0.0.1/auth?a=b&c=d%20e+f&g="h\'i';
    const [program, ...args] = browser.command.slice(1, -1).split("' '");
    const [[code], opened] = await Promise.all([
      once(spawn(program, [...args, url]), 'exit'), browser.call('opened'),
    ]);
    assert.deepEqual([code, opened.url], [0, url]);
  });

  test('a good page has nothing to complain about', async () => {
    const { listener, report } = await comeBack(GOOD, { folder, name: 'good' });
    assert.deepEqual([report.address, report.title, report.text], [`${listener.url}/back`, 'Done', 'Done']);
    assert.deepEqual([report.console, report.history.filter((url) => url.includes('c0de'))], [[], []]);
    assert.deepEqual(report.requests.map(({ method, url }) => `${method} ${url}`),
      [`GET ${listener.url}/back?code=c0de`]);
    assert.equal(report.responses[0].headers['x-probe'], 'yes');
    assert.deepEqual(report.views.map(({ view }) => view),
      ['light-desktop', 'light-phone', 'dark-desktop', 'dark-phone']);
    for (const { path, lowContrast, overflow } of report.views) {
      assert.deepEqual([lowContrast, overflow], [[], false]);
      assert.equal((await readFile(path)).subarray(1, 4).toString(), 'PNG');
    }
    const [light, , dark] = await Promise.all(report.views.map(({ path }) => readFile(path)));
    assert.notDeepEqual(light, dark);
  });

  test('a bad page is found out', async () => {
    const { report } = await comeBack(BAD, { folder, name: 'bad' });
    assert.ok(report.console.length >= 2, JSON.stringify(report.console));
    assert.ok(report.requests.some(({ url }) => url === 'https://elsewhere.example/pixel.png'));
    for (const { view, lowContrast, overflow } of report.views) {
      assert.deepEqual(lowContrast.map(({ text }) => text), ['pale'], view);
      assert.equal(overflow, view.endsWith('phone'), view);
    }
  });

  test('an answer that stays in the address and in the history is seen', async () => {
    const { report } = await comeBack(GOOD.replace(/<script>.*<\/script>/, ''));
    assert.match(report.address, /code=c0de/);
    assert.ok(report.history.some((url) => url.includes('c0de')));
  });
});

// ---- terminal

describe('terminal', { skip: process.platform === 'win32' }, () => {
  const terminals = [];
  after(() => Promise.all(terminals.map((terminal) => terminal.end())));
  const open = async (script) => {
    const terminal = await start('terminal.mjs', '--columns', '80', '--rows', '30', '--', 'sh', '-c', script);
    terminals.push(terminal);
    return terminal;
  };

  test('shows what is written, joins what went on at the border, and takes what is typed', async () => {
    const terminal = await open(
      `stty size; printf '%0100d\\n' 0; printf 'gone\\rhere\\n'; read -r line; echo "it's <$line>"`,
    );
    await terminal.call('type', { text: 'a b\r' });
    const { lines } = await terminal.call('wait', { pattern: '^it' });
    assert.deepEqual(lines.filter((text) => !text.startsWith('a b')),
      ['30 80', '0'.repeat(100), 'here', "it's <a b>"]);
  });

  test('Ctrl+C reaches the program', async () => {
    const terminal = await open("trap 'echo stopped; exit' INT; echo ready; while :; do sleep 0.1; done");
    await terminal.call('wait', { pattern: '^ready' });
    const { milliseconds } = await terminal.call('interrupt', { pattern: 'stopped' });
    assert.ok(milliseconds < 5000);
  });

  test('what does not come is an error that shows the screen', async () => {
    const terminal = await open('echo here; sleep 60');
    await assert.rejects(terminal.call('wait', { pattern: 'elsewhere', milliseconds: 500 }), /did not come.*here/s);
    const ended = await open('echo bye');
    await assert.rejects(ended.call('wait', { pattern: 'elsewhere' }), /ended without.*bye/s);
  });

  test('reads a QR code by its colours', async () => {
    // "HTTP://127.0.0.1/D" in version 1, drawn light on the terminal's dark ground.
    const text = 'HTTP://127.0.0.1/D';
    const code = await readFile(new URL('qr-example.txt', import.meta.url), 'utf8');
    const show = (before) => open(`printf '${before}'; cat <<'END'\n${code}END\nsleep 60`);
    const plain = await show('');
    await plain.call('wait', { pattern: '█' });
    assert.deepEqual(await plain.call('qr', { ground: 'black' }), { text });
    assert.deepEqual(await plain.call('qr', { ground: 'white' }), { text: null });
    const coloured = await show('\\033[97;40m');
    await coloured.call('wait', { pattern: '█' });
    assert.deepEqual(await coloured.call('qr', { ground: 'white' }), { text });
    const broken = await open('echo "█▀▄"; sleep 60');
    await broken.call('wait', { pattern: '█' });
    assert.deepEqual(await broken.call('qr'), { text: null });
  });
});
