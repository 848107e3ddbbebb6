"""The accessibility declaration, which the foot of every page mentions.

No audit against the 106 criteria of RGAA has been made, so the page says so: a rate without an audit would be untrue.
Source: RGAA 4.1.2; decree no. 2019-768, articles 4 and 5; docs/portal.md.
"""

from dataclasses import dataclass
from datetime import date

from flask import Response, make_response, render_template

from fhir_server.http.pages.base import site


@dataclass(frozen=True, slots=True)
class Audit:
    """An audit of the pages. met, applicable: criteria of RGAA. on: the day."""

    met: int
    applicable: int
    on: date

    @property
    def rate(self) -> int:
        """The rate of conformance in per cent, rounded down."""
        return 100 * self.met // self.applicable


AUDIT: Audit | None = None
"""The last audit; None while there was none."""


@site.get("/accessibility")
def accessibility() -> Response:
    """Show the declaration."""
    return make_response(render_template("pages/accessibility.html", audit=AUDIT))
