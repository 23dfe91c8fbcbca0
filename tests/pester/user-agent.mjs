// A browser without a screen that signs alice in: opens the address that is its last argument, as -BrowserCommand
// starts it, follows redirects and submits the forms of oidc-provider's pages until it comes to the redirect URI.
//
//   node user-agent.mjs [--answer <query>] [--state <text>] [--deny] [--print] [--log <file>] <address>
//
// --answer  goes straight to the redirect URI with these parameters and the state of the request
// --state   with this state instead
// --deny    says no where the user is asked
// --print   writes the address of the answer to standard output and does not visit it
// --log     writes what came of it to a file, one object in JSON
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    answer: { type: 'string' }, state: { type: 'string' }, deny: { type: 'boolean' }, print: { type: 'boolean' },
    log: { type: 'string' },
  },
});
const start = new URL(positionals.at(-1));
const redirectUri = start.searchParams.get('redirect_uri');
const cookies = new Map();

const isAnswer = (url) => redirectUri && `${url.origin}${url.pathname}` === redirectUri.replace(/^(\w+:\/\/[^/]+)$/, '$1/');

const cookieHeader = () => [...cookies].map((pair) => pair.join('=')).join('; ');

async function send(url, form) {
  const response = await fetch(url, {
    method: form ? 'POST' : 'GET',
    body: form,
    headers: { cookie: cookieHeader() },
    redirect: 'manual',
  });
  for (const cookie of response.headers.getSetCookie()) {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
    if (value) cookies.set(name, value);
    else cookies.delete(name);
  }
  return response;
}

const unescape = (text) => text.replace(/&(?:#x([0-9a-f]+)|quot|amp|lt|gt);/gi, (entity, code) => (
  code ? String.fromCodePoint(Number.parseInt(code, 16)) : { '&quot;': '"', '&amp;': '&', '&lt;': '<', '&gt;': '>' }[entity]));

const attribute = (tag, name) => {
  const value = new RegExp(`\\b${name}="([^"]*)"`, 'i').exec(tag)?.[1];
  return value === undefined ? undefined : unescape(value);
};

// The form on a page as an address and fields, with the account where a name is asked for.
function readForm(page, base) {
  const tag = /<form[^>]*>/i.exec(page)?.[0];
  if (!tag) throw new Error(`There is no form on ${base}: ${page.slice(0, 500)}`);
  const fields = new URLSearchParams();
  for (const [input] of page.matchAll(/<input[^>]*>/gi)) {
    const name = attribute(input, 'name');
    if (name) fields.set(name, { login: 'alice', password: 'wonderland' }[name] ?? attribute(input, 'value') ?? '');
  }
  return [new URL(attribute(tag, 'action') ?? '', base), fields];
}

async function walk() {
  let url = start;
  let form;
  for (let step = 0; step < 20; step += 1) {
    if (isAnswer(url) || !/^https?:$/.test(url.protocol)) return [url, form];
    const response = await send(url, form);
    form = undefined;
    const location = response.headers.get('location');
    if (location) {
      url = new URL(location, url);
    } else {
      const page = await response.text();
      const abort = options.deny && /href="([^"]*\/abort)"/.exec(page)?.[1];
      if (abort) url = new URL(abort, url);
      else [url, form] = readForm(page, url);
    }
  }
  throw new Error(`No end at ${url.origin}${url.pathname}`);
}

// The answer without a server: as the response mode of the request wants it.
function answerDirectly() {
  const fields = new URLSearchParams(options.answer);
  fields.set('state', options.state ?? start.searchParams.get('state'));
  const url = new URL(redirectUri);
  const mode = start.searchParams.get('response_mode');
  if (mode === 'form_post') return [url, fields];
  if (mode === 'fragment' || start.searchParams.get('response_type') !== 'code') url.hash = fields;
  else url.search = fields;
  return [url];
}

// The script on the page hands a fragment over, which no server sees, in a form.
async function visit(url, form) {
  const response = await send(url, form);
  return url.hash ? send(new URL(url.pathname, url), new URLSearchParams({ fragment: url.hash.slice(1) })) : response;
}

const [url, form] = options.answer === undefined ? await walk() : answerDirectly();
if (options.print) {
  process.stdout.write(url.href);
} else {
  const response = await visit(url, form);
  const page = await response.text();
  if (options.log) writeFileSync(options.log, JSON.stringify({ request: start.href, answer: url.href, status: response.status, page }));
}
