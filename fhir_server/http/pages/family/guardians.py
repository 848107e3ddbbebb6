"""Who legally represents the patient and what each may do, and what changes when a minor comes of age.

Source: rules B1 to B4 and B11 (docs/rules.md); the ages stand in the rule profile.
"""

from dataclasses import dataclass
from datetime import date

from flask import Response, make_response, render_template
from flask_babel import format_date

from consent_rules.lifecycle import age_at
from consent_rules.vocabulary import DirectiveKind
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.directory.identity_traits import birthday
from fhir_server.domain.values import Interaction
from fhir_server.http.pages.family.choices import READING, choices
from fhir_server.http.pages.frame.asking import find
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import page, portal
from fhir_server.http.pages.frame.visits import Visit
from fhir_server.http.request_context import runtime

_REPRESENTING = frozenset({DirectiveKind.REPRESENTATIVE, DirectiveKind.GUARDIAN})


@dataclass(frozen=True, slots=True)
class ComingOfAge:
    """The days on which something changes for a minor. account: from when they may have an own account.

    majority: from when nobody represents them. has_account: whether the first day has come. decides: whether the rules
    let them decide from that day what each representative sees.
    """

    account: date
    majority: date
    has_account: bool
    decides: bool


@page(Role.PATIENT, "/guardians", f"{READING} patient/Patient.rs", AuditedInteraction(Interaction.SEARCH, "Consent"))
def guardians(visit: Visit) -> Response:
    """Show the legal representatives and, in the space of a minor, the days on which something changes."""
    told, _ = choices(visit)
    named = [one for one in told if one.kind in _REPRESENTING]
    shown = {"visit": visit, "guardians": named, "coming": coming_of_age(visit)}
    return make_response(render_template("portal/family/guardians.html", **shown))


def coming_of_age(visit: Visit) -> ComingOfAge | None:
    """Return what changes and when for the patient in view; None for an adult or an unknown birth date.

    Raises: Problem, as a search for the Patient.
    """
    found = find(visit.caller, "Patient", [("_id", visit.patient)]).resources
    born, profile = _born(str(found[0].get("birthDate", "")) if found else ""), runtime().profile
    today = runtime().now().date()
    age = age_at(born, today)
    account, majority = (birthday(born, years) for years in (profile.own_account_age, profile.majority_age))
    if age is None or account is None or majority is None or age >= profile.majority_age:
        return None
    return ComingOfAge(account, majority, account <= today, profile.minor_limits_representatives)


@portal.app_template_filter("birthday")
def _in_words(day: date) -> str:
    """Write a day without a time, in the language of the page."""
    return str(format_date(day, "d MMMM y"))


def _born(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
