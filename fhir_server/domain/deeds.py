"""What happened, as the trail will tell it: a deed, and how it ended."""

from dataclasses import dataclass, field, replace

from consent_rules.model import RuleApplied

_LONGEST_NAME = 200
"""In characters: a type, an id and a version of 64 each."""
_CHOICE_TYPES = frozenset({"Consent", "RelatedPerson"})


@dataclass(frozen=True, slots=True)
class Deed:
    """One interaction, as the trail will tell it.

    interaction: code of restful-interaction. transaction: "ITI-67" and the like, "" when none.
    target: reference that was asked for, "" for a search. query: method, URL and headers of a search, as sent.
    choice: the deed is a choice of the patient (a hiding, a consent), which professionals never see in a trail.
    operation: name of the operation without its dollar sign, "" for any other interaction.
    sought: references that a search names by id; the trail has them in the query alone.
    """

    interaction: str
    resource_type: str
    transaction: str = ""
    target: str = ""
    query: str = ""
    choice: bool = False
    operation: str = ""
    sought: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the deed ended: outcome "0" done, "4" refused, "8" failed; why; what was touched.

    secret: all that was touched is a minor's secret, so that the event itself is one too (B10).
    """

    outcome: str = "0"
    reason: str = ""
    basis: str = ""
    rules: tuple[RuleApplied, ...] = ()
    matrix_version: str = ""
    touched: tuple[str, ...] = field(default=())
    secret: bool = False


def bounded(deed: Deed) -> Deed:
    """Return a deed whose names are no longer than a name can be; those of a request may be anything."""
    if max(len(deed.target), len(deed.resource_type), len(deed.operation)) <= _LONGEST_NAME:
        return deed
    names = {name: getattr(deed, name)[:_LONGEST_NAME] for name in ("target", "resource_type", "operation")}
    return replace(deed, **names)


def kind_of(deed: Deed, verdict: Verdict) -> str:
    """Return which part of the trail an event belongs to, for whoever may read some of it (H4).

    "choice" and "refusal" are for the patient's side and for auditors: an event of one's own that says why one was
    refused, or that a hidden document was asked for, would tell what the answer itself must not tell.
    """
    if deed.choice or deed.resource_type in _CHOICE_TYPES:
        return "choice"
    return "access" if verdict.outcome == "0" else "refusal"
