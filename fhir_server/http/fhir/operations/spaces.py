"""The life of a space, as operations on Patient: for the patient's side, and for the software of the registry operator.

Source: R.1111-28 and R.1111-36 of the French public health code (rules A1 to A14), docs/operations.md.
"""

from collections.abc import Callable

from flask import Response

from consent_rules.vocabulary import PatientId, Purpose
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.directory import resources
from fhir_server.application.spaces import break_glass, lifecycle, settings
from fhir_server.application.spaces.lifecycle import SpaceReport
from fhir_server.application.spaces.settings import SeenInEmergency, Setting, Waiting
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Json
from fhir_server.http.fhir import negotiation, rendering
from fhir_server.http.fhir.operations.model import (
    Answer,
    Arguments,
    Operation,
    Output,
    Parameter,
    outputs,
    parameters,
    part,
)
from fhir_server.oauth.resource import bearer
from fhir_server.r4 import claimed_profiles

_REPORT = outputs(
    ("status", "code"),
    ("since", "dateTime"),
    ("until", "dateTime"),
    ("erasureAskedAt", "dateTime"),
    ("deceased", "boolean"),
    ("notice", "Reference"),
)
_OPENING = outputs(("consent", "Reference"), ("mode", "code"), ("until", "dateTime"), ("reviewDue", "dateTime"))
_SETTINGS = (
    Output("setting", parts=outputs(("code", "code"), ("on", "boolean"), ("consent", "Reference"))),
    Output(
        "waiting",
        parts=outputs(
            ("consent", "Reference"),
            ("actor", "Reference"),
            ("recorder", "Reference"),
            ("since", "dateTime"),
            ("until", "dateTime"),
        ),
    ),
    Output("document", parts=outputs(("document", "Reference"), ("seenInEmergency", "boolean"))),
    *outputs(("more", "boolean")),
)
_REASON = Parameter("reason", "string", "why the person cannot be asked and the danger is immediate", required=True)
_CALL = Parameter("reason", "string", "reference of the emergency call, and what is reported", required=True)


def _announce(runtime: Runtime, caller: Caller, _id: str, given: Arguments) -> Response:
    resource = given["patient"]
    faults = claimed_profiles.check(resource)
    if faults:
        raise Problem(Category.BUSINESS_RULE, *faults)
    written = resources.announce(runtime, caller, resource)
    return rendering.resource(written.shown, 201, "Location")


def _reporting(act: Callable[[Runtime, Caller, PatientId], SpaceReport]) -> Answer:
    return lambda runtime, caller, id_, _given: _report(act(runtime, caller, PatientId(id_)))


def _close(runtime: Runtime, caller: Caller, id_: str, given: Arguments) -> Response:
    return _report(lifecycle.close(runtime, caller, PatientId(id_), erase=bool(given.get("erase"))))


def _emergency(mode: Purpose) -> Answer:
    def answer(runtime: Runtime, caller: Caller, id_: str, given: Arguments) -> Response:
        bearer.demand_in_emergency(caller, mode, runtime.now())
        opening = break_glass.open_in_emergency(runtime, caller, PatientId(id_), mode, str(given["reason"]))
        consent = {"reference": f"Consent/{opening.consent}"}
        told = parameters(consent=consent, mode=mode.value, until=opening.until, reviewDue=opening.review_due)
        return negotiation.fhir_response(told)

    return answer


def _settings(runtime: Runtime, caller: Caller, id_: str, _given: Arguments) -> Response:
    told = settings.settings_of(runtime, caller, PatientId(id_))
    documents = told.documents or ()
    return negotiation.fhir_response(
        parameters(
            settings=[_setting(one) for one in told.settings],
            waiting=[_waiting(one) for one in told.waiting],
            documents=[_in_emergency(one) for one in documents],
            more=told.has_more or None,
        )
    )


def _setting(one: Setting) -> Json:
    return part("setting", code=one.name, on=one.is_on, consents=[_consent(id_) for id_ in one.consents])


def _waiting(one: Waiting) -> Json:
    actors = [{"name": "actor", "valueReference": {"reference": actor}} for actor in one.actors]
    recorder = {"reference": one.recorder} if one.recorder else None
    told = {"actors": actors, "recorder": recorder, "since": one.since, "until": one.until}
    return part("waiting", consents=[_consent(one.consent)], **told)


def _in_emergency(one: SeenInEmergency) -> Json:
    return part("document", document={"reference": f"DocumentReference/{one.document}"}, seenInEmergency=one.seen)


