"""What each kind of directive must and must not state, as a table: each element that breaks a rule is named.

Source: docs/consents.md; IHE PCF 1.1 (https://profiles.ihe.net/ITI/PCF/).
"""

from collections.abc import Callable, Iterator

from consent_rules.vocabulary import SETTINGS, DirectiveKind
from fhir_server.domain.consents.elements import (
    LIMITS,
    RELATIVE,
    custodians,
    is_limited,
    is_unknown_kind,
    known_purposes,
    names_relative,
    references,
)
from fhir_server.domain.problem import Issue
from fhir_server.domain.values import Json

PERSONS = frozenset({DirectiveKind.DECLARED_PHYSICIAN, DirectiveKind.ADMINISTRATOR, DirectiveKind.EMERGENCY_OPENING})
"""Directives that name exactly one professional."""
RELATED = frozenset({DirectiveKind.REPRESENTATIVE, DirectiveKind.GUARDIAN, DirectiveKind.CARER})
"""Directives that name exactly one related person."""
_LIMITED = frozenset({DirectiveKind.AGREEMENT, DirectiveKind.WITHHELD, DirectiveKind.CARER})
"""Directives that may cover some documents only; a party who by law has the whole record cannot be limited (D4, E4)."""
BY_MINOR = frozenset({DirectiveKind.AGREEMENT, DirectiveKind.WITHHELD})
"""Directives by which a minor may limit what a guardian sees (B2)."""
DENIALS = frozenset({DirectiveKind.BLOCK, DirectiveKind.WITHHELD})
_KIND_RULES: tuple[tuple[Callable[[Json, Json, DirectiveKind], bool], str, str], ...] = (
    (lambda c, _, k: k is DirectiveKind.BLOCK_LIFTED or is_unknown_kind(c), "no such directive", "policyRule"),
    (
        lambda _, p, k: (k in DENIALS) is not (p.get("type") == "deny"),
        "this kind of choice needs the other provision type (`permit` or `deny`)",
        "provision.type",
    ),
    (
        lambda _, p, k: k is DirectiveKind.WITHHELD and not (is_limited(p) or names_relative(p)),
        "say which documents are withheld",
        "provision.data",
    ),
    (
        lambda _, p, k: k is DirectiveKind.AGREEMENT and names_relative(p) and not is_limited(p),
        "say which documents are shared with the legal representative",
        "provision.data",
    ),
    (
        lambda _, p, k: k in BY_MINOR and names_relative(p) and not _names_relatives_only(p),
        "a choice about a legal representative must not name anybody else",
        "provision.actor",
    ),
    (
        lambda _, p, k: k in BY_MINOR and names_relative(p) and "purpose" in p,
        "a choice about a legal representative applies to every purpose; leave the purpose out",
        "provision.purpose",
    ),
    (
        lambda _, p, k: k in SETTINGS and bool(references(p)),
        "a setting of the whole space must not name anybody",
        "provision.actor",
    ),
    (
        lambda _, p, k: k is DirectiveKind.HIDDEN_BY_DEFAULT and "period" in p,
        "this choice applies from now until it is changed; leave the period out",
        "provision.period",
    ),
    (
        lambda _, p, k: k in RELATED | PERSONS and len(references(p)) != 1,
        "name exactly one person",
        "provision.actor",
    ),
    (
        lambda c, p, k: k is DirectiveKind.AGREEMENT and not references(p) and not custodians(c),
        "name the professional, establishment or care team",
        "provision.actor",
    ),
    (
        lambda _, p, k: k is DirectiveKind.CARER and "end" not in (p.get("period") or {}),
        "state the date until which the person is a carer",
        "provision.period.end",
    ),
    (
        lambda _, p, _k: bool(p.get("purpose")) and not known_purposes(p),
        "the server supports none of these purposes",
        "provision.purpose",
    ),
)
"""(what is broken, why, which element): what each kind of directive must and must not say."""


def unhonoured_kind(consent: Json, provision: Json, kind: DirectiveKind) -> Iterator[Issue]:
    """Name every element that this kind of directive must not state, or that it lacks."""
    for broken, text, element in _KIND_RULES:
        if broken(consent, provision, kind):
            yield _cannot(text, f"Consent.{element}")
    for element in sorted(LIMITS & provision.keys()) if kind not in _LIMITED else ():
        text = "only an agreement, a refusal or a carer can be limited to some documents"
        yield _cannot(text, f"Consent.provision.{element}")


def _names_relatives_only(provision: Json) -> bool:
    return all(reference.startswith(RELATIVE) for reference in references(provision))


def _cannot(text: str, expression: str) -> Issue:
    return Issue(text, expression, "cannot-be-honoured")
