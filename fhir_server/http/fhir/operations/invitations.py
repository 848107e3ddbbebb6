"""What the patient shows, as operations on Patient: a code or a card, and its use by a professional.

Codes and what a card reader has signed travel in bodies only, never in a URL: URLs are logged and kept.
Source: docs/operations.md; statement V1 of docs/rules.md.
"""

from base64 import b64encode
from io import BytesIO

import segno
from flask import Response

from consent_rules.vocabulary import PatientId
from fhir_server.application.consents import card_presence, invitations
from fhir_server.application.consents.entrances import Entrance
from fhir_server.application.consents.invitations import Standing, Wish
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.references import split
from fhir_server.domain.values import Json
from fhir_server.http.fhir import negotiation
from fhir_server.http.fhir.operations.model import Arguments, Operation, Output, Parameter, outputs, parameters, part
from fhir_server.http.request_context import options
from fhir_server.oauth.resource.card_readings import reading_of
from fhir_server.registry import DOCUMENTS, PATIENT

_SVG = "image/svg+xml"
_FAULT = "Parameters.parameter"


def _invite(runtime: Runtime, caller: Caller, id_: str, given: Arguments) -> Response:
    audience = given.get("audience")
    wish = Wish(
        None if audience is None else str(audience.get("reference", "")),
        given.get("minutes"),
        _documents(runtime, given.get("document", ())),
    )
    made = invitations.invite(runtime, caller, PatientId(id_), wish)
    codes = [{"name": "code", "valueString": made.code}]
    return negotiation.fhir_response(parameters(codes=codes, qr=_picture(made.code), until=made.until))


def _cancel(runtime: Runtime, caller: Caller, id_: str, _given: Arguments) -> Response:
    invitations.cancel(runtime, caller, PatientId(id_))
    return negotiation.fhir_response(parameters())


def _in_force(runtime: Runtime, caller: Caller, id_: str, _given: Arguments) -> Response:
    told = [_standing(one) for one in invitations.in_force(runtime, caller, PatientId(id_))]
    return negotiation.fhir_response(parameters(invitations=told))


def _standing(one: Standing) -> Json:
    """Write one code in force, without the code."""
    audience = {"reference": one.audience} if one.audience else None
    documents = [{"name": "document", "valueReference": {"reference": f"DocumentReference/{id_}"}}
                 for id_ in sorted(one.documents or ())]  # fmt: skip
    giver = {"reference": one.giver}
    return part("invitation", giver=giver, until=one.until, own=one.is_own, audience=audience, documents=documents)


def _redeem(runtime: Runtime, caller: Caller, _id: str, given: Arguments) -> Response:
    return _entrance(invitations.redeem(runtime, caller, str(given["code"])))


def _present_card(runtime: Runtime, caller: Caller, _id: str, given: Arguments) -> Response:
    expected, bulkhead, assertion = _patient(runtime, given), options().bulkhead, str(given["assertion"])
    return _entrance(card_presence.present(runtime, caller, lambda: reading_of(runtime, bulkhead, assertion), expected))


def _patient(runtime: Runtime, given: Arguments) -> PatientId | None:
    if "patient" not in given:
        return None
    named = split(str(given["patient"].get("reference", "")), runtime.fhir_base)
    if named is None or named[0] != PATIENT:
        raise Problem(Category.INVALID, Issue("`patient` names a Patient", _FAULT, "value"))
    return PatientId(named[1])


def _entrance(entrance: Entrance) -> Response:
    patient = {"reference": f"Patient/{entrance.patient}"}
    consent = {"reference": f"Consent/{entrance.consent}"}
    return negotiation.fhir_response(parameters(patient=patient, consent=consent, until=entrance.until))


def _documents(runtime: Runtime, named: list[Json] | tuple[()]) -> frozenset[str] | None:
    found = [split(str(reference.get("reference", "")), runtime.fhir_base) for reference in named]
    if any(one is None or one[0] not in DOCUMENTS for one in found):
        raise Problem(Category.INVALID, Issue("`document` names a DocumentReference", _FAULT, "value"))
    return frozenset(one[1] for one in found if one) or None


def _picture(code: str) -> Json:
    """Draw the code alone as a QR code, so that a reader that opens addresses opens nothing."""
    drawn = BytesIO()
    segno.make(code, micro=False, error="m").save(drawn, kind="svg", scale=4, light="#fff")
    return {"contentType": _SVG, "data": b64encode(drawn.getvalue()).decode()}


_PARTS = outputs(
    ("giver", "Reference"),
    ("until", "dateTime"),
    ("own", "boolean"),
    ("audience", "Reference"),
    ("document", "Reference"),
)
OPERATIONS = (
    Operation(
        "invite",
        "Patient",
        "Make a code that lets a professional in once",
        "The patient shows the code, or its QR code, to a professional, who redeems it for one consultation (C4). It "
        "may be for one professional or establishment alone, and open some documents only. A new code makes the "
        "earlier one of the same person invalid. For the patient and the legal representatives.",
        _invite,
        (
            Parameter("audience", "Reference", "who alone may redeem it: a professional or an establishment"),
            Parameter("minutes", "integer", "for how long it can be redeemed; 15 when left out, at most a day"),
            Parameter("document", "Reference", "a document that it opens; all when none is named", repeats=True),
        ),
        outputs(("code", "string"), ("qr", "Attachment"), ("until", "dateTime")),
    ),
    Operation(
        "cancel-invitation",
        "Patient",
        "Make the codes of a space invalid",
        "The patient cancels every code of the space; a legal representative cancels only their own.",
        _cancel,
    ),
    Operation(
        "invitations",
        "Patient",
        "List the codes that can be redeemed now",
        "Who made each code and until when it can be redeemed, without the code itself. The patient sees every code of "
        "the space, and of an own one whom and which documents it is for; a legal representative sees only their own.",
        _in_force,
        output=(Output("invitation", parts=_PARTS),),
        affects_state=False,
    ),
    Operation(
        "redeem",
        "Patient",
        "Enter a space by a code that the patient showed",
        "For the professional who calls, for one consultation. A code that is wrong, was used, has expired or is for "
        "somebody else gets one answer, and so does a code of a space that is closed to the caller. After too many "
        "vain attempts every code is refused for a while.",
        _redeem,
        (Parameter("code", "string", "the code, with or without its hyphens", required=True),),
        outputs(("patient", "Reference"), ("consent", "Reference"), ("until", "dateTime")),
        instance=False,
    ),
    Operation(
        "present-card",
        "Patient",
        "Enter a space because the patient's card was read",
        "For the professional who calls, for one consultation (C4). Software that is registered as a card reader signs "
        "that the card was there for this professional; what it has signed is used once, within a minute. A card that "
        "lets the caller in nowhere gets one answer, whatever the reason.",
        _present_card,
        (
            Parameter("assertion", "string", "the JWT of the card reader", required=True),
            Parameter("patient", "Reference", "whose card it must be; anybody's when left out"),
        ),
        outputs(("patient", "Reference"), ("consent", "Reference"), ("until", "dateTime")),
        instance=False,
    ),
)
