"""The configuration as the operator's page shows it: what is listed here and nothing else, so that no secret is told.

Source: docs/adr/0148-operators-in-the-browser.md; OWASP ASVS 5.0, V13.3 (secrets).
"""

from dataclasses import fields
from pathlib import Path

from fhir_server.settings import limits
from fhir_server.settings.limits import Limits
from fhir_server.settings.server import READER, Settings

TOLD = (
    "base_url",
    "store",
    "demo",
    "rule_profile",
    "accept_inferred_matrix",
    "matrix_dir",
    "wrong_size",
    "withdrawal_status",
    "workers",
    "threads",
    "worker",
    "log_level",
    "registration",
    "throttle_failures",
    "throttle_address_failures",
    "throttle_minutes",
    "throttle_sign_ins",
    "professional_level",
    "metrics_port",
    "webhooks",
    "request_rates",
    "time_zone",
)
"""The settings that an operator sees in a browser, in this order, and then all limits, which are numbers."""


def told(settings: Settings) -> tuple[tuple[str, str], ...]:
    """Return the names of environment variables with their values as text, "" for a value that is not set."""
    known = ((READER.variables[name], getattr(settings, name)) for name in TOLD)
    bounds = ((limits.READER.variables[one.name], getattr(settings.limits, one.name)) for one in fields(Limits))
    return tuple((name, _text(value)) for name, value in (*known, *bounds))


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value.name if isinstance(value, Path) else str(value)
