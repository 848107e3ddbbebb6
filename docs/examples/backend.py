# ruff: noqa: INP001 - a page of the documentation, no package
"""A hospital's software asks for a token with its own key and searches what it has published.

Run: python backend.py <FHIR endpoint> <client id> <private JWK file> <patient id>
Needs: requests, joserfc.
"""

import json
import sys
import time
from pathlib import Path
from uuid import uuid4

import requests
from joserfc import jwt
from joserfc.jwk import ECKey

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def token(fhir: str, client_id: str, key: ECKey) -> str:
    """Return an access token for five minutes."""
    found = requests.get(f"{fhir}/.well-known/smart-configuration", timeout=10).json()
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": found["token_endpoint"],
        "exp": int(time.time()) + 240,
        "jti": str(uuid4()),
    }
    header = {"alg": "ES384", "kid": key.kid, "typ": "JWT"}
    form = {
        "grant_type": "client_credentials",
        "scope": "system/DocumentReference.crus",
        "client_assertion_type": ASSERTION,
        "client_assertion": jwt.encode(header, claims, key, algorithms=["ES384"]),
    }
    answer = requests.post(found["token_endpoint"], data=form, timeout=10)
    answer.raise_for_status()
    return str(answer.json()["access_token"])


def main(fhir: str, client_id: str, key_file: str, patient: str) -> None:
    """Print how the server answers a search, and how many documents it found."""
    key = ECKey.import_key(json.loads(Path(key_file).read_text()))
    headers = {"Authorization": f"Bearer {token(fhir, client_id, key)}"}
    answer = requests.get(f"{fhir}/DocumentReference", {"patient": patient}, headers=headers, timeout=10)
    found = answer.json()
    print(answer.status_code, found["resourceType"], found.get("total", 0), "documents")  # noqa: T201 - an example prints


if __name__ == "__main__":
    main(*sys.argv[1:])
