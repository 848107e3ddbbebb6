"""What happened, as the trail will tell it: an interaction, and how it ended."""

from dataclasses import dataclass, field, replace

from consent_rules.model import RuleApplied

_LONGEST_NAME = 200
"""In characters: a type, an id and a version of 64 each."""
_CHOICE_TYPES = frozenset({"Consent", "RelatedPerson"})


@dataclass(frozen=True, slots=True)
class AuditedInteraction:
    """One interaction, as the trail will tell it.

    interaction: code of restful-interaction. transaction: "ITI-67" and the like, "" when none.
    target: reference that was asked for, "" for a search. query: method, URL and headers of a search, as sent.
    choice: the interaction is a choice of the patient (a hiding, a consent), which professionals never see in a trail.
    operation: name of the operation without its dollar sign, "" for any other interaction.
    sought: references that the interaction names besides its target: by id in a search, by what a write carries or
        matches; the trail does not name them, or in the query of the search alone.
    confidential: what it carries shall be a minor's secret (B10).
    """

    interaction: str
    resource_type: str
    transaction: str = ""
    target: str = ""
    query: str = ""
    choice: bool = False
    operation: str = ""
    sought: tuple[str, ...] = ()
    confidential: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the interaction ended: code "0" done, "4" refused, "8" failed; why; what was touched.

    confidential: the event itself is kept from representatives, whatever it is about (B10).
    about: ids of documents that the interaction named through something else: through a List, a content, a choice or a
    trace.
    """

    code: str = "0"
    reason: str = ""
    basis: str = ""
    rules: tuple[RuleApplied, ...] = ()
    matrix_version: str = ""
    touched: tuple[str, ...] = field(default=())
    confidential: bool = False
    about: tuple[str, ...] = ()


NO_DOCUMENT = "00000000-0000-4000-8000-000000000000"
"""Stands for what a request named and no reader sees: an id that is never issued."""


def about(audited: AuditedInteraction, outcome: Outcome) -> tuple[str, ...]:
    """Return the ids of the documents that an event is about: those that the request named, or that it wrote.

    A search that names nothing is about no document, whatever it found: it would have been the same without. One that
    names only what is no document, and led to none, is about `NO_DOCUMENT`.
    """
    is_search = audited.interaction == "search-type"
    named = audited.sought if is_search else (*outcome.touched, audited.target)
    parts = [reference.split("/") for reference in named if reference]
    documents = tuple(part[1] for part in parts if part[0] == "DocumentReference" and len(part) > 1)
    found = tuple(dict.fromkeys((*documents, *outcome.about)))
    return found or ((NO_DOCUMENT,) if is_search and named else ())


def bounded(audited: AuditedInteraction) -> AuditedInteraction:
    """Return an interaction whose names are no longer than a name can be; those of a request may be anything."""
    if max(len(audited.target), len(audited.resource_type), len(audited.operation)) <= _LONGEST_NAME:
        return audited
    names = {name: getattr(audited, name)[:_LONGEST_NAME] for name in ("target", "resource_type", "operation")}
    return replace(audited, **names)


def kind_of(audited: AuditedInteraction, outcome: Outcome) -> str:
    """Return which part of the trail an event belongs to, for whoever may read some of it (H4).

    "choice" and "refusal" are for the patient's side and for auditors: an event of one's own that says why one was
    refused, or that a hidden document was asked for, would tell what the answer itself must not tell.
    """
    if audited.choice or audited.resource_type in _CHOICE_TYPES:
        return "choice"
    return "access" if outcome.code == "0" else "refusal"
