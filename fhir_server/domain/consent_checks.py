"""What of a Consent cannot be honoured exactly: each such element is named, so that nothing is ignored in silence.

Source: IHE PCF 1.1 (https://profiles.ihe.net/ITI/PCF/), elements of the three Consent profiles.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from consent_rules.vocabulary import DirectiveKind
from fhir_server.domain.consent_elements import (
    DECLARED,
    EMERGENCIES,
    RECIPIENT,
    SCOPE,
    custodians,
    has_coding,
    is_unknown_kind,
    kind_of,
    known_purposes,
    references,
)
from fhir_server.domain.problem import Issue

Json = dict[str, Any]

PERSONS = frozenset({DirectiveKind.DECLARED_PHYSICIAN, DirectiveKind.ADMINISTRATOR, DirectiveKind.EMERGENCY_OPENING})
"""Directives that name exactly one professional."""
RELATED = frozenset({DirectiveKind.REPRESENTATIVE, DirectiveKind.GUARDIAN, DirectiveKind.CARER})
"""Directives that name exactly one related person."""
_SETTINGS = frozenset(
    {
        DirectiveKind.HIDDEN_IN_EMERGENCY,
        DirectiveKind.HIDDEN_BY_DEFAULT,
        DirectiveKind.CARE_HISTORY_HIDDEN,
        DirectiveKind.ASK_FIRST,
        DirectiveKind.AT_ONCE,
    }
)
_LIMITED = frozenset({DirectiveKind.AGREEMENT, DirectiveKind.CARER})
_UNSAID = frozenset({"class", "securityLabel", "action", "data", "dataPeriod"})
_REFERENCE = re.compile(r"(Practitioner|PractitionerRole|Organization|CareTeam|RelatedPerson)/[A-Za-z0-9\-.]{1,64}")
_KIND_RULES: tuple[tuple[Callable[[Json, Json, DirectiveKind], bool], str, str], ...] = (
    (lambda c, _, k: k is DirectiveKind.BLOCK_LIFTED or is_unknown_kind(c), "no such directive", "policyRule"),
    (
        lambda _, p, k: (k is DirectiveKind.BLOCK) is not (p.get("type") == "deny"),
        "this directive is stated the other way round",
        "provision.type",
    ),
    (
        lambda _, p, k: "code" in p and k not in _LIMITED,
        "only an agreement or a carer can be limited to document types",
        "provision.code",
    ),
    (
        lambda _, p, k: k in _SETTINGS and bool(references(p)),
        "a setting of the whole space names nobody",
        "provision.actor",
    ),
    (
        lambda _, p, k: k in RELATED | PERSONS and len(references(p)) != 1,
        "exactly one person is named here",
        "provision.actor",
    ),
    (
        lambda c, p, k: k is DirectiveKind.AGREEMENT and not references(p) and not custodians(c),
        "name the professional, establishment or care team",
        "provision.actor",
    ),
    (
        lambda _, p, k: k is DirectiveKind.CARER and "end" not in (p.get("period") or {}),
        "a carer is named until a date",
        "provision.period.end",
    ),
    (
        lambda _, p, _k: bool(p.get("purpose")) and not known_purposes(p),
        "none of these purposes is served here",
        "provision.purpose",
    ),
)
"""(what is broken, why, which element): what each kind of directive must and must not say."""


def missing(consent: Json, provision: Json) -> Iterator[Issue]:
    """Name every element without which a Consent says nothing."""
    for name, value in (("dateTime", consent.get("dateTime")), ("provision.type", provision.get("type"))):
        if not value:
            yield Issue("this element is required", f"Consent.{name}", "required")


def unhonoured(consent: Json, provision: Json) -> Iterator[Issue]:
    """Name every element that would have to be ignored."""
    if not has_coding(consent.get("scope"), *SCOPE):
        yield _cannot("only consents of scope `patient-privacy` decide about access", "Consent.scope")
    for element in sorted(_UNSAID & provision.keys()):
        yield _cannot("access cannot be limited by this element here", f"Consent.provision.{element}")
    for name in ("modifierExtension",):
        if name in consent or name in provision:
            yield _cannot("an unknown modifier may change the meaning", f"Consent.{name}")
    kind = kind_of(consent, provision)
    yield from _unhonoured_actors(provision, "Consent.provision", kind)
    yield from _unhonoured_kind(consent, provision, kind)
    for index, nested in enumerate(provision.get("provision", [])):
        path = f"Consent.provision.provision[{index}]"
        if not (_is_emergency_exception(provision, nested) or _is_actor_exception(provision, nested)):
            yield _cannot("this exception cannot be honoured exactly", path)
        yield from _unhonoured_actors(nested, path, kind)


def _unhonoured_kind(consent: Json, provision: Json, kind: DirectiveKind) -> Iterator[Issue]:
    for broken, text, element in _KIND_RULES:
        if broken(consent, provision, kind):
            yield _cannot(text, f"Consent.{element}")


def _unhonoured_actors(provision: Json, path: str, kind: DirectiveKind) -> Iterator[Issue]:
    for index, actor in enumerate(provision.get("actor", [])):
        reference = str((actor.get("reference") or {}).get("reference", ""))
        where = f"{path}.actor[{index}]"
        if not _REFERENCE.fullmatch(reference):
            yield _cannot("no person, establishment or care team whose identity can be verified", f"{where}.reference")
        elif reference.startswith("RelatedPerson/") is not (kind in RELATED):
            yield _cannot("this party cannot have this role", f"{where}.reference")
        if not (has_coding(actor.get("role"), *RECIPIENT) or has_coding(actor.get("role"), *DECLARED)):
            yield _cannot("only recipients and the declared physician are known roles", f"{where}.role")


def _is_emergency_exception(provision: Json, nested: Json) -> bool:
    """A root deny that leaves an emergency mode open."""
    purposes = known_purposes(nested)
    only = nested.keys() <= {"type", "purpose"}
    permitted = provision.get("type") == "deny" and nested.get("type") == "permit"
    return permitted and only and bool(purposes) and purposes <= EMERGENCIES


def _is_actor_exception(provision: Json, nested: Json) -> bool:
    """A root permit that leaves somebody out."""
    return (
        provision.get("type") == "permit"
        and nested.get("type") == "deny"
        and bool(nested.get("actor"))
        and nested.keys() <= {"type", "actor"}
    )


def _cannot(text: str, expression: str) -> Issue:
    return Issue(text, expression, "cannot-be-honoured")
