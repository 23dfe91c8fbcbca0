// A certified OpenID provider on two loopback ports, http and https, for end-to-end tests.
//
//   node server.mjs --dir <folder>
//
// Writes its keys and certificates into the folder, prints one line of JSON to stdout when it
// is ready (see README.md), and ends when its stdin closes, so it never outlives a test run.
import './log-to-stderr.mjs';

import { mkdir, readFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { createClients } from './clients.mjs';
import {
  createClientKeys, createProviderKeys, createTlsFiles, randomText, writeOpensslConfig,
} from './keys.mjs';
import { createProvider } from './provider.mjs';

const HOST = '127.0.0.1';

for (const event of ['end', 'close', 'error']) process.stdin.on(event, () => process.exit(0));
process.stdin.resume();
process.on('SIGTERM', () => process.exit(0));

function listen(server) {
  // Longer than the interval of device polling (5 s, the default here, too): a connection that
  // is closed at the moment it is used again would look like a fault of the client.
  server.keepAliveTimeout = 60_000;
  return new Promise((done, failed) => {
    server.once('error', failed);
    server.listen(0, HOST, () => done(server.address().port));
  });
}

// The issuer holds the port, so the server listens before its provider exists.
async function start(server, scheme, settings) {
  const port = await listen(server);
  const provider = createProvider(`${scheme}://${HOST}:${port}`, settings);
  server.on('request', provider.callback());
  const { issuer } = provider;
  return {
    issuer,
    discovery: `${issuer}/.well-known/openid-configuration`,
    authorization_endpoint: provider.urlFor('authorization'),
    token_endpoint: provider.urlFor('token'),
    device_authorization_endpoint: provider.urlFor('device_authorization'),
    userinfo_endpoint: provider.urlFor('userinfo'),
    introspection_endpoint: provider.urlFor('introspection'),
    revocation_endpoint: provider.urlFor('revocation'),
    end_session_endpoint: provider.urlFor('end_session'),
    jwks_uri: provider.urlFor('jwks'),
    test: `${issuer}/test`,
  };
}

async function main() {
  const { values } = parseArgs({ options: { dir: { type: 'string' } } });
  if (!values.dir) throw new Error('usage: node server.mjs --dir <folder>');
  const dir = resolve(values.dir);

  // Private keys are written here: nothing made from now on is readable by others.
  process.umask(0o077);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const config = await writeOpensslConfig(dir);
  const [clientKeys, jwks, tls] = await Promise.all([
    createClientKeys(dir, config), createProviderKeys(), createTlsFiles(dir, config),
  ]);

  const clients = createClients(clientKeys);
  const account = { username: 'alice', password: `pass word+&=%${randomText(12)}` };
  const settings = { clients, jwks, account, cookieKeys: [randomText(32)] };
  const [key, cert] = await Promise.all([
    readFile(tls.server.key), readFile(tls.server.certificate),
  ]);

  const ready = {
    http: await start(http.createServer(), 'http', settings),
    https: await start(https.createServer({ key, cert }), 'https', settings),
    ca: tls.ca,
    wrong_ca: tls.wrongCa,
    account,
    clients: Object.fromEntries(Object.entries(clients)
      .map(([name, client]) => [name, client.ready])),
  };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
