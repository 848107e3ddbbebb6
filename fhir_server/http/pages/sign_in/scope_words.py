"""Scopes in words that the person who decides understands.

The words are message ids of the catalogue `oauth`; pages translate them.
"""

from dataclasses import dataclass

from consent_rules.scopes import Scope, Scopes

_ACTIONS = (("r", "read"), ("s", "search"), ("c", "add"), ("u", "change"), ("d", "delete"))
_NOUNS = {
    "DocumentReference": "documents",
    "Binary": "the content of documents",
    "List": "submission sets and folders",
    "Patient": "identity",
    "RelatedPerson": "representatives and relatives",
    "Consent": "access choices",
    "AuditEvent": "the journal of accesses",
    "*": "everything that is kept here",
}
_WHOSE = {"patient": "of the patient in context", "user": "of the patients whose space is open to you"}
_OTHERS = {
    "openid": "know that it is you, by a pseudonym",
    "fhirUser": "know your professional or personal record here",
    "profile": "know your name",
    "offline_access": "go on when you are away, until the date below",
    "online_access": "go on as long as you stay signed in",
}


@dataclass(frozen=True, slots=True)
class ScopeInWords:
    """One scope in words. value: what the form sends back; kinds: the document kinds that the scope is limited to."""

    value: str
    actions: tuple[str, ...]
    noun: str
    whose: str
    kinds: tuple[str, ...] = ()


def tell(scopes: str) -> tuple[ScopeInWords, ...]:
    """Return the scopes that give access to resources, in words."""
    return tuple(_told(scope) for scope in Scopes.parse(scopes).resources)


def others(scopes: str) -> tuple[str, ...]:
    """Return the other things that an app will be able to do, in words."""
    words = Scopes.parse(scopes).other
    return tuple(text for word, text in _OTHERS.items() if word in words)


def _told(scope: Scope) -> ScopeInWords:
    actions = tuple(word for letter, word in _ACTIONS if letter in scope.letters)
    kinds = dict(scope.query).get("type", "")
    noun = _NOUNS.get(scope.type, scope.type)
    return ScopeInWords(
        str(scope), actions, noun, _WHOSE.get(scope.level, ""), tuple(kinds.split(",")) if kinds else ()
    )
