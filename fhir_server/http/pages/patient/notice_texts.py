"""Notices in plain French or English, for the page of the journal.

Source: R.1111-48 of the French public health code (rules G3, G6, G8 and H1 of docs/rules.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext, lazy_gettext

from consent_rules.vocabulary import Grade, Proof, ReviewOutcome
from fhir_server.domain.events import sentences
from fhir_server.domain.events.rules import NoticeKind
from fhir_server.domain.events.words import GRADES, OPENED_ON, PROOFS, SOFTWARE, TO_REVIEW
from fhir_server.domain.notices import ACCESS_AT, GRADE, PROOF, REVIEW_DUE, REVIEW_OUTCOME
from fhir_server.domain.values import Json, type_of
from fhir_server.http.pages.language import current_language, local
from fhir_server.registry import AccessRule, types_under

_CHOICES = types_under(AccessRule.DIRECTIVE)
_REASONS: Mapping[str, Any] = {
    "unconscious": lazy_gettext("the patient was unconscious"),
    "life-threatening": lazy_gettext("immediate danger to health"),
    "no-consent-possible": lazy_gettext("the patient could not express their will"),
}
"""The reasons that the declaration page offers (oauth.authorize.conversation.REASONS)."""


@dataclass(frozen=True, slots=True)
class NoticeInWords:
    """One notice in the language of the page.

    reason: as the professional stated it, "" when the notice has none. review: how the review of an access stands, ""
    when no review is required. overdue: whether that review is late. evidence: what supports a declared agreement,
    or when an unexplained access was; "" for another notice. contestable: whether it names a professional.
    """

    id: str
    at: datetime
    text: str
    reason: str
    review: str
    overdue: bool
    urgent: bool
    evidence: str
    contestable: bool


def tell(notices: Sequence[Json], at: datetime) -> list[NoticeInWords]:
    """Put Communications into words, in the order given. at: the present time, which tells whether a review is late."""
    outcomes = {_opening(notice): outcome for notice in notices if (outcome := _extension(notice, REVIEW_OUTCOME))}
    return [_told(notice, outcomes.get(_opening(notice), ""), at) for notice in notices]


def _told(notice: Json, outcome: str, at: datetime) -> NoticeInWords:
    kind = str(notice["category"][0]["coding"][0]["code"])
    due = _extension(notice, REVIEW_DUE)
    overdue = bool(due) and not outcome and at >= datetime.fromisoformat(due)
    return NoticeInWords(
        id=str(notice["id"]),
        at=local(datetime.fromisoformat(notice["sent"])),
        text=sentences.notice(NoticeKind(kind), _who(NoticeKind(kind), notice), current_language()),
        reason=_reason(next((str(code.get("text", "")) for code in notice.get("reasonCode", ())), "")),
        review=_review(NoticeKind(kind), due, outcome, overdue=overdue),
        overdue=overdue,
        urgent=notice.get("priority") == "urgent",
        evidence=_evidence(_extension(notice, PROOF), _extension(notice, GRADE))
        or _when(_extension(notice, ACCESS_AT)),
        contestable=any(one["reference"].startswith("Practitioner/") for one in notice.get("about", ())),
    )


def _reason(stated: str) -> str:
    """Return a reason in words: the declaration page puts a code before the text that the professional wrote."""
    code, _, written = stated.partition(": ")
    if code not in _REASONS or not written:
        return stated
    return str(gettext("%(reason)s: %(written)s", reason=_REASONS[code], written=written))


def _review(kind: NoticeKind, due: str, outcome: str, *, overdue: bool) -> str:
    """Return how the review of an access, or a contest, stands: its outcome, or the date by which it is or was due."""
    if outcome:
        return sentences.result(kind, ReviewOutcome(outcome), current_language())
    if not due:
        return ""
    when = f"{local(datetime.fromisoformat(due)):%d/%m/%Y %H:%M}"
    if overdue:
        return str(gettext("Not reviewed yet: it was due by %(when)s.", when=when))
    return sentences.phrase(TO_REVIEW, current_language()).replace("%(when)s", when)


def _evidence(proof: str, grade: str) -> str:
    """Say what is said to show an agreement, and how strong it is."""
    if not proof or not grade:
        return ""
    said = (PROOFS[Proof(proof)], GRADES[Grade(grade)])
    return " ".join(sentences.phrase(text, current_language()) for text in said)


def _when(at: str) -> str:
    """Say when the access took place that a later notice is about."""
    if not at:
        return ""
    when = f"{local(datetime.fromisoformat(at)):%d/%m/%Y %H:%M}"
    return sentences.phrase(OPENED_ON, current_language()).replace("%(when)s", when)


def _opening(notice: Json) -> str:
    """Return the Consent that an emergency notice is about, or the notice's own reference when it names none."""
    references = (str(item.get("reference", "")) for item in notice.get("about", ()))
    return next((ref for ref in references if type_of(ref) in _CHOICES), f"Communication/{notice['id']}")


def _extension(notice: Json, url: str) -> str:
    found = (one for one in notice.get("extension", ()) if one.get("url") == url)
    return next((str(one.get("valueDateTime") or one.get("valueCode")) for one in found), "")


def _who(kind: NoticeKind, notice: Json) -> str:
    """Return the party that acted and the establishment; software has no name here, an admitting establishment has."""
    named = [item for item in notice.get("about", ()) if item.get("display")]
    places = [item["display"] for item in named if item["reference"].startswith("Organization/")]
    parties = [item["display"] for item in named if not item["reference"].startswith("Organization/")]
    if kind is NoticeKind.ADMITTED and places:
        return str(places[0])
    who = next(iter(parties), sentences.phrase(SOFTWARE, current_language()))
    return f"{who} ({places[0]})" if places else who
