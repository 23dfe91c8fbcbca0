// One client for each way to authenticate and each signing algorithm, and those a person signs in to.
import { randomText } from './keys.mjs';

const KEY_OF_ALGORITHM = {
  RS256: 'RSA', RS384: 'RSA', RS512: 'RSA',
  PS256: 'RSA', PS384: 'RSA', PS512: 'RSA',
  ES256: 'P-256', ES384: 'P-384', ES512: 'P-521',
  EdDSA: 'Ed25519',
};
const HMAC_ALGORITHMS = ['HS256', 'HS384', 'HS512'];

export const SIGNING_ALGORITHMS = [...HMAC_ALGORITHMS, ...Object.keys(KEY_OF_ALGORITHM)];
export const PASSWORD_GRANT = 'password';
export const JWT_BEARER_GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

const PUBLIC_GRANTS = [
  'authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code',
];
const CONFIDENTIAL_GRANTS = [
  ...PUBLIC_GRANTS, 'client_credentials', PASSWORD_GRANT, JWT_BEARER_GRANT,
];

// Every combination of code, id_token and token that the provider knows.
export const RESPONSE_TYPES = [
  'code', 'id_token', 'id_token token', 'code id_token', 'code token', 'code id_token token',
];
export const NATIVE_CLIENT = 'native';

export const CLIENT_SCOPES = ['openid', 'offline_access', 'profile', 'email', 'api:read'];
// Known to the server and given to no client: asking for it is an invalid_scope error.
export const FORBIDDEN_SCOPE = 'api:admin';

const COMMON = {
  // A native client may name any port in a loopback redirect URI (RFC 8252 section 7.3).
  application_type: 'native',
  redirect_uris: ['127.0.0.1', 'localhost', '[::1]']
    .flatMap((host) => [`http://${host}/`, `http://${host}/callback`, `http://${host}/callback/`]),
  response_types: ['code'],
  scope: CLIENT_SCOPES.join(' '),
};

// Returns name -> { metadata: what the provider registers, ready: what the ready line says }.
export function createClients(clientKeys) {
  const clients = {};
  const add = (name, auth_method, { id = name, alg, secret, key, ...more } = {}) => {
    clients[name] = {
      metadata: {
        ...COMMON,
        client_id: id,
        client_secret: secret,
        grant_types: auth_method === 'none' ? PUBLIC_GRANTS : CONFIDENTIAL_GRANTS,
        token_endpoint_auth_method: auth_method,
        // Pinned: an assertion with another algorithm of the same key must be refused.
        token_endpoint_auth_signing_alg: alg,
        jwks: key && { keys: [key.jwk] },
        ...more,
      },
      ready: {
        client_id: id,
        client_secret: secret,
        auth_method,
        alg,
        keys: key?.keys,
        userinfo_signed_response_alg: more.userinfo_signed_response_alg,
      },
    };
  };

  add('none', 'none');
  // Characters that break a client which skips the form encoding of RFC 6749 section 2.3.1. The
  // grammar of appendix A allows printable ASCII only, and the provider enforces it.
  add('client_secret_basic', 'client_secret_basic', {
    id: 'basic client:+%26&=/?',
    secret: `s e:+%2B&=/?"\\~${randomText(24)}`,
  });
  add('client_secret_post', 'client_secret_post', { secret: `p +%2B&=/${randomText(24)}` });
  for (const alg of HMAC_ALGORITHMS) {
    add(`client_secret_jwt_${alg}`, 'client_secret_jwt', { alg, secret: randomText(64) });
  }
  for (const [alg, family] of Object.entries(KEY_OF_ALGORITHM)) {
    add(`private_key_jwt_${alg}`, 'private_key_jwt', { alg, key: clientKeys[family] });
  }

  // Programs on a person's own machine (RFC 8252): public, so PKCE is required of them.
  const native = { grant_types: [...PUBLIC_GRANTS, 'implicit'], response_types: RESPONSE_TYPES };
  add(NATIVE_CLIENT, 'none', {
    ...native,
    client_name: 'TokenKit tests',
    redirect_uris: [...COMMON.redirect_uris, 'com.example.tokenkit:/callback'],
  });
  add('native_signed_userinfo', 'none', { ...native, userinfo_signed_response_alg: 'ES256' });
  return clients;
}
