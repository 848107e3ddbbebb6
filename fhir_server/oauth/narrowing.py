"""What of a requested scope may be granted: narrowed by public facts only, never by a patient's choice.

The client's registration, the published matrix row of the profession, and what the kind of party may ask at all.
A scope is a ceiling: the rules judge every request anyway.
Source: SMART App Launch 2.2, scopes and launch context.
"""

import re

from consent_rules.scopes import Scopes
from consent_rules.vocabulary import RequesterKind
from fhir_server.application.app_authorization import Party
from fhir_server.application.runtime import Runtime

BREAK_GLASS = "__break-glass"
_CLINICAL = re.compile(r"(patient|user|system)/(\*|[A-Z][A-Za-z]*)\.([a-z*]+)(\?.*)?")
_LETTERS = {"read": "rs", "write": "cud", "*": "cruds"}
_FREE = frozenset({"openid", "fhirUser", "profile", "launch", "launch/patient", "offline_access", "online_access"})
_DOCUMENTS = "DocumentReference"


def meet(asked: str, ceiling: str) -> str:
    """Return what two scope strings have in common; identity and launch scopes pass when both have them."""
    return str(Scopes.parse(asked).meet(Scopes.parse(ceiling)))


def for_backend(runtime: Runtime, asked: str, party: Party, level: str) -> str:
    """Return what software may be granted: one level only, and no identity or launch scopes."""
    granted = meet(asked, party.client.scopes).split()
    return _finish(runtime, [scope for scope in granted if scope.startswith(f"{level}/")], party)


def for_person(runtime: Runtime, asked: str, party: Party, *, emergency: bool) -> str:
    """Return what an app may be granted for a person in a capacity, in the shortest form."""
    granted = [scope for scope in meet(asked, party.client.scopes).split() if _is_for_people(scope)]
    if emergency:
        granted = [scope for scope in granted if scope not in {"offline_access", "online_access"}]
        granted = [_letters_only(scope, "rs") for scope in granted if not scope.startswith("user/")]
    return _finish(runtime, [scope for scope in granted if scope], party)


def _is_for_people(scope: str) -> bool:
    return scope in _FREE or scope == BREAK_GLASS or scope.startswith(("patient/", "user/"))


def _finish(runtime: Runtime, scopes: list[str], party: Party) -> str:
    requester = party.requester
    if requester.kind is RequesterKind.PROFESSIONAL:
        kinds = runtime.matrix.kinds_for(requester.profession, requester.specialty)
        everything = kinds >= runtime.matrix.kinds
        scopes = [part for scope in scopes for part in _for_profession(scope, kinds, everything=everything)]
    text = " ".join(dict.fromkeys(scopes))
    return text if len(set(scopes)) < 2 else _shortest(text)  # noqa: PLR2004


def _shortest(text: str) -> str:
    parsed = str(Scopes.parse(text))
    return parsed or text


def _for_profession(scope: str, kinds: frozenset[str], *, everything: bool) -> list[str]:
    """Cut a scope to the matrix row: reading to the kinds it opens, no deletion; what is complete stays as asked."""
    found = _CLINICAL.fullmatch(scope)
    if found is None:
        return [scope]
    level, type_, letters, query = found.group(1, 2, 3, 4)
    letters = _LETTERS.get(letters, letters)
    kept = letters.replace("d", "") if type_ in {_DOCUMENTS, "*"} else letters
    if everything or type_ != _DOCUMENTS or query or not set(kept) & set("rs"):
        same = kept == letters
        return [scope] if same else [f"{level}/{type_}.{kept}{query or ''}"] if kept else []
    reading = "".join(letter for letter in kept if letter in "rs")
    writing = "".join(letter for letter in kept if letter in "cu")
    narrowed = [f"{level}/{type_}.{reading}?type={','.join(sorted(kinds))}"] if kinds else []
    return ([f"{level}/{type_}.{writing}"] if writing else []) + narrowed


def _letters_only(scope: str, allowed: str) -> str:
    """Cut a clinical scope to some letters; "" when nothing is left, other scopes unchanged."""
    found = _CLINICAL.fullmatch(scope)
    if found is None:
        return scope
    level, type_, letters, query = found.group(1, 2, 3, 4)
    kept = "".join(letter for letter in _LETTERS.get(letters, letters) if letter in allowed)
    return f"{level}/{type_}.{kept}{query or ''}" if kept else ""


def clinical(scopes: str) -> tuple[str, ...]:
    """Return the scopes that give access to resources."""
    return tuple(scope for scope in scopes.split() if _CLINICAL.fullmatch(scope))
