// The two grants oidc-provider leaves to its user: password (RFC 6749 section 4.3) and JWT
// bearer (RFC 7523 section 2.1). Client authentication has been done when a handler is called.
import { createLocalJWKSet, jwtVerify } from 'jose';
import { errors } from 'oidc-provider';

import { JWT_BEARER_GRANT, PASSWORD_GRANT } from './clients.mjs';

export function checkScope(client, scope) {
  const allowed = client.scope.split(' ');
  const refused = scope?.split(' ').find((each) => !allowed.includes(each));
  if (refused !== undefined) {
    throw new errors.InvalidScope('requested scope is not allowed', refused);
  }
}

export async function saveGrant(provider, client, accountId, scope) {
  const grant = new provider.Grant({ accountId, clientId: client.clientId });
  if (scope) grant.addOIDCScope(scope);
  return grant.save();
}

function required(ctx, ...names) {
  for (const name of names) {
    if (!ctx.oidc.params[name]) {
      throw new errors.InvalidRequest(`missing required parameter '${name}'`);
    }
  }
}

async function issueTokens(provider, ctx, accountId, gty, { withRefreshToken }) {
  const { client, params: { scope } } = ctx.oidc;
  checkScope(client, scope);
  const grantId = await saveGrant(provider, client, accountId, scope);
  const source = { accountId, client, grantId, gty, scope };

  const accessToken = new provider.AccessToken(source);
  ctx.body = {
    access_token: await accessToken.save(),
    token_type: accessToken.tokenType,
    expires_in: accessToken.expiration,
    scope,
  };
  if (withRefreshToken && accessToken.scopes.has('offline_access')) {
    ctx.body.refresh_token = await new provider.RefreshToken({ ...source, rotations: 0 }).save();
  }
}

function passwordGrant(provider, account) {
  return async (ctx) => {
    required(ctx, 'username', 'password');
    const { username, password } = ctx.oidc.params;
    if (username !== account.username || password !== account.password) {
      throw new errors.InvalidGrant('wrong user name or password');
    }
    await issueTokens(provider, ctx, username, 'password', { withRefreshToken: true });
  };
}

function jwtBearerGrant(provider) {
  return async (ctx) => {
    required(ctx, 'assertion');
    const { client } = ctx.oidc;
    const key = client.jwks ? createLocalJWKSet(client.jwks) : Buffer.from(client.clientSecret);
    const algorithms = client.tokenEndpointAuthSigningAlg
      ? [client.tokenEndpointAuthSigningAlg]
      : ['HS256', 'HS384', 'HS512'];

    let payload;
    try {
      ({ payload } = await jwtVerify(ctx.oidc.params.assertion, key, {
        algorithms,
        audience: [provider.issuer, provider.urlFor('token')],
        issuer: client.clientId,
        requiredClaims: ['exp', 'sub'],
        clockTolerance: 15,
      }));
    } catch (cause) {
      throw new errors.InvalidGrant({ detail: cause.message, cause });
    }
    // No refresh token: the client can sign another assertion (RFC 7521 section 4.1).
    await issueTokens(provider, ctx, payload.sub, 'jwt_bearer', { withRefreshToken: false });
  };
}

export function registerGrants(provider, account) {
  provider.registerGrantType(PASSWORD_GRANT, passwordGrant(provider, account),
    ['username', 'password', 'scope']);
  provider.registerGrantType(JWT_BEARER_GRANT, jwtBearerGrant(provider), ['assertion', 'scope']);
}
