// Shows that the server is right before TokenKit is blamed: every client, key form and flow the
// end-to-end tests rely on, with nothing of TokenKit in it. Run by `npm test`.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import {
  X509Certificate, createHash, createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes,
  randomUUID,
} from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { SignJWT, createLocalJWKSet, importPKCS8, jwtVerify } from 'jose';

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
const JWT_BEARER_GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
// What a key of the same kind as a client's own is made with.
const KEY_PARAMETERS = {
  RS: ['rsa', { modulusLength: 2048 }],
  PS: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  ES384: ['ec', { namedCurve: 'P-384' }],
  ES512: ['ec', { namedCurve: 'P-521' }],
  EdDSA: ['ed25519', {}],
};
const REDIRECT_URI = 'http://127.0.0.1:8400/callback';

// ---- the server under test

async function startServer() {
  const dir = join(await mkdtemp(join(tmpdir(), 'oidc-provider-')), 'made', 'by-server');
  const child = spawn(process.execPath, [
    fileURLToPath(new URL('server.mjs', import.meta.url)), '--dir', dir,
  ], { stdio: ['pipe', 'pipe', process.env.VERBOSE ? 'inherit' : 'ignore'] });
  const lines = [];
  const reader = createInterface(child.stdout);
  reader.on('line', (line) => lines.push(line));
  await Promise.race([once(reader, 'line'), once(reader, 'close')]);
  assert.equal(lines.length, 1, 'the server ended without a ready line; VERBOSE=1 shows why');
  return { child, dir, lines, ready: JSON.parse(lines[0]) };
}

async function removeDir(server) {
  await rm(join(server.dir, '..', '..'), { recursive: true });
}

const server = await startServer();
const { ready } = server;
const { clients } = ready;
const ca = await readFile(ready.ca);

after(async () => {
  server.child.kill('SIGKILL');
  await removeDir(server);
});

// ---- plain HTTP, with a CA of our own where it is https

function send(url, { method = 'GET', headers = {}, body, trust = ca } = {}) {
  return new Promise((done, failed) => {
    const { request } = url.startsWith('https:') ? https : http;
    const message = request(url, { method, headers, ca: trust }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', failed);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        const isJson = /^application\/(\S+\+)?json/.test(response.headers['content-type']);
        done({
          status: response.statusCode,
          headers: response.headers,
          body: isJson ? JSON.parse(text) : text,
        });
      });
    });
    message.on('error', failed);
    message.end(body);
  });
}

function postForm(url, fields, headers = {}) {
  return send(url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams(fields).toString(),
  });
}

async function postTest(endpoints, route, body) {
  const response = await send(`${endpoints.test}${route}`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
  });
  assert.equal(response.status, 200, JSON.stringify(response.body));
  return response.body;
}

// ---- client authentication

const formEncode = (text) => new URLSearchParams({ v: text }).toString().slice(2);

const strangerKey = (alg) => generateKeyPairSync(
  ...(KEY_PARAMETERS[alg] ?? KEY_PARAMETERS[alg.slice(0, 2)]),
).privateKey;

async function keyOf(client) {
  return client.client_secret
    ? Buffer.from(client.client_secret)
    : importPKCS8(await readFile(client.keys.pkcs8, 'utf8'), client.alg);
}

function sign(client, key, claims, alg = client.alg ?? 'HS256') {
  return new SignJWT({ iss: client.client_id, sub: client.client_id, jti: randomUUID(), ...claims })
    .setProtectedHeader({ alg }).setIssuedAt().setExpirationTime(claims.exp ?? '5m').sign(key);
}

