"""The references of a Consent: a Consent that names an unknown person or thing is refused, with the element.

Such a Consent would let the patient believe that somebody gets or loses access.
Source: https://hl7.org/fhir/R4/consent.html (actor, performer, organization, source); docs/consents.md, "Actors".
"""

from collections.abc import Iterator, Mapping

from consent_rules.visibility import DIRECTORY, Visibility
from consent_rules.vocabulary import View
from fhir_server.application.core.access import Opened
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.core.unit_of_work import UnitOfWork
from fhir_server.application.reading import conditional
from fhir_server.domain import references
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import Json

Named = tuple[str, str, str]
"""(expression, type, id) of one reference."""

_IN_DIRECTORY = frozenset({"Practitioner", "PractitionerRole", "Organization", "Location"})
_ELEMENTS = ("performer", "organization", "sourceReference", "provision")


def demand_known(work: UnitOfWork, opened: Opened, consent: Json, root: str) -> None:
    """Refuse a Consent with a literal reference to something that the caller may not know; skip contained resources.

    root: of expressions. `replacement_chain.resolved` checks the documents that `provision.data` names.
    Raises: Problem(BUSINESS_RULE) naming every such reference, hidden and unknown ones alike.
    """
    named = list(_named(work, consent, root))
    known = {type_: _known(work, opened, type_, _ids(named, type_)) for type_ in {type_ for _, type_, _ in named}}
    faults = [conditional.unknown_reference(expression) for expression, type_, id_ in named if id_ not in known[type_]]
    if faults:
        raise Problem(Category.BUSINESS_RULE, *faults)


def _named(work: UnitOfWork, consent: Json, root: str) -> Iterator[Named]:
    for element in _ELEMENTS:
        if element not in consent:
            continue
        for expression, reference in references.references_in(consent[element], f"{root}.{element}"):
            literal = str(reference["reference"])
            if literal.startswith("#") or ".data[" in expression:
                continue
            yield (f"{expression}.reference", *(references.split(literal, work.runtime.fhir_base) or ("", literal)))


def _ids(named: list[Named], type_: str) -> frozenset[str]:
    return frozenset(id_ for _, other, id_ in named if other == type_)


def _known(work: UnitOfWork, opened: Opened, type_: str, ids: frozenset[str]) -> frozenset[str]:
    """Return which ids of a type the caller may name: in the directory, in this space, or in the caller's view."""
    if type_ == "Patient":
        return ids & {opened.patient}
    if type_ == "CareTeam":
        return ids & {team.reference.partition("/")[2] for team in opened.record.teams}
    views: Mapping[str, Visibility] = {
        "RelatedPerson": whole_space(ReadingReason.PERSONS_NAMED, opened.patient),
        "DocumentReference": opened.sees(View.DOCUMENTS),
        "Consent": opened.sees(View.DIRECTIVES),
    }
    view = DIRECTORY if type_ in _IN_DIRECTORY else views.get(type_)
    if view is None:
        return frozenset()
    planned = {id_ for kind, id_ in work.writes if kind == type_}
    return (ids & planned) | work.snapshot.visible_ids(type_, ids, view)
