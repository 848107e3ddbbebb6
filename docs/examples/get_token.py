# ruff: noqa: INP001 - a page of the documentation, no package
"""Software asks for an access token with its own key, and prints it; it is good for five minutes.

Run: python get_token.py <FHIR endpoint> <client id> <private JWK file> "<scopes>"
Needs: joserfc, which the server's own environment has.
"""

import json
import sys
import time
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen
from uuid import uuid4

from joserfc import jwt
from joserfc.jwk import ECKey

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def main(fhir: str, client_id: str, key_file: str, scopes: str) -> None:
    """Print a token."""
    with urlopen(f"{fhir}/.well-known/smart-configuration", timeout=10) as answer:  # noqa: S310 - the address given
        where = str(json.load(answer)["token_endpoint"])
    key = ECKey.import_key(json.loads(Path(key_file).read_text()))
    claims = {"iss": client_id, "sub": client_id, "aud": where, "exp": int(time.time()) + 240, "jti": str(uuid4())}
    form = {
        "grant_type": "client_credentials",
        "scope": scopes,
        "client_assertion_type": ASSERTION,
        "client_assertion": jwt.encode({"alg": "ES384", "kid": key.kid}, claims, key, algorithms=["ES384"]),
    }
    with urlopen(where, urlencode(form).encode(), timeout=10) as answer:  # noqa: S310 - what the server names
        print(json.load(answer)["access_token"])  # noqa: T201 - an example prints


if __name__ == "__main__":
    main(*sys.argv[1:])
