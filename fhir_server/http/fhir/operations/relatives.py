"""Relatives by invitation, as operations on Patient: a carer or a second parent is named, and joins by a code.

Codes travel in bodies only, never in a URL: URLs are logged and kept.
Source: docs/operations.md; rules B4 and B13; docs/adr/0145-relatives-by-invitation.md.
"""

from datetime import datetime

from flask import Response

from consent_rules.vocabulary import DirectiveKind, PatientId
from fhir_server.application.consents import relatives
from fhir_server.application.consents.relatives import Wish
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity.accounts import find_by_person
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.search import dates
from fhir_server.http.fhir import negotiation
from fhir_server.http.fhir.operations.model import Arguments, Operation, Parameter, outputs, parameters

_INVITED = {"carer": DirectiveKind.CARER, "representative": DirectiveKind.REPRESENTATIVE}
_FAULT = "Parameters.parameter"


def _invite(runtime: Runtime, caller: Caller, id_: str, given: Arguments) -> Response:
    kind = _INVITED.get(str(given.get("as", "carer")))
    if kind is None:
        raise Problem(Category.INVALID, Issue("`as` is `carer` or `representative`", _FAULT, "value"))
    wish = Wish(kind, str(given["name"]), _instant(given.get("until")), frozenset(given.get("class", ())) or None)
    made = relatives.invite(runtime, caller, PatientId(id_), wish)
    codes, consent = [{"name": "code", "valueString": made.code}], {"reference": f"Consent/{made.consent}"}
    return negotiation.fhir_response(parameters(codes=codes, consent=consent, until=made.until))


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return dates.instant_of(dates.interval_of(text)[0])
    except ValueError as problem:
        raise Problem(Category.INVALID, Issue("`until` takes an instant", _FAULT, "value")) from problem


def _accept(runtime: Runtime, caller: Caller, _id: str, given: Arguments) -> Response:
    found = find_by_person(runtime, caller.requester.person) if caller.requester.person else ()
    if len(found) != 1:
        raise Problem.of(Category.FORBIDDEN, "you may not call this operation", code="not-entitled")
    joined = relatives.accept(runtime, caller, found[0], str(given["code"]))
    patient, person = {"reference": f"Patient/{joined.patient}"}, {"reference": joined.person}
    return negotiation.fhir_response(parameters(patient=patient, person=person))


OPERATIONS = (
    Operation(
        "invite-relative",
        "Patient",
        "Name a carer or a second parent, who joins by a code",
        "Records a RelatedPerson and the choice that names it, and makes a code. Whoever is given the code types it "
        "while signed in with their own account, which then acts for this patient. A carer acts until `until`, with "
        "the documents of the classes named, and may name nobody (B13). A legal representative of a minor invites "
        "the second one (B4). For the patient and the legal representatives.",
        _invite,
        (
            Parameter("name", "string", "the name of the person, for those who read the list", required=True),
            Parameter("as", "code", "`carer`, or `representative` of a minor; `carer` when left out"),
            Parameter("until", "instant", "when a carer stops to act; required for a carer"),
            Parameter("class", "code", "a class of documents that a carer sees; all when none is named", repeats=True),
        ),
        outputs(("code", "string"), ("consent", "Reference"), ("until", "dateTime")),
    ),
    Operation(
        "accept-invitation",
        "Patient",
        "Act for a patient who has invited you",
        "For the person whose token it is: the account acts for the patient from now on. A code that is wrong, was "
        "used, has expired or is for oneself gets one answer. After too many vain attempts every code is refused for "
        "a while.",
        _accept,
        (Parameter("code", "string", "the code, with or without its hyphens", required=True),),
        outputs(("patient", "Reference"), ("person", "Reference")),
        instance=False,
    ),
)
