// The provider's configuration: everything TokenKit talks to is on, the rest is default.
import { Provider } from 'oidc-provider';

import {
  CLIENT_SCOPES, FORBIDDEN_SCOPE, RESPONSE_TYPES, SIGNING_ALGORITHMS,
} from './clients.mjs';
import { registerGrants } from './grants.mjs';
import { testRoutes } from './test-routes.mjs';

const HOUR = 3600;

// Any login name is an account: the interactive pages accept every name and password.
async function findAccount(_ctx, sub) {
  return {
    accountId: sub,
    claims: async () => ({
      sub,
      name: `Test user ${sub}`,
      preferred_username: sub,
      email: `${sub}@example.com`,
      email_verified: true,
    }),
  };
}

export function createProvider(issuer, { clients, jwks, cookieKeys, account }) {
  const provider = new Provider(issuer, {
    clients: Object.values(clients).map(({ metadata }) => metadata),
    jwks,
    cookies: { keys: cookieKeys },
    scopes: [...CLIENT_SCOPES, FORBIDDEN_SCOPE],
    claims: {
      openid: ['sub'],
      profile: ['name', 'preferred_username'],
      email: ['email', 'email_verified'],
    },
    findAccount,
    enabledJWA: { clientAuthSigningAlgValues: SIGNING_ALGORITHMS },
    features: {
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      introspection: { enabled: true },
      jwtUserinfo: { enabled: true },
      revocation: { enabled: true },
    },
    responseTypes: RESPONSE_TYPES,
    // By default only the tokens of public clients rotate.
    rotateRefreshToken: true,
    ttl: {
      AccessToken: HOUR,
      AuthorizationCode: 60,
      ClientCredentials: 600,
      DeviceCode: 600,
      Grant: 24 * HOUR,
      IdToken: HOUR,
      Interaction: HOUR,
      RefreshToken: 24 * HOUR,
      Session: 24 * HOUR,
    },
  });

  registerGrants(provider, account);
  provider.use(testRoutes(provider, account));

  // The reply tells a client little on purpose; the reason helps whoever reads a failed test.
  provider.on('grant.error', (_ctx, error) => {
    console.error(`${error.error}: ${error.error_description} (${error.error_detail ?? 'no detail'})`);
  });
  provider.on('server_error', (_ctx, error) => console.error(error));
  return provider;
}
