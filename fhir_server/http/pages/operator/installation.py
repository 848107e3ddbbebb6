"""What runs here: version, store, keys and their age, matrix and rules, and the configuration without secrets.

Source: docs/operations.md; docs/adr/0148-operators-in-the-browser.md.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from flask import Response, current_app, make_response, render_template

from fhir_server.domain.audit.interactions import interaction_of
from fhir_server.domain.events.kinds import EventKind
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import page
from fhir_server.http.pages.frame.staff import StaffVisit
from fhir_server.http.pages.operator.state import NO_SCOPES
from fhir_server.http.request_context import runtime
from fhir_server.oauth.base import keys

INSTALLATION = "habilis.installation"
"""Where the web application stores its `Installation`."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What the page knows of the settings.

    told: names and values without secrets. key_file: its date alone is shown.
    """

    told: tuple[tuple[str, str], ...]
    key_file: Path

    def keys_since(self) -> datetime | None:
        """Return when the key file was written last, by `habilis keys create` or `rotate`; None when it is away."""
        try:
            return datetime.fromtimestamp(self.key_file.stat().st_mtime, UTC)
        except OSError:
            return None


@page(Role.OPERATOR, "/installation", NO_SCOPES, interaction_of(EventKind.SIGNING_KEY_ROTATED))
def installation(visit: StaffVisit) -> Response:
    """Show what runs here."""
    installed: Installation = current_app.extensions[INSTALLATION]
    shown = {
        "version": version("habilis"),
        "told": installed.told,
        "keys_since": installed.keys_since(),
        "signing": keys.ages(runtime()),
        "matrix": runtime().matrix.version,
        "rules": runtime().profile.name,
    }
    return make_response(render_template("portal/operator/installation.html", visit=visit, **shown))
