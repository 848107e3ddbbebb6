"""What of a requested scope may be granted: narrowed by public facts only, never by a patient's choice.

The client's registration, the published matrix row of the profession, and what the kind of party may ask at all.
A scope is a ceiling: the rules judge every request anyway.
Source: SMART App Launch 2.2, scopes and launch context.
"""

from collections.abc import Iterable
from dataclasses import replace

from consent_rules.model import Requester
from consent_rules.scopes import Scope, Scopes
from consent_rules.vocabulary import RequesterKind
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity.accounts import Grantee
from fhir_server.application.identity.clients import ClientKind

BREAK_GLASS = "__break-glass"
RENEWABLE = frozenset({"offline_access", "online_access"})
_FOR_PEOPLE = RENEWABLE | {"openid", "fhirUser", "profile", "launch", "launch/patient", BREAK_GLASS}
_DOCUMENTS = "DocumentReference"
_DECLARABLE = "10"
_DECLARED = "PCP"


def meet(asked: str, ceiling: str) -> Scopes:
    """Return what two scope strings have in common."""
    return Scopes.parse(asked).meet(Scopes.parse(ceiling))


def for_backend(runtime: Runtime, asked: str, party: Grantee) -> str:
    """Return what software may be granted: system/ for itself, user/ for a professional it acts for; nothing else."""
    level = "user" if party.account else "system"
    common = meet(asked, party.client.scopes)
    return _written(runtime, party.requester, (s for s in common.resources if s.level == level), frozenset())


def for_person(runtime: Runtime, asked: str, party: Grantee, *, emergency: bool) -> str:
    """Return what an app may be granted for a person in a capacity, in the shortest form."""
    common = meet(asked, party.client.scopes)
    resources = [scope for scope in common.resources if scope.level != "system"]
    other = common.other & _FOR_PEOPLE
    if any(scope.level == "patient" for scope in resources):
        other |= {"launch/patient"} & Scopes.parse(asked).other
    if party.client.kind is ClientKind.REGULATION:
        other -= {"offline_access"}
    if emergency:
        other -= RENEWABLE
        resources = [cut for scope in resources if scope.level == "patient" for cut in _lettered(scope, "rs")]
    return _written(runtime, party.requester, resources, other)


def _written(runtime: Runtime, requester: Requester, resources: Iterable[Scope], other: frozenset[str]) -> str:
    found = tuple(resources)
    if requester.kind is RequesterKind.PROFESSIONAL:
        kinds = readable(runtime, requester)
        complete = kinds >= runtime.matrix.kinds_for(_DECLARED)
        found = tuple(part for scope in found for part in _for_profession(scope, kinds, complete=complete))
    return str(Scopes.parse(str(Scopes(found, other))))


def readable(runtime: Runtime, requester: Requester) -> frozenset[str]:
    """Return the document kinds that a profession may ever read.

    A physician may be somebody's declared attending physician, who reads every kind.
    """
    kinds = runtime.matrix.kinds_for(requester.profession, requester.specialty)
    return kinds | runtime.matrix.kinds_for(_DECLARED) if requester.profession == _DECLARABLE else kinds


def _for_profession(scope: Scope, kinds: frozenset[str], *, complete: bool) -> tuple[Scope, ...]:
    """Cut a scope to the matrix row: reading to the kinds it opens, and no deletion; the rest stays as asked."""
    if scope.type not in {_DOCUMENTS, "*"}:
        return (scope,)
    kept = _lettered(scope, "crus")
    if complete or scope.type != _DOCUMENTS:
        return kept
    row = Scope(scope.level, _DOCUMENTS, "rs", (("type", ",".join(sorted(kinds))),)) if kinds else None
    reading = row.meet(scope) if row else None
    return _lettered(scope, "cu") + ((reading,) if reading else ())


def _lettered(scope: Scope, allowed: str) -> tuple[Scope, ...]:
    """Cut a scope to some letters; nothing when none is left."""
    letters = "".join(letter for letter in scope.letters if letter in allowed)
    if not letters:
        return ()
    return (scope,) if letters == scope.letters else (replace(scope, letters=letters, v1=False),)


def unreadable(scopes: str) -> tuple[str, ...]:
    """Return the words of a scope string that are no scope, or none that can be honoured exactly; ten at most."""
    return tuple(word for word in dict.fromkeys(scopes.split()) if not Scopes.parse(word))[:10]


def clinical(scopes: str) -> tuple[str, ...]:
    """Return the scopes that give access to resources, each as it is written."""
    return tuple(str(scope) for scope in Scopes.parse(scopes).resources)
