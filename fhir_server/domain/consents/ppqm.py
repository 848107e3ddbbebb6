"""The Swiss form of choices: a few templates, among them the defaults of a space, each as an explicit Consent.

A default has a meaning in both states. Template 202 opens the emergency modes, which are open without it too; a
withdrawn template 202 switches both modes off. Template 203 says which visibility new documents get. The other
templates let one professional or one group in, or block one. A template that no rule here can honour is refused with
its element.

Source: CH EPR PPQm 5.0, profiles PpqmConsentTemplate201 to 304 (http://fhir.ch/ig/ch-epr-fhir/); PPQ-3.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from consent_rules.model import Directive
from consent_rules.vocabulary import DirectiveKind, Proof, Purpose
from fhir_server.domain.consents.elements import EMERGENCIES, SCOPE, has_coding, period_in, references
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.values import Json

IDENTIFIERS = "http://fhir.ch/ig/ch-epr-fhir/CodeSystem/PpqmConsentIdentifierType"
POLICIES = "urn:e-health-suisse:2015:policies:"
URI = "urn:ietf:rfc:3986"
ROLES, PURPOSES = "urn:oid:2.16.756.5.30.1.127.3.10.6", "urn:oid:2.16.756.5.30.1.127.3.10.5"
_DAY = timedelta(days=1)
_CATEGORY = ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "INFA")
_NORMAL, _RESTRICTED, _EXCLUDED = "access-level:normal", "access-level:restricted", "exclusion-list"
_LEVELS: dict[str, dict[str, DirectiveKind | None]] = {
    "202": {
        _NORMAL: None,
        _RESTRICTED: DirectiveKind.HIDDEN_IN_EMERGENCY,
        "emergency-access-level:normal": None,
        "emergency-access-level:restricted": DirectiveKind.HIDDEN_IN_EMERGENCY,
    },
    "203": {"provide-level:normal": None, "provide-level:restricted": DirectiveKind.HIDDEN_BY_DEFAULT},
    "301": {
        _NORMAL: DirectiveKind.AGREEMENT,
        _RESTRICTED: DirectiveKind.ADMINISTRATOR,
        _EXCLUDED: DirectiveKind.BLOCK,
    },
    "302": {_NORMAL: DirectiveKind.AGREEMENT},
}
"""The meaning of each level of a template; None is the rule that applies without any choice."""
_PURPOSES = {"202": {"EMER"}, "203": {"NORM", "AUTO", "DICOM_AUTO"}, "301": {"NORM"}, "302": {"NORM"}}
_NAMED = {"301": ("Practitioner/", "PractitionerRole/"), "302": ("Organization/", "CareTeam/")}
DEFAULTS = {"202": _NORMAL, "203": "provide-level:normal"}
"""The templates that are defaults of a space, each with the level of the rule that applies without any choice."""
_STATED = ("active", "inactive")
_UNSAID = frozenset({"type", "action", "class", "code", "data", "dataPeriod", "securityLabel", "provision"})
_REFUSED = {
    "201": "no consent decides a patient's access to their own space",
    "303": "only the insurer's software may record who represents the patient",
    "304": "a professional cannot give their access to somebody else",
}


def template_of(consent: Json) -> str:
    """Return the number of the template of a Consent, "" when the Consent has another form."""
    for identifier in consent.get("identifier", []):
        codings = (identifier.get("type") or {}).get("coding", [])
        if any(c.get("system") == IDENTIFIERS and c.get("code") == "templateId" for c in codings):
            return str(identifier.get("value", ""))
    return ""


def said_by(consent: Json, id_: str, *, active: bool) -> tuple[Directive, ...]:
    """Compile a Consent that has a template; nothing when it states the rule that applies without any choice.

    active: whether the Consent is in force; a withdrawn Consent has an effect only under template 202.
    Raises: Problem(BUSINESS_RULE) naming the elements that cannot be honoured.
    """
    template, provision = template_of(consent), consent.get("provision") or {}
    issues = tuple(_unhonoured(consent, template, provision))
    if issues:
        raise Problem(Category.BUSINESS_RULE, *issues)
    if not active:
        return (Directive(id_, DirectiveKind.BLOCK, purposes=EMERGENCIES),) if template == "202" else ()
    kind = _LEVELS[template][_level(consent)]
    if kind is None:
        return ()
    start, end = period_in(provision, "period")
    is_agreement = kind is DirectiveKind.AGREEMENT
    return (
        Directive(
            id_,
            kind,
            actors=frozenset(references(provision)) - {""} if template in _NAMED else frozenset(),
            purposes=frozenset({Purpose.TREATMENT}) if is_agreement else frozenset(),
            start=start,
            end=end,
            proof=Proof.WRITTEN,
        ),
    )


def consent_of(directive: Directive, patient: Json, policy_set: str) -> Json:
    """Write a directive by a template, so that it compiles to the same directive again.

    patient: the Reference of the patient. policy_set: "urn:uuid:…". Raises: ValueError when no template fits.
    """
    template, level, status = _template_for(directive)
    actor = {"reference": min(directive.actors)} if template in _NAMED else {"display": "all"}
    last = directive.end and directive.end - _DAY
    period = {name: at.date().isoformat() for name, at in (("start", directive.start), ("end", last)) if at}
    written = _from_template(template, actor, patient, policy_set)
    written["provision"] |= {"period": period} if period else {}
    return written | {"status": status, "policyRule": _rule(level)}


def default_of(template: str, patient: Json, policy_set: str) -> Json:
    """Write a default at its original level. template: a key of `DEFAULTS`; other parameters as in `consent_of`."""
    written = _from_template(template, {"display": "all"}, patient, policy_set)
    return written | {"status": "active", "policyRule": plain_rule(template)}


def plain_rule(template: str) -> Json:
    """Return the `policyRule` of a default at its original level."""
    return _rule(DEFAULTS[template])


def is_at_default(consent: Json) -> bool:
    """Tell whether a default is at its original level, the rule that applies without any choice."""
    kinds = _LEVELS.get(template_of(consent), {})
    return kinds.get(_level(consent), DirectiveKind.BLOCK) is None


def _from_template(template: str, actor: Json, patient: Json, policy_set: str) -> Json:
    return {
        "resourceType": "Consent",
        "identifier": [_identifier("policySetId", policy_set), _identifier("templateId", template)],
        "status": "active",
        "scope": _concept(*SCOPE),
        "category": [_concept(*_CATEGORY)],
        "patient": patient,
        "provision": {
            "actor": [{"role": _concept(ROLES, "HCP"), "reference": actor}],
            "purpose": [{"system": PURPOSES, "code": code} for code in sorted(_PURPOSES[template])],
        },
    }


def _rule(level: str) -> Json:
    return _concept(URI, f"{POLICIES}{level}")


def _template_for(directive: Directive) -> tuple[str, str, str]:
    """Return the template, the level and the status that state a directive."""
    if directive.kind is DirectiveKind.BLOCK and directive.purposes == EMERGENCIES and not directive.actors:
        return "202", _NORMAL, "inactive"
    for template, levels in _LEVELS.items():
        level = next((level for level, kind in levels.items() if kind is directive.kind), "")
        if level and _fits(directive, template):
            return template, level, "active"
    raise ValueError(f"no template says this `{directive.kind}`")


def _fits(directive: Directive, template: str) -> bool:
    """Tell whether a template can state the actors, purposes and days of a directive, with nothing left unstated."""
    is_agreement = directive.kind is DirectiveKind.AGREEMENT
    purposes = frozenset({Purpose.TREATMENT}) if is_agreement else frozenset[Purpose]()
    days = all(
        at is None or at == at.replace(hour=0, minute=0, second=0, microsecond=0) for at in _period_of(directive)
    )
    named = _NAMED.get(template)
    is_named = [actor.startswith(named) for actor in directive.actors] if named else None
    return (
        is_named == ([True] if named else None)
        and (named is not None or not (directive.actors or any(_period_of(directive))))
        and directive.purposes == purposes
        and days
        and not (directive.precision or directive.excluded or directive.professions)
    )


def _period_of(directive: Directive) -> tuple[datetime | None, datetime | None]:
    return directive.start, directive.end


def _unhonoured(consent: Json, template: str, provision: Json) -> Iterator[Issue]:
    if template not in _LEVELS:
        yield _cannot(_REFUSED.get(template, "there is no such template"), "Consent.identifier")
        return
    if not has_coding(consent.get("scope"), *SCOPE):
        yield _cannot("only consents of scope `patient-privacy` decide about access", "Consent.scope")
    if "modifierExtension" in consent or "modifierExtension" in provision:
        yield _cannot("the server does not know this modifier", "Consent.modifierExtension")
    if _level(consent) not in _LEVELS[template]:
        yield _cannot("the server cannot apply this level exactly", "Consent.policyRule")
    stated = {str(item.get("code", "")) for item in provision.get("purpose", [])}
    if stated != _PURPOSES[template]:
        yield _cannot("the template is for other purposes", "Consent.provision.purpose")
    for element in sorted(_UNSAID & provision.keys()):
        yield _cannot("the template must not have this element", f"Consent.provision.{element}")
    if template in DEFAULTS:
        yield from _unhonoured_default(consent, provision)
    yield from _unhonoured_actor(template, provision)


def _unhonoured_default(consent: Json, provision: Json) -> Iterator[Issue]:
    if consent.get("status") not in _STATED:
        yield _cannot("a default is `active`, or `inactive` when it is withdrawn", "Consent.status")
    if "period" in provision:
        yield _cannot("a default applies until it is changed; leave the period out", "Consent.provision.period")


def _unhonoured_actor(template: str, provision: Json) -> Iterator[Issue]:
    actors = references(provision)
    holds: Callable[[str], bool] = (
        (lambda actor: actor.startswith(_NAMED[template])) if template in _NAMED else (lambda actor: not actor)
    )
    if len(actors) != 1 or not holds(actors[0]):
        of_one = "name one actor by a reference of the type that this template needs"
        of_all = "this template is for everybody; give one actor without a reference"
        text = of_one if template in _NAMED else of_all
        yield _cannot(text, "Consent.provision.actor")
    if not all(has_coding(actor.get("role"), ROLES, "HCP") for actor in provision.get("actor", [])):
        yield _cannot("the role of every actor must be `HCP`", "Consent.provision.actor.role")


def _level(consent: Json) -> str:
    codings = (consent.get("policyRule") or {}).get("coding", [])
    codes = [str(c.get("code", "")) for c in codings if c.get("system") == URI]
    return codes[0].removeprefix(POLICIES) if len(codes) == 1 else ""


def _identifier(code: str, value: str) -> Json:
    return {"type": _concept(IDENTIFIERS, code), "value": value}


def _concept(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def _cannot(text: str, expression: str) -> Issue:
    return Issue(text, expression, "cannot-be-honoured")
