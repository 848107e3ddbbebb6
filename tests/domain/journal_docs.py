"""`python -m tests.domain.journal_docs` renews docs/journal.md: each kind of event, its sentences and its rules."""

from pathlib import Path

from fhir_server.domain.audit.interactions import OutcomeCode
from fhir_server.domain.audit.stored_events import kind_of_event, type_of_event
from fhir_server.domain.events import sentences
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.events.rows import ROWS
from fhir_server.domain.events.rules import Choice, NoticeKind, Recipients, Secrecy
from tests.domain.played_events import Played, every_event

PAGE = Path(__file__).parents[2] / "docs" / "journal.md"
_WHO, _APP = "Camille Laurent", "Mon Carnet"
_CHOICE = {
    Choice.NEVER: "no",
    Choice.ALWAYS: "yes",
    Choice.OF_THE_SIDE: "when the patient’s side acts",
    Choice.IN_A_SPACE: "in a space",
}
_SECRECY = {
    Secrecy.DOCUMENTS: "the documents that it names",
    Secrecy.OPEN: "the whole patient’s side",
    Secrecy.HOLDER: "the patient alone",
}
_TO = {
    Recipients.HOLDERS: "patient and representatives",
    Recipients.HOLDER: "patient",
    Recipients.PHYSICIANS: "patient, representatives, declared physicians",
}
_HEAD = """# The journal: what each kind of event says

`python -m tests.domain.journal_docs` writes this page, and a test compares it.
For this page, every kind of event is recorded once as an AuditEvent and read back.
The sentence of an act that was done says what somebody did.
The sentence of an act that was refused or failed says what somebody wanted to do, never that it happened.
`erasure-due`, `review-overdue` and `seal-ended` are events of the server alone.
Their sentences name the server, not a person, and nobody refuses them.
The stored AuditEvent has the French sentence; the journal says the same in the language of its reader.

## Sentences

| kind | done | refused |
| --- | --- | --- |
"""
_RULES = """
## Rules

*Choice*: no professional and no auditor reads the event (H4); whatever is done to a Consent or a RelatedPerson is one.
*Judged by*: who on the patient’s side may know of the event (B10, E9).
*Notice*: what the event may owe, and to whom. The permit and the patient’s wishes say whether it does.

| kind | choice | judged by | notice |
| --- | --- | --- | --- |
"""
_NOTICES = """
## Notices

| notice | French | English |
| --- | --- | --- |
"""


def said(played: Played, language: str) -> str:
    """Return the sentence that the journal says of a played event."""
    kind, type_ = kind_of_event(played.event), type_of_event(played.event)
    if played.outcome == OutcomeCode.DONE:
        told = sentences.act(kind, type_, language).did
    else:
        told = sentences.wanted(kind, type_, language)
    return f"{_WHO} {told}.".replace("%(app)s", _APP)


def page() -> str:
    """Return the page as it has to be."""
    return "".join((_HEAD, *_sentences(), _RULES, *map(_rule, EventKind), _NOTICES, *map(_notice, NoticeKind)))


def _sentences() -> list[str]:
    rows: dict[str, None] = {}
    for done, refused in zip(every_event(), every_event(OutcomeCode.REFUSED), strict=True):
        type_ = done.audited.resource_type
        of = f" `{type_}`" if type_ and done.kind.startswith("resource") else ""
        both = ("<br>".join(said(one, language) for language in ("fr", "en")) for one in (done, refused))
        rows[f"| `{done.kind}`{of} | {' | '.join(both)} |\n"] = None
    return list(rows)


def _rule(kind: EventKind) -> str:
    row = ROWS[kind]
    notices = ", ".join(f"`{rule.kind}` ({_TO[rule.to]})" for rule in row.notices)
    return f"| `{kind}` | {_CHOICE[row.choice]} | {_SECRECY[row.secrecy]} | {notices or '—'} |\n"


def _notice(kind: NoticeKind) -> str:
    told = (sentences.notice(kind, "Paul Morel (CHU)", language) for language in ("fr", "en"))
    return f"| `{kind}` | {' | '.join(told)} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
