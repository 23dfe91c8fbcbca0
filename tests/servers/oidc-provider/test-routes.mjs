// Routes in front of the provider that stand in for the user at a browser, and that show what
// came over the wire. They use the provider's own models, so what they make is what it makes.
import { buffer } from 'node:stream/consumers';

import { errors } from 'oidc-provider';

import { pacePolls } from './device-pace.mjs';
import { checkScope, saveGrant } from './grants.mjs';

const now = () => Math.floor(Date.now() / 1000);

export function testRoutes(provider, account) {
  const recordedPaths = new Set(['token', 'device_authorization', 'introspection', 'revocation']
    .map((name) => provider.pathFor(name)));
  let requests = [];
  const pace = pacePolls(provider);

  async function findClient(clientId) {
    const client = await provider.Client.find(clientId);
    if (!client) throw new errors.InvalidRequest('unknown client_id');
    return client;
  }

  // The result of a successful authorization request: an authorization code for the account.
  async function mintCode(body) {
    const client = await findClient(body.client_id);
    if (!client.redirectUriAllowed(body.redirect_uri)) throw new errors.InvalidRedirectUri();
    checkScope(client, body.scope);
    const code = new provider.AuthorizationCode({
      accountId: account.username,
      authTime: now(),
      client,
      codeChallenge: body.code_challenge,
      codeChallengeMethod: body.code_challenge && 'S256',
      grantId: await saveGrant(provider, client, account.username, body.scope),
      nonce: body.nonce,
      redirectUri: body.redirect_uri,
      scope: body.scope,
    });
    return { code: await code.save() };
  }

  // The user's answer on the verification page of a device flow.
  async function answerDevice({ user_code: userCode, action }) {
    // The code is kept in upper case without the separator it is shown with.
    const kept = String(userCode).toUpperCase().replace(/\W/g, '');
    if (action === 'slow_down') return pace.slowDown(kept);
    const device = await provider.DeviceCode.findByUserCode(kept);
    if (!device) throw new errors.InvalidRequest('unknown user_code');
    if (action === 'approve') {
      const client = await findClient(device.clientId);
      const { scope } = device.params;
      Object.assign(device, {
        accountId: account.username,
        authTime: now(),
        grantId: await saveGrant(provider, client, account.username, scope),
        scope,
      });
    } else if (action === 'deny') {
      Object.assign(device, {
        error: 'access_denied', errorDescription: 'End-User aborted interaction',
      });
    } else {
      throw new errors.InvalidRequest('action must be approve, deny or slow_down');
    }
    await device.save();
    return { action };
  }

  // Hands each recorded request out once; another endpoint's with ?path=, e.g. /device/auth.
  function takeRequests(path) {
    const taken = requests.filter((request) => request.path === path);
    requests = requests.filter((request) => request.path !== path);
    return taken;
  }

  async function record(ctx) {
    const body = await buffer(ctx.req);
    requests.push({
      method: ctx.method,
      path: ctx.path,
      headers: ctx.headers,
      body: body.toString('utf8'),
      time: Date.now(),
    });
    // The stream is used up; the provider takes an already read body from here.
    ctx.req.body = body;
  }

  const json = async (ctx) => JSON.parse((await buffer(ctx.req)).toString('utf8'));
  const routes = {
    'POST /test/code': async (ctx) => mintCode(await json(ctx)),
    'POST /test/device': async (ctx) => answerDevice(await json(ctx)),
    'GET /test/requests': async (ctx) => takeRequests(ctx.query.path ?? provider.pathFor('token')),
  };

  return async (ctx, next) => {
    if (recordedPaths.has(ctx.path)) await record(ctx);
    const route = routes[`${ctx.method} ${ctx.path}`];
    if (!route) return pace.middleware(ctx, next);
    try {
      ctx.body = await route(ctx);
    } catch (error) {
      ctx.status = error.statusCode ?? 400;
      ctx.body = {
        error: error.error ?? 'invalid_request', error_description: error.error_description ?? error.message,
      };
    }
    return undefined;
  };
}
