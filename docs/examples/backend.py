# ruff: noqa: INP001 - a page of the documentation, no package
"""A hospital's software asks for a token with its own key and searches what it has published.

Run: python backend.py <FHIR endpoint> <client id> <private JWK file> <patient id>
Needs: joserfc, which the server's own environment (.venv) has.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen
from uuid import uuid4

from joserfc import jwt
from joserfc.jwk import ECKey

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def token(fhir: str, client_id: str, key: ECKey) -> str:
    """Return an access token for five minutes."""
    where = str(asked(f"{fhir}/.well-known/smart-configuration")["token_endpoint"])
    claims = {"iss": client_id, "sub": client_id, "aud": where, "exp": int(time.time()) + 240, "jti": str(uuid4())}
    header = {"alg": "ES384", "kid": key.kid, "typ": "JWT"}
    form = {
        "grant_type": "client_credentials",
        "scope": "system/DocumentReference.crus",
        "client_assertion_type": ASSERTION,
        "client_assertion": jwt.encode(header, claims, key, algorithms=["ES384"]),
    }
    return str(asked(where, data=urlencode(form).encode())["access_token"])


def asked(url: str, token: str = "", data: bytes | None = None) -> dict[str, Any]:
    """Ask the server; return the JSON that it answers."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urlopen(Request(url, data, headers), timeout=10) as answer:  # noqa: S310 - the address that the caller gave
        found: dict[str, Any] = json.load(answer)
        return found


def main(fhir: str, client_id: str, key_file: str, patient: str) -> None:
    """Print how many documents a search finds."""
    key = ECKey.import_key(json.loads(Path(key_file).read_text()))
    found = asked(f"{fhir}/DocumentReference?patient={patient}", token(fhir, client_id, key))
    print(found["resourceType"], found.get("total", 0), "documents")  # noqa: T201 - an example prints


if __name__ == "__main__":
    main(*sys.argv[1:])
