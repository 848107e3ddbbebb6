"""Scopes in words that the person who decides understands.

What a scope is about comes from the registry in both languages; the other words are message ids of the catalogue
`oauth`, and pages translate them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from consent_rules.scopes import Scope, Scopes
from fhir_server.registry import OWNED, REGISTRY

_ACTIONS = (("r", "read"), ("s", "search"), ("c", "add"), ("u", "change"), ("d", "delete"))
_EVERYTHING = {"en": "everything that is kept here", "fr": "tout ce qui est conservé ici"}
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
    """One scope in words.

    value: what the form sends back. noun: by language. kinds: the document kinds that the scope is limited to.
    """

    value: str
    actions: tuple[str, ...]
    noun: Mapping[str, str]
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
    return ScopeInWords(
        str(scope), actions, _noun(scope.type), _WHOSE.get(scope.level, ""), tuple(kinds.split(",")) if kinds else ()
    )


def _noun(type_: str) -> Mapping[str, str]:
    if type_ == "*":
        return _EVERYTHING
    row = REGISTRY.get(type_) or OWNED.get(type_)
    words = row.words if row else {}
    return {language: words[language].shared if words else type_ for language in _EVERYTHING}