// Adds a client's proof to a form: resolves to [fields, headers] for postForm.
async function prove(client, endpoints, fields, { aud = endpoints.issuer, alg, key, secret } = {}) {
  const id = client.client_id;
  const usedSecret = secret ?? client.client_secret;
  switch (client.auth_method) {
    case 'none':
      return [{ ...fields, client_id: id }];
    case 'client_secret_basic': {
      const pair = `${formEncode(id)}:${formEncode(usedSecret)}`;
      return [fields, { authorization: `Basic ${Buffer.from(pair).toString('base64')}` }];
    }
    case 'client_secret_post':
      return [{ ...fields, client_id: id, client_secret: usedSecret }];
    default:
      return [{
        ...fields,
        client_assertion: await sign(client, key ?? await keyOf(client), { aud }, alg),
        client_assertion_type: ASSERTION_TYPE,
      }];
  }
}

async function requestToken(client, endpoints, fields, options) {
  return postForm(endpoints.token_endpoint, ...await prove(client, endpoints, fields, options));
}

function expectError(response, status, error) {
  assert.deepEqual([response.status, response.body.error], [status, error]);
  assert.equal(typeof response.body.error_description, 'string');
}

function expectToken(response) {
  assert.equal(response.status, 200, JSON.stringify(response.body));
  assert.equal(response.body.token_type, 'Bearer');
  assert.ok(response.body.access_token.length > 20);
  assert.ok(response.body.expires_in > 0);
  return response.body;
}

async function introspect(client, endpoints, token) {
  const [fields, headers] = await prove(client, endpoints, { token });
  const response = await postForm(endpoints.introspection_endpoint, fields, headers);
  assert.equal(response.status, 200, JSON.stringify(response.body));
  return response.body;
}

const codeVerifier = randomBytes(32).toString('base64url');
const codeChallenge = createHash('sha256').update(codeVerifier).digest('base64url');

async function mintCode(client, endpoints, more = {}) {
  const { code } = await postTest(endpoints, '/code', {
    client_id: client.client_id,
    redirect_uri: REDIRECT_URI,
    scope: 'openid offline_access profile api:read',
    code_challenge: codeChallenge,
    ...more,
  });
  return {
    grant_type: 'authorization_code', code, redirect_uri: REDIRECT_URI, code_verifier: codeVerifier,
  };
}

async function startDevice(client, endpoints, scope = 'openid offline_access api:read') {
  const response = await postForm(endpoints.device_authorization_endpoint,
    ...await prove(client, endpoints, { client_id: client.client_id, scope }));
  assert.equal(response.status, 200, JSON.stringify(response.body));
  const { body } = response;
  assert.equal(body.verification_uri, `${endpoints.issuer}/device`);
  assert.ok(body.verification_uri_complete.includes(body.user_code));
  return { user_code: body.user_code, poll: { grant_type: DEVICE_GRANT, device_code: body.device_code } };
}

// ---- the ready line and the files it names

test('the ready line names every client', () => {
  assert.deepEqual(Object.keys(clients), [
    'none', 'client_secret_basic', 'client_secret_post',
    'client_secret_jwt_HS256', 'client_secret_jwt_HS384', 'client_secret_jwt_HS512',
    'private_key_jwt_RS256', 'private_key_jwt_RS384', 'private_key_jwt_RS512',
    'private_key_jwt_PS256', 'private_key_jwt_PS384', 'private_key_jwt_PS512',
    'private_key_jwt_ES256', 'private_key_jwt_ES384', 'private_key_jwt_ES512',
    'private_key_jwt_EdDSA', 'native', 'native_signed_userinfo',
  ]);
  for (const character of ':+%&=/ ') {
    assert.ok(clients.client_secret_basic.client_id.includes(character), `client_id: ${character}`);
    assert.ok(clients.client_secret_basic.client_secret.includes(character), `secret: ${character}`);
  }
});

test('files are for the user only', { skip: process.platform === 'win32' }, async () => {
  assert.equal((await stat(server.dir)).mode & 0o777, 0o700);
  for (const { keys } of Object.values(clients)) {
    if (keys) assert.equal((await stat(keys.pkcs8)).mode & 0o777, 0o600);
  }
});

