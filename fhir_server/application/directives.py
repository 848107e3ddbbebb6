"""Choices about access: each Consent that is created or changed rebuilds the decision state in the same commit.

The patient, or who represents the patient, chooses; a professional writes down what the patient agreed to; the
insurer's software records who represents a minor and which physician is declared.

Source: IHE PCF 1.1, ITI-108 (https://profiles.ihe.net/ITI/PCF/ITI-108.html); rules C1 to C8, F1 to F6 and G4.
"""

from dataclasses import dataclass, replace
from typing import Any

import orjson

from consent_rules import recording
from consent_rules.labels import SECRET, hides_by_default
from consent_rules.visibility import Visibility
from consent_rules.vocabulary import Action, RequesterKind, View
from fhir_server.application import choosing_documents, defaults, hiding, matching, repairs, resolving, scoping, writing
from fhir_server.application.choosing import OF_THE_INSURER, Choosing, Said, demand_recorder, demand_seen_whole, said_by
from fhir_server.application.consultation import not_found
from fhir_server.application.enforcement import Opened
from fhir_server.application.finding import identify
from fhir_server.application.keeping import keeps
from fhir_server.application.patches import Patch, demand_valid
from fhir_server.application.system_views import ReadingReason, of_kinds
from fhir_server.application.writing import Work, Written
from fhir_server.domain import bodies, conditions, pointers
from fhir_server.domain.caller import Caller
from fhir_server.domain.consents import access_of, speaks
from fhir_server.domain.deeds import Deed
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.references import documents_named
from fhir_server.domain.stored import Stored
from fhir_server.r4.parsing import load_json
from fhir_server.registry import REGISTRY

Json = dict[str, Any]

_CONSENT = ("Consent",)
_KINDS_OF_THE_INSURER = frozenset(kind.value for kind in OF_THE_INSURER)


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a Consent to be stored, and the one before it."""

    id: str
    number: int
    before: Stored | None = None


def plan_create(work: Work, choice: Choosing, condition: str = "") -> Written:
    """Plan the recording of a choice."""
    scoping.demand(work.caller, _CONSENT, "c")
    patient = _patient_of(work, choice)
    scoping.demand(work.caller, _CONSENT, "c", patient)
    _note_documents(work, choice)
    opened = work.enter(patient, _action(work.caller))
    if condition:
        wanted = replace(conditions.parse(condition), patient=patient, patient_identifier=None)
        found = matching.only(matching.ids(work, REGISTRY["Consent"], wanted, _action(work.caller), "c"))
        if found:
            return _existing(work, opened, found)
    id_ = choice.id or work.runtime.ports.ids.new()
    located = _located(choice.resource, patient)
    said = said_by(work, opened, choice, located | {"id": id_})
    after = _stored(work, located, Version(id_, 1), said)
    work.put(after)
    _decide(work, opened, located | {"id": id_}, said)
    work.trace(Deed("create", "Consent"), opened, patient, (f"Consent/{id_}",))
    return _written(work, opened, after, created=True)


def plan_update(work: Work, choice: Choosing, if_match: str = "") -> Written:
    """Plan the replacement of a choice."""
    opened, before = _find(work, choice.id)
    return _plan_change(work, opened, before, choice, if_match, "update")


def plan_patch(work: Work, id_: str, change: Patch, if_match: str = "") -> Written:
    """Plan a patch of a choice."""
    opened, before = _find(work, id_)
    shown = work.shown(before, opened.sees(View.DIRECTIVES), opened.sees(View.DOCUMENTS))
    wanted = change.apply(load_json(shown.stored.body))
    demand_valid(wanted, shown.stored.body)
    return _plan_change(work, opened, before, Choosing(wanted, id_), if_match, "patch")


def _plan_change(
    work: Work, opened: Opened, before: Stored, choice: Choosing, if_match: str, interaction: str
) -> Written:
    _note_documents(work, choice)
    writing.demand_match(if_match, before, knows_marks=False)
    patient = before.facts.access.compartment
    if _named_patient(work, choice) != patient:
        raise Problem.of(Category.BUSINESS_RULE, "the patient cannot be changed", f"{choice.root}.patient")
    held = next((one for one in work.record(opened).directives if one.id == before.id), None)
    demand_recorder(work, held, before)
    located = _located(choice.resource, patient)
    demand_seen_whole(work, opened, before, located, choice)
    said = said_by(work, opened, choice, located | {"id": before.id})
    after = _stored(work, located, Version(before.id, defaults.next_version(work, before), before), said)
    work.change(before, after)
    _decide(work, opened, located | {"id": before.id}, said)
    work.trace(Deed(interaction, "Consent"), opened, patient, (f"Consent/{before.id}",))
    return _written(work, opened, after, created=False)


def _action(caller: Caller) -> Action:
    """Return what recording a choice means: the insurer's software also says who represents before a space opens."""
    return Action.KEEP if caller.requester.kind is RequesterKind.SYSTEM else Action.DIRECT


