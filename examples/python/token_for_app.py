"""Gets a token for an application: token_for_app.py <library> <token endpoint> <client id>; the secret is in CLIENT_SECRET."""

import os
import sys

import tokenkit

path, endpoint, client_id = sys.argv[1:]
library = tokenkit.load(path)
request = {
    "endpoint": endpoint,
    "client_id": client_id,
    "authentication": {"method": "client_secret_basic", "secret": os.environ["CLIENT_SECRET"]},
    "grant": {"type": "client_credentials"},
    "scope": "api.read",
}
with tokenkit.Client(library) as client:
    try:
        token = client.token(request)
    except tokenkit.TokenKitError as error:
        sys.exit(f"{error.detail['code']}: {error}")
print(f"{token['token_type']} token for {token['expires_in']} seconds")