for (const alg of ['RS256', 'ES256', 'ES384', 'ES512', 'EdDSA']) {
  test(`all forms of the ${alg} key hold the same key`, async () => {
    const { keys } = clients[`private_key_jwt_${alg}`];
    const publicPart = (key) => createPublicKey(key).export({ type: 'spki', format: 'pem' });
    const expected = publicPart(await readFile(keys.pkcs8, 'utf8'));
    const fromPfx = async (file, password) => (await promisify(execFile)('openssl', [
      'pkcs12', '-in', file, '-nocerts', '-nodes', '-passin', 'env:PFX_PASSWORD',
    ], { env: { ...process.env, PFX_PASSWORD: password } })).stdout;

    const forms = {
      encrypted_pkcs8: async (file) => publicPart(createPrivateKey({
        key: await readFile(file), format: 'pem', passphrase: keys.password,
      })),
      der: async (file) => publicPart(createPrivateKey({
        key: await readFile(file), format: 'der', type: 'pkcs8',
      })),
      jwk: async (file) => publicPart(createPrivateKey({
        key: JSON.parse(await readFile(file, 'utf8')), format: 'jwk',
      })),
      pkcs1: async (file) => publicPart(await readFile(file, 'utf8')),
      sec1: async (file) => publicPart(await readFile(file, 'utf8')),
      certificate: async (file) => publicPart(new X509Certificate(await readFile(file)).publicKey
        .export({ type: 'spki', format: 'pem' })),
      pfx: async (file) => publicPart(await fromPfx(file, keys.password)),
      pfx_legacy: async (file) => publicPart(await fromPfx(file, keys.password)),
    };
    const present = Object.keys(forms).filter((form) => keys[form]);
    const common = ['encrypted_pkcs8', 'der', 'jwk'];
    assert.deepEqual(present, {
      RS256: [...common, 'pkcs1', 'certificate', 'pfx', 'pfx_legacy'],
      EdDSA: common,
    }[alg] ?? [...common, 'sec1', 'certificate', 'pfx']);
    for (const form of present) assert.equal(await forms[form](keys[form]), expected, form);

    const header = async (form) => (await readFile(keys[form], 'utf8')).split('\n')[0];
    assert.equal(await header('pkcs8'), '-----BEGIN PRIVATE KEY-----');
    assert.equal(await header('encrypted_pkcs8'), '-----BEGIN ENCRYPTED PRIVATE KEY-----');
    if (keys.pkcs1) assert.equal(await header('pkcs1'), '-----BEGIN RSA PRIVATE KEY-----');
    if (keys.sec1) assert.equal(await header('sec1'), '-----BEGIN EC PRIVATE KEY-----');
    if (keys.pfx) await assert.rejects(fromPfx(keys.pfx, 'wrong password'));
    const encrypted = await readFile(keys.encrypted_pkcs8);
    assert.throws(() => createPrivateKey({ key: encrypted, passphrase: 'wrong password' }));
  });
}

// ---- TLS

