"""The words for events in a language: the readers of events build their sentences from these.

Languages are "fr" and "en"; the text of any other language is English.
"""

from functools import lru_cache

from consent_rules.vocabulary import ReviewOutcome
from fhir_server.catalogues import texts
from fhir_server.domain.events import explanations, words
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.events.rules import NoticeKind
from fhir_server.domain.events.words import DECISIONS, NOTICES, REVIEWS, WORDS, Words
from fhir_server.registry import REGISTRY
from fhir_server.registry.model import Words as Names

_DIRECTORY = {
    "en": Names("an entry of the directory", "of an entry of the directory", "the directory", "the directory"),
    "fr": Names("une entrée de l’annuaire", "d’une entrée de l’annuaire", "l’annuaire", "l’annuaire"),
}
_UNKNOWN = {
    "en": Names(
        "something in the space", "of something in the space", "something in the space", "something in the space"
    ),
    "fr": Names("un élément de l’espace", "d’un élément de l’espace", "un élément de l’espace", "un élément"),
}
"""For a type that this server does not have: a request may ask for anything, and no event repeats what it asked for."""


@lru_cache(maxsize=1024)
def act(kind: EventKind, resource_type: str, language: str) -> Words:
    """Return what somebody did and wanted to do. resource_type: "" for none. The name of the app is left open."""
    said, names = WORDS[kind], _names(resource_type, language)
    return Words(*(_filled(_say(f"{kind} {form}", text, language), names) for form, text in _forms(said)))


def wanted(kind: EventKind, resource_type: str, language: str) -> str:
    """Return the sentence, without its subject, that somebody wanted to do something and did not."""
    return phrase(words.WANTED, language).replace("%(act)s", act(kind, resource_type, language).wish)


def notice(kind: NoticeKind, who: str | None, language: str) -> str:
    """Return the sentence of a notice. who: the party and the establishment, None for unnamed software."""
    said = NOTICES[kind]
    if isinstance(said, EventKind):
        text = f"%(who)s {act(said, '', language).did}."
    else:
        text = _say(f"notice {kind}", said, language)
    return text.replace("%(who)s", who or phrase(words.SOFTWARE, language))


def notice_label(kind: NoticeKind, language: str) -> str:
    """Return what notices of a kind are about, for a list from which a person chooses."""
    return _say(f"notice {kind} label", kind.label, language)


def result(kind: NoticeKind, outcome: ReviewOutcome, language: str) -> str:
    """Return what a notice says of the outcome of a review or of a contest."""
    return phrase((DECISIONS if kind is NoticeKind.DECIDED else REVIEWS)[outcome], language)


def ground(basis: str, grade: str, language: str) -> str:
    """Return the words for the basis of an access; the code itself when it is unknown.

    grade: of the evidence, "" for none, or for an event of a version that knew no grades.
    """
    graded = explanations.GROUNDS_BY_GRADE.get((basis, grade))
    if graded:
        return _say(f"ground {basis} {grade}", graded, language)
    text = explanations.GROUNDS.get(basis)
    return _say(f"ground {basis}", text, language) if text else basis


@lru_cache(maxsize=64)
def grade(code: str, language: str) -> str:
    """Return the words for the grade of the evidence behind an access."""
    return _say(f"grade {code}", explanations.GRADES[code], language)


def refusal(reason: str, language: str) -> str:
    """Return the words for the reason of a refusal; the code itself when it is unknown."""
    text = explanations.REFUSALS.get(reason)
    return _say(f"refusal {reason}", text, language) if text else reason


def phrase(text: str, language: str) -> str:
    """Return one of the phrases that belong to no kind."""
    return _say("phrase", text, language)


def _forms(said: Words) -> tuple[tuple[str, str], ...]:
    return ("did", said.did), ("wish", said.wish)


def _say(context: str, text: str, language: str) -> str:
    return str(texts(language, "events").pgettext(context, text))


def _names(type_: str, language: str) -> Names:
    row = REGISTRY.get(type_)
    found = (row.words or _DIRECTORY) if row else _UNKNOWN
    return found.get(language) or found["en"]


def _filled(text: str, names: Names) -> str:
    filled = text.replace("%(thing)s", names.one).replace("%(of_thing)s", names.of_one)
    return filled.replace("%(things)s", names.every)
