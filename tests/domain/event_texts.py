"""The French catalogue of events: `python -m tests.domain.event_texts` brings it up to date.

The texts come from the tables of words, so that each kind has its own. New texts are added empty (and printed); texts
that no table holds any more are dropped.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from fhir_server.domain.events import explanations, words
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.events.rules import NoticeKind

PO = Path(__file__).parents[2] / "fhir_server" / "translations" / "fr" / "LC_MESSAGES" / "events.po"
_WHEN = datetime(2026, 3, 1, tzinfo=UTC)


def texts() -> Iterator[tuple[str, str]]:
    """Yield every text with its context."""
    for kind, said in words.WORDS.items():
        yield f"{kind} did", said.did
        yield f"{kind} wish", said.wish
    yield from ((f"notice {kind}", said) for kind, said in words.NOTICES.items() if not isinstance(said, EventKind))
    yield from ((f"notice {kind} label", kind.label) for kind in NoticeKind)
    yield from ((f"ground {code}", said) for code, said in explanations.GROUNDS.items())
    yield from ((f"ground {code} {grade}", said) for (code, grade), said in explanations.GROUNDS_BY_GRADE.items())
    yield from ((f"grade {code}", said) for code, said in explanations.GRADES.items())
    yield from ((f"refusal {code}", said) for code, said in explanations.REFUSALS.items())
    phrases = (words.WANTED, words.WITHOUT_LOGIN, words.SOFTWARE, words.TO_REVIEW, words.OPENED_ON)
    yield from (("phrase", said) for said in phrases)
    yield from (
        ("phrase", said)
        for said in (
            *words.REVIEWS.values(),
            *words.DECISIONS.values(),
            *words.PROOFS.values(),
            *words.GRADES.values(),
            explanations.BY_APP,
            explanations.RESTORED,
        )
    )


def catalogue() -> Catalog:
    """Read the French catalogue."""
    with PO.open("rb") as file:
        return read_po(file, locale="fr")


def bring_up_to_date() -> list[str]:
    """Rewrite the catalogue; return the texts that wait for their French."""
    old, new = catalogue(), Catalog("fr", header_comment="# French texts of events.", msgid_bugs_address="none")
    new.project, new.version, new.last_translator, new.language_team = "habilis", "1", "habilis", "fr"
    new.mime_headers = [("Plural-Forms", "nplurals=2; plural=(n > 1);")]  # what Babel says of French depends on it
    new.creation_date = new.revision_date = _WHEN
    waiting = []
    for context, text in texts():
        known = old.get(text, context)
        new.add(text, known.string if known else "", context=context)
        if known is None or not known.string:
            waiting.append(f"{context}: {text}")
    with PO.open("wb") as file:
        write_po(file, new, width=110, sort_output=True)
    return waiting


if __name__ == "__main__":
    print("\n".join(bring_up_to_date()) or "complete")  # noqa: T201 - a command prints