test('https is trusted with the CA only', async () => {
  const { discovery, issuer } = ready.https;
  const response = await send(discovery);
  assert.equal(response.body.issuer, issuer);
  await assert.rejects(send(discovery, { trust: await readFile(ready.wrong_ca) }),
    { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
  await assert.rejects(send(discovery, { trust: null }),
    { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
});

test('the TLS certificate is for localhost by name and by both addresses', async () => {
  const certificate = new X509Certificate(await readFile(join(server.dir, 'server.pem')));
  assert.equal(certificate.checkHost('localhost'), 'localhost');
  assert.equal(certificate.checkIP('127.0.0.1'), '127.0.0.1');
  assert.equal(certificate.checkIP('::1'), '::1');
  assert.equal(certificate.checkHost('example.com'), undefined);
});

// ---- every client on both ports

for (const scheme of ['http', 'https']) {
  const endpoints = ready[scheme];

  test(`${scheme}: the ready line agrees with the discovery document`, async () => {
    const { body } = await send(endpoints.discovery);
    for (const [name, value] of Object.entries(endpoints)) {
      if (!['discovery', 'test'].includes(name)) assert.equal(value, body[name], name);
    }
  });

  for (const [name, client] of Object.entries(clients)) {
    if (client.auth_method !== 'none') {
      test(`${scheme} ${name}: client credentials`, async () => {
        const fields = { grant_type: 'client_credentials', scope: 'api:read' };
        const token = expectToken(await requestToken(client, endpoints, fields));
        assert.equal(token.refresh_token, undefined);
        const state = await introspect(client, endpoints, token.access_token);
        assert.deepEqual([state.active, state.client_id, state.scope],
          [true, client.client_id, 'api:read']);
      });

      test(`${scheme} ${name}: a wrong proof is refused`, async () => {
        const fields = { grant_type: 'client_credentials' };
        const wrong = client.client_secret
          ? { secret: 'wrong', key: randomBytes(64) }
          : { key: strangerKey(client.alg) };
        expectError(await requestToken(client, endpoints, fields, wrong), 401, 'invalid_client');
      });

      test(`${scheme} ${name}: password`, async () => {
        const fields = { grant_type: 'password', scope: 'offline_access api:read', ...ready.account };
        const token = expectToken(await requestToken(client, endpoints, fields));
        const state = await introspect(client, endpoints, token.access_token);
        assert.deepEqual([state.active, state.sub], [true, 'alice']);
        expectToken(await requestToken(client, endpoints,
          { grant_type: 'refresh_token', refresh_token: token.refresh_token }));
        expectError(await requestToken(client, endpoints, { ...fields, password: 'wrong' }),
          400, 'invalid_grant');
      });

      test(`${scheme} ${name}: JWT bearer`, async () => {
        const key = await keyOf(client);
        const ask = async (claims, alg) => requestToken(client, endpoints, {
          grant_type: JWT_BEARER_GRANT,
          scope: 'api:read',
          assertion: await sign(client, key, { aud: endpoints.token_endpoint, sub: 'bob', ...claims }, alg),
        });
        const token = expectToken(await ask({}));
        assert.equal((await introspect(client, endpoints, token.access_token)).sub, 'bob');
        expectToken(await ask({ aud: endpoints.issuer }));
        expectError(await ask({ aud: 'https://other.example' }), 400, 'invalid_grant');
        expectError(await ask({ iss: 'other' }), 400, 'invalid_grant');
        expectError(await ask({ exp: '-5m' }), 400, 'invalid_grant');
        const [head, payload, signature] = (await sign(client, key, {
          aud: endpoints.issuer, sub: 'bob',
        })).split('.');
        const flipped = Buffer.from(signature, 'base64url');
        flipped[0] ^= 1;
        expectError(await requestToken(client, endpoints, {
          grant_type: JWT_BEARER_GRANT, assertion: [head, payload, flipped.toString('base64url')].join('.'),
        }), 400, 'invalid_grant');
      });
    }

    test(`${scheme} ${name}: code with PKCE and nonce, then rotating refresh tokens`, async () => {
      const nonce = randomUUID();
      const fields = await mintCode(client, endpoints, { nonce });
      const token = expectToken(await requestToken(client, endpoints, fields));
      assert.equal(token.scope, 'openid offline_access profile api:read');

      const { body: jwks } = await send(endpoints.jwks_uri);
      assert.equal(jwks.keys.length, 2);
      const { payload, protectedHeader } = await jwtVerify(token.id_token, createLocalJWKSet(jwks), {
        issuer: endpoints.issuer, audience: client.client_id, algorithms: ['RS256'],
      });
      assert.equal(typeof protectedHeader.kid, 'string');
      assert.deepEqual([payload.nonce, payload.sub], [nonce, 'alice']);

      const userinfo = await send(endpoints.userinfo_endpoint, {
        headers: { authorization: `Bearer ${token.access_token}` },
      });
      const alg = client.userinfo_signed_response_alg;
      const { iss, aud, iat, exp, ...claims } = alg
        ? (await jwtVerify(userinfo.body, createLocalJWKSet(jwks), {
          issuer: endpoints.issuer, audience: client.client_id, algorithms: [alg],
        })).payload
        : userinfo.body;
      assert.match(userinfo.headers['content-type'], alg ? /^application\/jwt/ : /^application\/json/);
      assert.deepEqual(claims, { sub: 'alice', name: 'Test user alice', preferred_username: 'alice' });

      const refresh = (refresh_token) => requestToken(client, endpoints,
        { grant_type: 'refresh_token', refresh_token });
      const second = expectToken(await refresh(token.refresh_token));
      assert.notEqual(second.refresh_token, token.refresh_token);
      assert.notEqual(second.access_token, token.access_token);
      assert.equal(second.scope, token.scope);
      const third = expectToken(await refresh(second.refresh_token));
      // Using a spent one again looks like theft, so the whole grant is withdrawn.
      expectError(await refresh(second.refresh_token), 400, 'invalid_grant');
      expectError(await refresh(third.refresh_token), 400, 'invalid_grant');
    });

    test(`${scheme} ${name}: a code is bound to its verifier, redirect URI and one use`, async () => {
      const fields = await mintCode(client, endpoints);
      for (const wrong of [
        { code_verifier: randomBytes(32).toString('base64url') },
        { redirect_uri: 'http://127.0.0.1:8401/callback' },
        { code: 'unknown' },
      ]) {
        expectError(await requestToken(client, endpoints, { ...fields, ...wrong }),
          400, 'invalid_grant');
      }
      expectToken(await requestToken(client, endpoints, fields));
      expectError(await requestToken(client, endpoints, fields), 400, 'invalid_grant');
    });

    test(`${scheme} ${name}: device flow, approved and denied`, async () => {
      const device = await startDevice(client, endpoints);
      expectError(await requestToken(client, endpoints, device.poll), 400, 'authorization_pending');
      await postTest(endpoints, '/device', { user_code: device.user_code, action: 'approve' });
      const token = expectToken(await requestToken(client, endpoints, device.poll));
      assert.equal(token.scope, 'openid offline_access api:read');
      assert.ok(token.id_token);
      assert.ok(token.refresh_token);

      const denied = await startDevice(client, endpoints);
      await postTest(endpoints, '/device', { user_code: denied.user_code, action: 'deny' });
      expectError(await requestToken(client, endpoints, denied.poll), 400, 'access_denied');
    });
  }
}

// ---- details tests depend on, on one port

const plain = ready.http;

test('an assertion is accepted for the issuer or the token endpoint, and once', async () => {
  const client = clients.private_key_jwt_ES256;
  const fields = { grant_type: 'client_credentials' };
  for (const aud of [plain.issuer, plain.token_endpoint, ['https://other.example', plain.issuer]]) {
    expectToken(await requestToken(client, plain, fields, { aud }));
  }
  for (const aud of ['https://other.example', `${plain.issuer}/`, ready.https.issuer]) {
    expectError(await requestToken(client, plain, fields, { aud }), 401, 'invalid_client');
  }
  const [form] = await prove(client, plain, fields);
  expectToken(await postForm(plain.token_endpoint, form));
  expectError(await postForm(plain.token_endpoint, form), 401, 'invalid_client');
});

test('an assertion must have the algorithm its client is registered with', async () => {
  for (const [name, alg] of [
    ['private_key_jwt_RS256', 'PS256'], ['private_key_jwt_PS384', 'PS512'],
    ['client_secret_jwt_HS256', 'HS512'], ['private_key_jwt_EdDSA', 'Ed25519'],
  ]) {
    const client = clients[name];
    const key = client.keys
      ? await importPKCS8(await readFile(client.keys.pkcs8, 'utf8'), alg)
      : Buffer.from(client.client_secret);
    expectError(await requestToken(client, plain, { grant_type: 'client_credentials' }, { alg, key }),
      401, 'invalid_client');
  }
});

test('Basic credentials that are not form-encoded are refused', async () => {
  const { client_id: id, client_secret: secret } = clients.client_secret_basic;
  const response = await postForm(plain.token_endpoint, { grant_type: 'client_credentials' },
    { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` });
  expectError(response, 401, 'invalid_client');
});

test('a scope no client may have is refused', async () => {
  const client = clients.client_secret_post;
  expectError(await requestToken(client, plain,
    { grant_type: 'client_credentials', scope: 'api:admin' }), 400, 'invalid_scope');
  expectError(await requestToken(client, plain,
    { grant_type: 'password', scope: 'api:admin', ...ready.account }), 400, 'invalid_scope');
});

test('the public client has no grant for machines', async () => {
  for (const grant_type of ['client_credentials', 'password', JWT_BEARER_GRANT]) {
    expectError(await requestToken(clients.none, plain, { grant_type }), 400, 'invalid_request');
  }
});

test('without offline_access there is no refresh token', async () => {
  const fields = await mintCode(clients.none, plain, { scope: 'openid' });
  const token = expectToken(await requestToken(clients.none, plain, fields));
  assert.equal(token.refresh_token, undefined);
  assert.ok(token.id_token);
});

test('a revoked token is inactive', async () => {
  const client = clients.client_secret_post;
  const token = expectToken(await requestToken(client, plain, { grant_type: 'client_credentials' }));
  assert.equal((await introspect(client, plain, token.access_token)).active, true);
  const response = await postForm(plain.revocation_endpoint,
    ...await prove(client, plain, { token: token.access_token }));
  assert.equal(response.status, 200);
  assert.deepEqual(await introspect(client, plain, token.access_token), { active: false });
});

test('recorded requests are what was sent, and are handed out once', async () => {
  const take = async (query = '') => (await send(`${plain.test}/requests${query}`)).body;
  await take();
  const body = 'grant_type=client_credentials&x=%C3%A9+%2B';
  await send(`${plain.token_endpoint}?q=1`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-probe': 'yes' },
    body,
  });
  const requests = await take();
  assert.equal(requests.length, 1);
  assert.deepEqual([requests[0].method, requests[0].path, requests[0].body], ['POST', '/token', body]);
  assert.equal(requests[0].headers['x-probe'], 'yes');
  assert.deepEqual(await take(), []);

  await take('?path=/device/auth');
  await startDevice(clients.none, plain);
  const [device] = await take('?path=/device/auth');
  assert.equal(new URLSearchParams(device.body).get('client_id'), 'none');
});

test('test routes refuse what the provider would not have done', async () => {
  const post = (route, body) => send(`${plain.test}${route}`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
  });
  const request = { client_id: 'none', redirect_uri: REDIRECT_URI, scope: 'openid' };
  assert.equal((await post('/code', request)).status, 200);
  for (const wrong of [
    { client_id: 'unknown' }, { redirect_uri: 'http://127.0.0.1/elsewhere' }, { scope: 'api:admin' },
  ]) {
    assert.equal((await post('/code', { ...request, ...wrong })).status, 400);
  }
  const { user_code } = await startDevice(clients.none, plain);
  assert.equal((await post('/device', { user_code: 'BBBB-BBBB', action: 'approve' })).status, 400);
  assert.equal((await post('/device', { user_code, action: 'guess' })).status, 400);
  assert.equal((await post('/device', { user_code: user_code.toLowerCase(), action: 'deny' })).status, 200);
});

test('the native client is told an interval, and punished when it was asked to slow down', async () => {
  const start = async (name) => (await postForm(plain.device_authorization_endpoint,
    { client_id: name, scope: 'openid' })).body;
  assert.equal((await start('none')).interval, undefined);
  const { interval, device_code, user_code } = await start('native');
  assert.equal(interval, 1);
  const poll = () => requestToken(clients.native, plain, { grant_type: DEVICE_GRANT, device_code });
  expectError(await poll(), 400, 'authorization_pending');
  await postTest(plain, '/device', { user_code, action: 'slow_down' });
  await postTest(plain, '/device', { user_code, action: 'approve' });
  expectError(await poll(), 400, 'slow_down');
  await setTimeout(3000);
  expectError(await poll(), 400, 'slow_down');
  await setTimeout(6000);
  expectToken(await poll());
});

// A browser in short: it keeps cookies, follows redirects to the server and submits its forms. Resolves to
// the answer of an authorization request and the way it came back.
async function signIn(parameters, { login = 'carol', deny = false } = {}) {
  const cookies = new Map();
  const visit = async (url, form) => {
    const response = await send(url, {
      method: form ? 'POST' : 'GET',
      headers: {
        accept: 'text/html',
        cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
        ...(form && { 'content-type': 'application/x-www-form-urlencoded' }),
      },
      body: form && new URLSearchParams(form).toString(),
    });
    for (const cookie of response.headers['set-cookie'] ?? []) {
      const [name, value] = cookie.split(';')[0].split('=');
      cookies.set(name, value);
    }
    const { location } = response.headers;
    if (!location) return { url, page: response.body };
    return location.startsWith(REDIRECT_URI) ? { url: location } : visit(new URL(location, url).href);
  };
  const submit = ({ url, page }, fields) => {
    const action = new URL(page.match(/<form[^>]* action="([^"]+)"/)[1], url).href;
    const prompt = page.match(/name="prompt" value="(\w+)"/)[1];
    return visit(action, { prompt, ...fields });
  };
  const answer = ({ url, page }) => {
    if (page) {
      assert.ok(page.includes(`<form method="post" action="${REDIRECT_URI}">`), page);
      const fields = page.matchAll(/name="(\w+)" value="([^"]*)"/g);
      return { mode: 'form_post', ...Object.fromEntries([...fields].map(([, name, value]) => [name, value])) };
    }
    const { search, hash } = new URL(url);
    const mode = hash ? 'fragment' : 'query';
    return { mode, ...Object.fromEntries(new URLSearchParams((hash || search).slice(1))) };
  };

  const first = await visit(`${plain.authorization_endpoint}?${new URLSearchParams({
    client_id: 'native', redirect_uri: REDIRECT_URI, prompt: 'consent', scope: 'openid', state: 's t+1',
    nonce: 'n-1', code_challenge: codeChallenge, code_challenge_method: 'S256', ...parameters,
  })}`);
  if (!first.page?.includes('name="login"')) return answer(first);
  const consent = await submit(first, { login, password: 'any' });
  if (!deny) return answer(await submit(consent, {}));
  return answer(await visit(new URL(consent.page.match(/href="([^"]+\/abort)"/)[1], consent.url).href));
}

test('the interactive pages lead to a code for the name that was entered', async () => {
  const answer = await signIn({ response_type: 'code', scope: 'openid offline_access api:read' });
  assert.deepEqual([answer.mode, answer.state, answer.iss], ['query', 's t+1', plain.issuer]);
  const token = expectToken(await requestToken(clients.native, plain, {
    grant_type: 'authorization_code', code: answer.code, redirect_uri: REDIRECT_URI,
    code_verifier: codeVerifier,
  }));
  const { body: jwks } = await send(plain.jwks_uri);
  const { payload } = await jwtVerify(token.id_token, createLocalJWKSet(jwks));
  assert.deepEqual([payload.sub, payload.nonce], ['carol', 'n-1']);
  assert.ok(token.refresh_token);
});

for (const response_type of [
  'code', 'id_token', 'id_token token', 'code id_token', 'code token', 'code id_token token',
]) {
  test(`response type ${response_type}: in the default mode, by form_post, and without query`, async () => {
    const types = response_type.split(' ');
    for (const response_mode of [undefined, 'fragment', 'form_post']) {
      const answer = await signIn({ response_type, ...(response_mode && { response_mode }) });
      assert.equal(answer.mode, response_mode ?? (response_type === 'code' ? 'query' : 'fragment'));
      // An ID token says itself who issued it, and then the provider leaves iss out (RFC 9207 section 2.4).
      const iss = types.includes('id_token') ? undefined : plain.issuer;
      assert.deepEqual([answer.state, answer.iss], ['s t+1', iss]);
      assert.deepEqual(['code', 'id_token', 'access_token'].filter((name) => name in answer),
        ['code', 'id_token', 'token'].filter((name) => types.includes(name))
          .map((name) => (name === 'token' ? 'access_token' : name)));
    }
    // An access token in a query would end up in logs and in the history (OAuth 2.0 Multiple Response Types, 3).
    if (response_type !== 'code') {
      assert.equal((await signIn({ response_type, response_mode: 'query' })).error, 'invalid_request');
    }
  });
}

test('response types that are off are refused', async () => {
  for (const response_type of ['token', 'none']) {
    assert.equal((await signIn({ response_type })).error, 'unsupported_response_type');
  }
});

test('a person can refuse, in every mode', async () => {
  for (const response_mode of ['query', 'fragment', 'form_post']) {
    const answer = await signIn({ response_type: 'code', response_mode }, { deny: true });
    assert.deepEqual([answer.mode, answer.error, answer.state, answer.iss],
      [response_mode, 'access_denied', 's t+1', plain.issuer]);
  }
});

test('a native client must use PKCE, with S256', async () => {
  for (const wrong of [{ code_challenge: '', code_challenge_method: '' }, { code_challenge_method: 'plain' }]) {
    assert.equal((await signIn({ response_type: 'code', ...wrong })).error, 'invalid_request');
  }
});

test('the discovery document tells of iss in answers and of what native clients use', async () => {
  const { body } = await send(plain.discovery);
  assert.equal(body.authorization_response_iss_parameter_supported, true);
  assert.deepEqual(body.response_types_supported.toSorted(), [
    'code', 'code id_token', 'code id_token token', 'code token', 'id_token', 'id_token token',
  ]);
  for (const mode of ['query', 'fragment', 'form_post']) assert.ok(body.response_modes_supported.includes(mode));
  assert.deepEqual(body.code_challenge_methods_supported, ['S256']);
});

// ---- life and death

// Starts a second server, ends it in the given way and resolves to how it ended.
async function endAnother(t, end) {
  const other = await startServer();
  t.after(async () => {
    other.child.kill('SIGKILL');
    await removeDir(other);
  });
  const ended = once(other.child, 'exit', { signal: AbortSignal.timeout(10_000) });
  await end(other);
  assert.deepEqual(await ended, [0, null], 'exit code and signal');
  return other;
}

test('the server ends when its stdin closes, having printed one line', async (t) => {
  const other = await endAnother(t, async ({ child, ready: { http: endpoints } }) => {
    // The provider writes a notice when this page is shown; it must not reach stdout.
    const page = await send(`${endpoints.issuer}/device`, { headers: { accept: 'text/html' } });
    assert.equal(page.status, 200);
    child.stdin.end();
  });
  assert.equal(other.lines.length, 1);
  assert.ok((await stat(other.ready.ca)).isFile(), 'its files stay');
});

test('the server ends on SIGTERM', { skip: process.platform === 'win32' }, async (t) => {
  await endAnother(t, ({ child }) => child.kill('SIGTERM'));
});
