// Keys and certificates, made anew for each run and written to files, so that no private key
// is ever part of the repository.
import { execFile } from 'node:child_process';
import { generateKeyPair, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { calculateJwkThumbprint } from 'jose';

const generate = promisify(generateKeyPair);
const run = promisify(execFile);

export const randomText = (bytes) => randomBytes(bytes).toString('base64url');

const PARAMETERS = {
  RSA: ['rsa', { modulusLength: 2048 }],
  'P-256': ['ec', { namedCurve: 'P-256' }],
  'P-384': ['ec', { namedCurve: 'P-384' }],
  'P-521': ['ec', { namedCurve: 'P-521' }],
  Ed25519: ['ed25519', {}],
};

// A configuration of our own: the system's default one differs between distributions and would
// add extensions that clash with these.
const OPENSSL_CONFIG = `
[req]
prompt = no
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
subjectKeyIdentifier = hash
`;

// Passwords travel in the environment: arguments can be read by every user of the machine.
function openssl(args, password) {
  return run('openssl', args, { env: { ...process.env, PFX_PASSWORD: password ?? '' } });
}

async function privateJwk(privateKey) {
  const jwk = privateKey.export({ format: 'jwk' });
  return { ...jwk, kid: await calculateJwkThumbprint(jwk), use: 'sig' };
}

export function publicJwk({ d, p, q, dp, dq, qi, ...rest }) {
  return rest;
}

async function certificate(config, { key, out, subject, section, issuer }) {
  await openssl([
    'req', '-x509', '-new', '-config', config, '-extensions', section,
    '-key', key, '-subj', `/CN=${subject}`, '-days', '30', '-out', out,
    ...(issuer ? ['-CA', issuer.certificate, '-CAkey', issuer.key] : []),
  ]);
  return out;
}

// One client key in every form a user may have it in.
async function clientKey(dir, config, name) {
  const file = (suffix) => join(dir, `client-${name.toLowerCase()}${suffix}`);
  const { privateKey } = await generate(...PARAMETERS[name]);
  const password = randomText(18);
  const jwk = await privateJwk(privateKey);

  const forms = {
    pkcs8: [file('.pkcs8.pem'), { type: 'pkcs8', format: 'pem' }],
    encrypted_pkcs8: [file('.encrypted.pem'),
      { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: password }],
    der: [file('.pkcs8.der'), { type: 'pkcs8', format: 'der' }],
  };
  if (jwk.kty === 'RSA') forms.pkcs1 = [file('.pkcs1.pem'), { type: 'pkcs1', format: 'pem' }];
  if (jwk.kty === 'EC') forms.sec1 = [file('.sec1.pem'), { type: 'sec1', format: 'pem' }];

  const keys = { kid: jwk.kid, password, jwk: file('.jwk.json') };
  await Promise.all([
    writeFile(keys.jwk, JSON.stringify(jwk, null, 2)),
    ...Object.entries(forms).map(([form, [path, encoding]]) => {
      keys[form] = path;
      return writeFile(path, privateKey.export(encoding));
    }),
  ]);

  if (jwk.kty !== 'OKP') {
    keys.certificate = await certificate(config, {
      key: keys.pkcs8, out: file('.certificate.pem'), subject: `client-${name}`, section: 'client',
    });
    const pfx = async (out, ...encryption) => {
      await openssl(['pkcs12', '-export', '-inkey', keys.pkcs8, '-in', keys.certificate,
        '-passout', 'env:PFX_PASSWORD', '-out', out, ...encryption], password);
      return out;
    };
    // Windows before Server 2019 writes PFX files the old way; these must be readable, too.
    const legacy = ['-certpbe', 'PBE-SHA1-3DES', '-keypbe', 'PBE-SHA1-3DES', '-macalg', 'sha1'];
    [keys.pfx, keys.pfx_legacy] = await Promise.all([
      pfx(file('.pfx')),
      jwk.kty === 'RSA' ? pfx(file('.legacy.pfx'), ...legacy) : undefined,
    ]);
  }
  return { keys, jwk: publicJwk(jwk) };
}

// The client keys by family: { RSA: { keys: {<form>: <path>}, jwk: <public JWK> }, … }.
export async function createClientKeys(dir, config) {
  const entries = await Promise.all(Object.keys(PARAMETERS)
    .map(async (name) => [name, await clientKey(dir, config, name)]));
  return Object.fromEntries(entries);
}

// Two keys, so that whoever verifies an ID token has to choose by kid.
export async function createProviderKeys() {
  const pairs = await Promise.all([generate(...PARAMETERS.RSA), generate(...PARAMETERS['P-256'])]);
  return { keys: await Promise.all(pairs.map(({ privateKey }) => privateJwk(privateKey))) };
}

// A private CA, a server certificate from it, and a second CA that issued nothing.
export async function createTlsFiles(dir, config) {
  const create = async (name, subject, section, issuer) => {
    const key = join(dir, `${name}.key.pem`);
    const { privateKey } = await generate(...PARAMETERS['P-256']);
    await writeFile(key, privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const out = join(dir, `${name}.pem`);
    return { key, certificate: await certificate(config, { key, out, subject, section, issuer }) };
  };
  const [wrongCa, { ca, server }] = await Promise.all([
    create('wrong-ca', 'TokenKit tests wrong CA', 'ca'),
    (async () => {
      const issuer = await create('ca', 'TokenKit tests CA', 'ca');
      return { ca: issuer, server: await create('server', 'localhost', 'server', issuer) };
    })(),
  ]);
  return { ca: ca.certificate, wrongCa: wrongCa.certificate, server };
}

export async function writeOpensslConfig(dir) {
  const path = join(dir, 'openssl.cnf');
  await writeFile(path, OPENSSL_CONFIG);
  return path;
}
