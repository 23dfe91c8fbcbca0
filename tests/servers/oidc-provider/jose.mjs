// Signs and verifies with npm jose, which TokenKit's authors did not write.
//
//   node jose.mjs < jobs.json
//
// stdin: an array of jobs; stdout: an array with the result of each, a text.
//   { "sign": { "alg", "jwk" or "secret", "claims", "kid" } }            the token
//   { "verify": { "token", "alg", "jwk" or "secret" } }                  "ok", or why not
//   { "thumbprint": { "jwk" } }                                          RFC 7638
import { buffer } from 'node:stream/consumers';

import { calculateJwkThumbprint, importJWK, jwtVerify, SignJWT } from 'jose';

import { publicJwk } from './keys.mjs';

const keyOf = ({ alg, jwk, secret }) => (
  secret === undefined ? importJWK(jwk, alg) : new TextEncoder().encode(secret)
);

const jobs = {
  async sign(job) {
    const header = { alg: job.alg, typ: 'JWT', ...(job.kid && { kid: job.kid }) };
    return new SignJWT(job.claims).setProtectedHeader(header).sign(await keyOf(job));
  },
  async verify(job) {
    try {
      const key = await keyOf({ ...job, jwk: job.jwk && publicJwk(job.jwk) });
      await jwtVerify(job.token, key, { algorithms: [job.alg] });
      return 'ok';
    } catch (error) {
      return `${error.code}: ${error.message}`;
    }
  },
  thumbprint: ({ jwk }) => calculateJwkThumbprint(jwk),
};

const input = JSON.parse((await buffer(process.stdin)).toString('utf8'));
const results = await Promise.all(input.map((job) => {
  const [[name, parameters]] = Object.entries(job);
  return jobs[name](parameters);
}));
process.stdout.write(`${JSON.stringify(results)}\n`);
