"""The defaults of a new space, as Consents of their own, and their status after the patient makes a choice.

A default in force states the rule that applies without any choice. While a choice in another form says otherwise, the
default is set aside; later it is in force again. So no two Consents of a space contradict each other.

Source: CH EPR PPQm 5.0, templates 202 and 203 (http://fhir.ch/ig/ch-epr-fhir/); rules E12, G4 and G5.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from consent_rules.model import Directive
from consent_rules.vocabulary import DirectiveKind, PatientId
from fhir_server.domain.bodies import instant
from fhir_server.domain.consents.elements import EMERGENCIES
from fhir_server.domain.consents.ppqm import DEFAULTS, default_of, is_at_default, plain_rule, template_of
from fhir_server.domain.values import Json

SET_ASIDE = "rejected"
"""Status of a default while a contradicting choice is in force; no caller may set this status."""


def born(patient: PatientId, ids: Iterable[str], at: datetime) -> Iterator[tuple[str, Json]]:
    """Yield the defaults of a new space, each under one of the ids; they name no performer, since nobody gave them."""
    for template, id_ in zip(DEFAULTS, ids, strict=False):
        written = default_of(template, {"reference": f"Patient/{patient}"}, f"urn:uuid:{id_}")
        yield id_, written | {"dateTime": instant(at)}


def default_in(consent: Json) -> str:
    """Return the template number of a default, "" for any other Consent."""
    template = template_of(consent)
    return template if template in DEFAULTS else ""


def choices_in(said: Iterable[Directive]) -> frozenset[Directive]:
    """Return the directives about the same matter as a default."""
    return frozenset(one for one in said if any(_says_otherwise(template, one) for template in DEFAULTS))


def contradicting(consent: Json, said: Iterable[Directive], at: datetime) -> frozenset[str]:
    """Return the ids of the choices that would contradict a default if the default were active.

    said: the directives of all other Consents; a directive that has ended does not count.
    """
    template, is_plain = default_in(consent), is_at_default(consent)
    found = (one for one in said if _says_otherwise(template, one) and (one.end is None or at < one.end))
    return frozenset(one.id for one in found if is_plain or one.kind is DirectiveKind.BLOCK)


def settled(consent: Json, said: Iterable[Directive], at: datetime) -> Json:
    """Return a default with its status given all other choices: set aside, in force again, or unchanged.

    A default that the patient had widened comes back at its original level: the patient has to widen it anew.
    """
    if consent["status"] == "active" and contradicting(consent, said, at):
        return consent | {"status": SET_ASIDE}
    if consent["status"] != SET_ASIDE:
        return consent
    again = consent | {"status": "active", "policyRule": plain_rule(default_in(consent))}
    return consent if contradicting(again, said, at) else again


def _says_otherwise(template: str, one: Directive) -> bool:
    """Tell whether a choice is about the matter of a default: emergency modes, or the visibility of new documents."""
    if template == "203":
        return one.kind is DirectiveKind.HIDDEN_BY_DEFAULT
    if one.kind is DirectiveKind.HIDDEN_IN_EMERGENCY:
        return True
    is_for_all = one.kind is DirectiveKind.BLOCK and not one.actors and not one.precision
    return is_for_all and (not one.purposes or not EMERGENCIES.isdisjoint(one.purposes))
