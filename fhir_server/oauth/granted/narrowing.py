"""How much of a requested scope may be granted: limited by public facts only, never by a patient's choice.

These facts are the client's registration, the profession's row in the published matrix, and the kind of party.
A scope is only an upper limit: the rules decide about every request anyway.
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
from fhir_server.registry import DOCUMENTS, REGISTRY

BREAK_GLASS = "__break-glass"
RENEWABLE = frozenset({"offline_access", "online_access"})
_FOR_PEOPLE = RENEWABLE | {"openid", "fhirUser", "profile", "launch", "launch/patient", BREAK_GLASS}
_DECLARABLE = "10"
_DECLARED = "PCP"


def meet(asked: str, ceiling: str) -> Scopes:
    """Return the intersection of two scope strings."""
    return Scopes.parse(asked).meet(Scopes.parse(ceiling))


def for_backend(runtime: Runtime, asked: str, party: Grantee) -> str:
    """Return what software may be granted: system/ for itself, user/ for a professional it acts for; nothing else."""
    level = "user" if party.account else "system"
    common = meet(asked, party.client.scopes)
    return _written(runtime, party.requester, (s for s in common.resources if s.level == level), frozenset())


def for_person(runtime: Runtime, asked: str, party: Grantee, *, emergency: bool) -> str:
    """Return what an app may be granted for a person in a capacity, in its shortest form."""
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

    A physician may be a patient's declared attending physician, who reads every kind.
    """
    kinds = runtime.matrix.kinds_for(requester.profession, requester.specialty)
    return kinds | runtime.matrix.kinds_for(_DECLARED) if requester.profession == _DECLARABLE else kinds


def _for_profession(scope: Scope, kinds: frozenset[str], *, complete: bool) -> tuple[Scope, ...]:
    """Limit a scope to the matrix row: reading only permitted kinds, and no deletion; the rest stays as requested."""
    if scope.type not in DOCUMENTS and scope.type != "*":
        return (scope,)
    kept = _lettered(scope, "crus")
    if complete or scope.type not in DOCUMENTS:
        return kept
    if REGISTRY[scope.type].kind:
        return kept if REGISTRY[scope.type].kind in kinds else _lettered(scope, "cu")
    row = Scope(scope.level, scope.type, "rs", (("type", ",".join(sorted(kinds))),)) if kinds else None
    reading = row.meet(scope) if row else None
    return _lettered(scope, "cu") + ((reading,) if reading else ())


def _lettered(scope: Scope, allowed: str) -> tuple[Scope, ...]:
    """Limit a scope to some letters; return nothing when no letter remains."""
    letters = "".join(letter for letter in scope.letters if letter in allowed)
    if not letters:
        return ()
    return (scope,) if letters == scope.letters else (replace(scope, letters=letters, v1=False),)


def unreadable(scopes: str) -> tuple[str, ...]:
    """Return the words of a scope string that are not scopes, or that the server cannot honour exactly; ten at most."""
    return tuple(word for word in dict.fromkeys(scopes.split()) if not Scopes.parse(word))[:10]


def clinical(scopes: str) -> tuple[str, ...]:
    """Return the scopes that give access to resources, each as it was written."""
    return tuple(str(scope) for scope in Scopes.parse(scopes).resources)
