"""The only module here that knows names of the product: adapt it alone when they change.

It starts the seeded demonstration in process, and reads the events of the store that no search over HTTP shows.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Flask

from fhir_server.adapters import opening
from fhir_server.app import build_runtime, create_app
from fhir_server.settings.server import Settings
from seed import enrolment
from seed.book import Demonstration
from seed.loading import load_demonstration
from tests.factories import all_of
from tests.golden.frozen import freeze
from tests.oauth import steps
from tests.scenarios.server_worlds import HttpWorld

Json = dict[str, Any]
BASE = "http://localhost:8080"
REGISTRATION = "golden-initial-token"


@dataclass
class Server:
    """The demonstration. book: what demo.json holds: ids, tokens, logins and keys, each by a name."""

    app: Flask
    folder: Path
    book: Json
    demo: Demonstration
    runtime: Any

    def events_of_nobody(self) -> Iterator[Json]:
        """Yield the events that belong to no patient's space, oldest first: sign-ins, clients, the directory."""
        after = None
        with self.runtime.ports.store.snapshot() as snapshot:
            while True:
                search = steps.Search("AuditEvent", sort="date", descending=False, limit=200, after=after)
                page = snapshot.find(search, all_of(""))
                yield from (json.loads(row.body) for row in page.rows)
                after = page.next
                if after is None:
                    return

    def fresh_tokens(self) -> dict[str, str]:
        """Return new tokens by name, whatever ended those before, and let the pages of the demonstration use them."""
        enrolment.mint_tokens(self.runtime, self.demo)
        self.demo.save(self.folder)
        return dict(self.demo.tokens)

    def token_in_mode(self, who: str) -> str:
        """Return a token for an emergency: "awa+break-glass", "roux+regulation"."""
        return HttpWorld(self.demo, self.runtime, self.app.test_client()).token(who)

    def code_now(self, secret: str, at: int) -> str:
        """Return the code that an app for second factors shows at an instant."""
        return steps.totp.code_at(secret, at)


@contextmanager
def demonstration(folder: Path) -> Iterator[Server]:
    """Serve the demonstration from an empty folder."""
    environment = {
        "HABILIS_DEMO": "yes",
        "HABILIS_DATA_DIR": str(folder),
        "HABILIS_BASE_URL": BASE,
        "HABILIS_LOG_LEVEL": "ERROR",
        "HABILIS_REQUEST_RATES": "no",
        "HABILIS_REGISTRATION": "yes",
        "HABILIS_REGISTRATION_TOKENS": sha256(REGISTRATION.encode()).hexdigest(),
    }
    settings = Settings.from_environment(environment)
    freeze()
    opening.create_keys(settings.key_file)
    runtime = build_runtime(settings)
    demo = load_demonstration(runtime, folder)
    book = json.loads((folder / "demo.json").read_bytes())
    app = create_app(settings, runtime)
    freeze()
    try:
        yield Server(app, folder, book, demo, runtime)
    finally:
        runtime.ports.store.close()