def _consent(id_: str) -> Json:
    return {"name": "consent", "valueReference": {"reference": f"Consent/{id_}"}}


def _report(report: SpaceReport) -> Response:
    notice = {"reference": f"Communication/{report.notice}"} if report.notice else None
    return negotiation.fhir_response(
        parameters(
            status=report.status.value,
            since=report.since,
            until=report.until,
            erasureAskedAt=report.erasure_asked_at,
            deceased=report.deceased or None,
            notice=notice,
        )
    )


OPERATIONS = (
    Operation(
        "announce-space",
        "Patient",
        "Announce the space of an insured person",
        "Record the identity and send the notice: the space opens after the term of the rule profile unless somebody "
        "who may opposes (A2, A3). For the software of the registry operator.",
        _announce,
        (Parameter("patient", "Patient", "the identity of the insured person", required=True),),
        outputs(("return", "Patient")),
        instance=False,
    ),
    Operation(
        "oppose-space",
        "Patient",
        "Oppose the opening of a space",
        "Before the term only (A1). The notice that comes back is the proof of the opposition (A6). For the patient, "
        "the legal representatives, and the software of the registry operator.",
        _reporting(lifecycle.oppose),
        output=_REPORT,
    ),
    Operation(
        "open-space",
        "Patient",
        "Open a space that is opposed, suspended or closed",
        "For the patient and the legal representatives (A10); lifting a suspension also for the software of the "
        "registry operator (A11). Opening takes back a request for erasure.",
        _reporting(lifecycle.open_space),
        output=_REPORT,
    ),
    Operation(
        "suspend-space",
        "Patient",
        "Suspend access to a space",
        "On serious malfunction or fraudulent use; it closes after six weeks unless it is opened (A11). For the "
        "software of the registry operator.",
        _reporting(lifecycle.suspend),
        output=_REPORT,
    ),
    Operation(
        "close-space",
        "Patient",
        "Close a space",
        "Nobody reads or files from the next request on (A7, A13). For the patient and the legal representatives.",
        _close,
        (Parameter("erase", "boolean", "ask for the erasure of the closed data as well (A12)"),),
        _REPORT,
    ),
    Operation(
        "request-erasure",
        "Patient",
        "Ask for the erasure of a closed space",
        "It is granted within three months at most (A9). For the patient and the legal representatives.",
        _reporting(lifecycle.request_erasure),
        output=_REPORT,
    ),
    Operation(
        "erase-space",
        "Patient",
        "Erase a closed space",
        "When it was asked for, or the archive has ended (A8, A9): its keys, resources and contents are destroyed "
        "beyond recovery. For the software of the registry operator.",
        _reporting(lifecycle.erase),
        output=_REPORT,
    ),
    Operation(
        "record-death",
        "Patient",
        "Record the death of the patient",
        "An open space closes, and nobody opens it again (A14). For the software of the registry operator.",
        _reporting(lifecycle.record_death),
        output=_REPORT,
    ),
    Operation(
        "space-status",
        "Patient",
        "Tell how a space stands",
        "State, since when, and what time alone will change. For the patient, the legal representatives, and the "
        "software of the registry operator.",
        _reporting(lifecycle.look),
        output=_REPORT,
        affects_state=False,
    ),
    Operation(
        "space-settings",
        "Patient",
        "Tell how a space is set",
        "Whether each setting holds and each mode of an emergency is open, with the Consents that say so; the "
        "agreements that professionals wrote down and that wait for an answer; and which current documents a physician "
        "would see in an emergency today, the newest 100. For the patient and the legal representatives.",
        _settings,
        output=_SETTINGS,
        affects_state=False,
    ),
    Operation(
        "break-glass",
        "Patient",
        "Open a space in an emergency, as a health professional",
        "For a person in immediate danger who cannot be asked (G1), with a grant whose purpose is BTG. The patient and "
        "the declared physician are told, and the access is reviewed.",
        _emergency(Purpose.BREAK_GLASS),
        (_REASON,),
        _OPENING,
    ),
    Operation(
        "regulation-access",
        "Patient",
        "Open a space for the regulation of an emergency call",
        "For the regulating physician who takes a call about the person (G2), with a grant whose purpose is ETREAT. "
        "The patient and the declared physician are told.",
        _emergency(Purpose.EMERGENCY),
        (_CALL,),
        _OPENING,
    ),
)
