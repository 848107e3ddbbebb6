"""Whom a submission is about: the one patient of all its entries, by reference or by identifier.

Source: IHE MHD 4.2, ITI-65 (https://profiles.ihe.net/ITI/MHD/ITI-65.html) and ITI-105; PDSm 3.1.1, flux 01.
"""

from typing import Any

from consent_rules.vocabulary import Action
from fhir_server.application import resolving, scoping
from fhir_server.application.finding import identify
from fhir_server.application.writing import Work
from fhir_server.domain import pointers
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.submission import Item

Json = dict[str, Any]


def one_patient(work: Work, items: list[Item], names: dict[str, str]) -> str:
    """Return the id of the patient whom all entries name.

    Raises: Problem(BUSINESS_RULE) when an entry names nobody who is known, or another than the first.
    """
    found: list[tuple[str, Item]] = [(_patient_of(work, item, names), item) for item in items]
    faults = [resolving.unknown(f"{item.root}.subject") for patient, item in found if not patient]
    first = found[-1][0]
    faults += [
        Issue("a submission is about one patient", f"{item.root}.subject", "XDSPatientIdDoesNotMatch")
        for patient, item in found
        if patient and first and patient != first
    ]
    if faults:
        _demand_entry(work, {patient for patient, _ in found})
        raise Problem(Category.BUSINESS_RULE, *faults)
    return first


def _demand_entry(work: Work, named: set[str]) -> None:
    """Refuse whoever may not file for one of these patients before telling which of them are known (AC20).

    Raises: Problem(INSUFFICIENT_SCOPE), FORBIDDEN or CONSENT_REQUIRED.
    """
    for patient in sorted(named - {""}):
        scoping.demand(work.caller, ("DocumentReference",), "c", patient)
        work.enter(patient, Action.DEPOSIT)
    if "" in named:
        resolving.refuse_as_unknown(work, "DocumentReference", Action.DEPOSIT)


def _patient_of(work: Work, item: Item, names: dict[str, str]) -> str:
    subject = item.resource.get("subject", {})
    literal = names.get(str(subject.get("reference", "")), str(subject.get("reference", "")))
    if literal.startswith("#"):
        contained = {f"#{inner.get('id')}": inner for inner in item.resource.get("contained", [])}
        return _identified(work, contained.get(literal, {}).get("identifier", []))
    if resolving.is_conditional(literal) and literal.startswith("Patient?"):
        literal = resolving.resolve(work, literal, f"{item.root}.subject.reference")
    if not literal:
        return _identified(work, [subject["identifier"]] if "identifier" in subject else [])
    target = pointers.split(literal, work.runtime.fhir_base)
    return target[1] if target and target[0] == "Patient" and work.is_known(*target) else ""


def _identified(work: Work, identifiers: list[Json]) -> str:
    """Return the id of the one patient whom these identifiers name, "" when it is none or more."""
    pairs = [(str(item.get("system", "")), str(item.get("value", ""))) for item in identifiers]
    found = {identify(work.snapshot, *pair) for pair in pairs if all(pair)} - {""}
    if len(found) > 1:  # that several are known is told, so all of them are told of it
        found = {patient for patient in sorted(found) if work.may_identify(patient)}
    return found.pop() if len(found) == 1 else ""
