// The person at a terminal: runs a program on a pseudo terminal, types, and sees what a terminal of the given size
// would show. For Unix: the pseudo terminal is that of the system's script(1).
//
//   node terminal.mjs --columns 80 --rows 40 -- <program> [argument ...]
//
// The ready line and the routes are told in README.md.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';

import xterm from '@xterm/headless';

import { live, serve } from './control.mjs';
import { readQrCode } from './qr.mjs';
import { renderSvg } from './svg.mjs';

const PATIENCE_MS = 30_000;
const INTERRUPT = '\x03';

const { values, positionals } = parseArgs({
  options: { columns: { type: 'string' }, rows: { type: 'string' } }, allowPositionals: true,
});
const columns = Number(values.columns);
const rows = Number(values.rows);
const terminal = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true });

// ---- the program on its pseudo terminal

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
// script(1) has no terminal itself here that could tell the size.
const line = `stty rows ${rows} cols ${columns}; exec ${positionals.map(quote).join(' ')}`;
// This person has colours, whoever runs the tests.
const { NO_COLOR: ignored, ...environment } = process.env;
const script = spawn('script', process.platform === 'linux'
  ? ['-q', '-e', '-f', '-c', line, '/dev/null']
  : ['-q', '/dev/null', 'sh', '-c', line], {
  env: { ...environment, TERM: 'xterm-256color', LANG: 'C.UTF-8' }, stdio: ['pipe', 'pipe', 'inherit'],
});
script.stdin.on('error', () => {});
// Told to whoever waits whenever the screen has changed.
const watchers = new Set();
script.stdout.on('data', (bytes) => terminal.write(bytes, () => watchers.forEach((watcher) => watcher())));
// A terminal answers questions, such as where the cursor is.
terminal.onData((answer) => script.stdin.write(answer));
let isOver = false;
script.on('close', () => {
  isOver = true;
  watchers.forEach((watcher) => watcher());
});

// ---- what it shows

// All lines, scrolled ones too; a line that went on at the border of the screen is one.
function readLines() {
  const { active } = terminal.buffer;
  const lines = [];
  for (let index = 0; index < active.length; index += 1) {
    const row = active.getLine(index);
    if (row.isWrapped) lines.push((lines.pop() ?? '') + row.translateToString(false));
    else lines.push(row.translateToString(false));
  }
  const trimmed = lines.map((text) => text.trimEnd());
  return trimmed.slice(0, trimmed.findLastIndex(Boolean) + 1);
}

async function waitFor({ pattern, milliseconds = PATIENCE_MS }) {
  const expression = new RegExp(pattern, 'm');
  const start = performance.now();
  return new Promise((done, failed) => {
    const finish = (problem) => {
      watchers.delete(check);
      clearTimeout(timer);
      const lines = readLines();
      if (problem) failed(new Error(`${problem}; the terminal shows:\n${lines.join('\n')}`));
      else done({ milliseconds: performance.now() - start, lines });
    };
    const check = () => {
      if (expression.test(readLines().join('\n'))) finish();
      else if (isOver) finish(`The program ended without showing ${pattern}`);
    };
    const timer = setTimeout(() => finish(`${pattern} did not come`), milliseconds);
    watchers.add(check);
    check();
  });
}

// ---- routes

const control = await serve({
  type: async ({ text }) => {
    script.stdin.write(text);
  },
  wait: waitFor,
  // Ctrl+C, and how long it takes until the pattern is shown.
  interrupt: async (expected) => {
    script.stdin.write(INTERRUPT);
    return waitFor(expected);
  },
  screen: async () => ({ lines: readLines() }),
  svg: async ({ title = '' }) => ({ svg: renderSvg(terminal, title) }),
  qr: async ({ ground = 'black' }) => ({ text: readQrCode(terminal, ground) }),
});

live({ control, columns, rows }, async () => {
  if (isOver) return;
  // Its end hangs up the pseudo terminal, and that ends what runs there.
  script.kill('SIGKILL');
  await once(script, 'close');
});