def _find(work: Work, id_: str) -> tuple[Opened, Stored]:
    """Return a choice that the caller sees, and the space entered to change it.

    Raises: Problem(NOT_FOUND) for unknown and invisible ids alike.
    """
    scoping.demand(work.caller, _CONSENT, "u")
    work.names(f"Consent/{id_}")
    location = work.snapshot.locate("Consent", id_)
    is_software = work.caller.requester.kind is RequesterKind.SYSTEM
    if location is None or (is_software and not keeps(work, location.compartment)):
        raise not_found()
    try:
        scoping.demand(work.caller, _CONSENT, "u", location.compartment)
    except Problem as problem:
        raise not_found() from problem
    opened = work.enter_unnamed(location.compartment, _action(work.caller))
    found = work.read("Consent", id_, _view(work, opened)) if opened else None
    if opened is None or found is None:
        raise not_found()
    return opened, found


def _note_documents(work: Work, choice: Choosing) -> None:
    """Note the documents that a choice is about: a failure to record it is as secret as they are (B10)."""
    named = documents_named(orjson.dumps(choice.resource.get("provision", {})))
    work.names(*(f"DocumentReference/{id_}" for id_ in sorted(named)))


def _view(work: Work, opened: Opened) -> Visibility:
    """Return which choices the caller may come back to: the insurer's software to those that it records alone."""
    if work.caller.requester.kind is RequesterKind.SYSTEM:
        return of_kinds(ReadingReason.OWN_RECORDS, opened.space.patient, _KINDS_OF_THE_INSURER)
    return opened.sees(View.DIRECTIVES)


def _patient_of(work: Work, choice: Choosing) -> str:
    """Return the id of the patient whom a Consent names.

    Raises: Problem(BUSINESS_RULE) when nobody known is named, to whoever may record choices of strangers at all.
    """
    found = _named_patient(work, choice)
    if not found:
        resolving.refuse_as_unknown(work, "Consent", _action(work.caller))
        text = "the patient is not known here"
        raise Problem.of(Category.BUSINESS_RULE, text, f"{choice.root}.patient", "unknown-patient")
    return found


def _named_patient(work: Work, choice: Choosing) -> str:
    """Return the id of the patient whom a Consent names, "" when nobody known is named."""
    named = choice.resource.get("patient", {})
    literal = str(named.get("reference", ""))
    if literal.startswith("Patient?"):
        condition = conditions.parse(literal.partition("?")[2], f"{choice.root}.patient.reference")
        return identify(work.snapshot, condition.system, condition.value)
    identifier = named.get("identifier", {})
    if not literal and identifier.get("system") and identifier.get("value"):
        return identify(work.snapshot, str(identifier["system"]), str(identifier["value"]))
    target = pointers.split(literal, work.runtime.fhir_base)
    return target[1] if target and target[0] == "Patient" and work.is_known(*target) else ""


def _located(resource: Json, patient: str) -> Json:
    return resource | {"patient": resource["patient"] | {"reference": f"Patient/{patient}"}}


def _decide(work: Work, opened: Opened, located: Json, said: Said) -> None:
    """Rebuild the decision state: a Consent in force says something, any other is silent."""
    before = recording.tidied(work.record(opened), work.at, work.runtime.profile)
    own = str(located["id"])
    after = before.with_directive(*said) if said and speaks(located) else before.without(own)
    after = defaults.settle(work, opened, after, own)
    if hides_by_default(after, work.at) and not hides_by_default(before, work.at):
        hiding.hide_present(work, after.patient)
    work.decide(opened, after)
    repairs.close_unread(work, opened)


def _stored(work: Work, located: Json, version: Version, said: Said) -> Stored:
    """Return a Consent as it is stored: it belongs to those whom it names, who may read it; a secret stays one."""
    patient = str(located["patient"]["reference"]).partition("/")[2]
    access = access_of(patient, *said)
    was_secret = version.before is not None and SECRET in version.before.facts.access.marks
    if was_secret or choosing_documents.are_secret(work, patient, said):
        access = replace(access, marks=SECRET)
    id_, number = version.id, version.number
    body = bodies.stamped(located, id_, number, work.stamp)
    facts = defaults.facts_of_choice(located, access)
    return Stored(
        "Consent", id_, number, 0, deleted=False, last_updated=work.stamp, marked_at=None, body=body, facts=facts
    )


def _existing(work: Work, opened: Opened, id_: str) -> Written:
    found = work.read("Consent", id_, opened.sees(View.DIRECTIVES))
    if found is None:
        raise not_found()
    work.trace(Deed("read", "Consent"), opened, opened.space.patient, (f"Consent/{id_}",))
    return _written(work, opened, found, created=False)


def _written(work: Work, opened: Opened, stored: Stored, *, created: bool) -> Written:
    return Written(work.shown(stored, opened.sees(View.DIRECTIVES), opened.sees(View.DOCUMENTS)), created)
