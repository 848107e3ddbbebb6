"""Elements of a Consent that the server cannot honour exactly: each is named, so that none is ignored in silence.

Source: IHE PCF 1.1 (https://profiles.ihe.net/ITI/PCF/), elements of the three Consent profiles.
"""

import re
from collections.abc import Iterator

from consent_rules.vocabulary import DirectiveKind
from fhir_server.domain.consents.elements import (
    DECLARED,
    EMERGENCIES,
    INSTANCE,
    LIMITS,
    RECIPIENT,
    RELATIVE,
    SCOPE,
    class_of,
    document_of,
    has_coding,
    is_limited,
    kind_of,
    known_purposes,
    label_of,
    names_relative,
    nested_of,
    profession_of,
)
from fhir_server.domain.consents.kinds import BY_MINOR, DENIALS, RELATED, unhonoured_kind
from fhir_server.domain.problem import Issue
from fhir_server.domain.values import Json

MOST_DOCUMENTS = 200
"""Most documents in one provision; each is looked up with all documents of its replacement chain."""
MOST_PARTS = 200
"""Most actors, or exceptions, in one provision: each decision about the space loads them."""
_ACTORS = frozenset({"type", "actor"})
_UNSAID = frozenset({"action"})
_REFERENCE = re.compile(r"(Practitioner|PractitionerRole|Organization|CareTeam|RelatedPerson)/[A-Za-z0-9\-.]{1,64}")


def missing(consent: Json, provision: Json) -> Iterator[Issue]:
    """Name every missing element without which a Consent states nothing."""
    exceptions = enumerate(provision.get("provision", []))
    typed = {"provision": provision} | {f"provision.provision[{index}]": nested for index, nested in exceptions}
    stated = {"dateTime": consent.get("dateTime")} | {f"{path}.type": item.get("type") for path, item in typed.items()}
    for name, value in stated.items():
        if not value:
            yield Issue("this element is required", f"Consent.{name}", "required")


_UNVERIFIED = "name a person, establishment or care team whose identity the server can verify"


def unhonoured(consent: Json, provision: Json) -> Iterator[Issue]:
    """Name every element that the server would have to ignore."""
    if not has_coding(consent.get("scope"), *SCOPE):
        yield _cannot("only consents of scope `patient-privacy` decide about access", "Consent.scope")
    for element in sorted(_UNSAID & provision.keys()):
        yield _cannot("the server cannot limit access by this element", f"Consent.provision.{element}")
    if "modifierExtension" in consent or "modifierExtension" in provision:
        yield _cannot("the server does not know this modifier", "Consent.modifierExtension")
    kind = kind_of(consent, provision)
    yield from _unhonoured_actors(provision, "Consent.provision", kind)
    yield from unhonoured_kind(consent, provision, kind)
    yield from _unhonoured_limits(provision, "Consent.provision")
    for index, nested in enumerate(provision.get("provision", [])):
        path = f"Consent.provision.provision[{index}]"
        if not _is_exception(provision, nested, kind):
            yield _cannot("the server cannot apply this exception exactly", path)
        yield from _unhonoured_actors(nested, path, kind)
        yield from _unhonoured_limits(nested, path)


def excepted_of(provision: Json) -> list[Json]:
    """Return the exceptions that only exclude somebody from what the root provision says."""
    opposite = "permit" if provision.get("type") == "deny" else "deny"
    return [item for item in nested_of(provision, opposite) if item.keys() == _ACTORS]


def speaks_for_itself(provision: Json, nested: Json) -> bool:
    """Tell whether an exception is a directive of its own about documents, which withholds some or opens more.

    In a deny, only the documents that a minor leaves visible to a guardian are such a directive.
    """
    if names_relative(provision):
        return nested.keys() <= {"type"} | LIMITS and is_limited(nested) and nested.get("type") != provision.get("type")
    widens = nested.get("type") == "permit" and "actor" in nested
    return (
        provision.get("type") == "permit"
        and nested.keys() <= _ACTORS | LIMITS
        and (is_limited(nested) or (widens and is_limited(provision)))
    )


def _unhonoured_actors(provision: Json, path: str, kind: DirectiveKind) -> Iterator[Issue]:
    for index, actor in enumerate(provision.get("actor", [])):
        reference = str((actor.get("reference") or {}).get("reference", ""))
        where = f"{path}.actor[{index}]"
        if kind is DirectiveKind.WITHHELD and path != "Consent.provision" and profession_of(actor):
            continue
        if not _REFERENCE.fullmatch(reference):
            yield _cannot(_UNVERIFIED, f"{where}.reference")
        elif not _may_be(reference, kind, is_root=path == "Consent.provision"):
            yield _cannot("this party cannot have this role", f"{where}.reference")
        if not (has_coding(actor.get("role"), *RECIPIENT) or has_coding(actor.get("role"), *DECLARED)):
            yield _cannot("the role must be recipient or declared physician", f"{where}.role")


def _may_be(reference: str, kind: DirectiveKind, *, is_root: bool) -> bool:
    """Tell whether a party may have the role that a directive gives it; exceptions name professionals alone."""
    if reference.startswith(RELATIVE):
        return kind in RELATED or (kind in BY_MINOR and is_root)
    return kind not in RELATED


def _unhonoured_limits(provision: Json, path: str) -> Iterator[Issue]:
    for element in ("actor", "provision"):
        if len(provision.get(element, [])) > MOST_PARTS:
            yield _cannot(f"one consent has at most {MOST_PARTS} of these", f"{path}.{element}")
    yield from _unhonoured_data(provision, path)
    for element, read in (("class", class_of), ("securityLabel", label_of)):
        for index, coding in enumerate(provision.get(element, [])):
            if not read(coding):
                yield _cannot("the server cannot select documents by this code", f"{path}.{element}[{index}]")


def _unhonoured_data(provision: Json, path: str) -> Iterator[Issue]:
    if len(provision.get("data", [])) > MOST_DOCUMENTS:
        yield _cannot(f"one consent names at most {MOST_DOCUMENTS} documents", f"{path}.data")
    for index, item in enumerate(provision.get("data", [])):
        where = f"{path}.data[{index}]"
        if item.get("meaning") != INSTANCE:
            yield _cannot("name each document: the meaning must be `instance`", f"{where}.meaning")
        elif not document_of(item):
            yield _cannot("name a document (DocumentReference) of this space", f"{where}.reference")


def _is_emergency_exception(provision: Json, nested: Json, kind: DirectiveKind) -> bool:
    """A root deny with an exception that keeps an emergency mode open."""
    purposes = known_purposes(nested)
    only = nested.keys() <= {"type", "purpose"}
    permitted = kind in DENIALS and provision.get("type") == "deny" and nested.get("type") == "permit"
    return permitted and only and bool(purposes) and purposes <= EMERGENCIES


def _is_actor_exception(provision: Json, nested: Json, kind: DirectiveKind) -> bool:
    """A root permit with an exception that excludes somebody, or withheld documents with actors who still see them."""
    is_permit = provision.get("type") == "permit"
    return (is_permit or kind is DirectiveKind.WITHHELD) and nested in excepted_of(provision) and bool(nested["actor"])


def _is_document_exception(provision: Json, nested: Json, kind: DirectiveKind) -> bool:
    """An agreement with an exception that excludes documents, or opens more documents to some actors."""
    return kind is DirectiveKind.AGREEMENT and speaks_for_itself(provision, nested)


def _is_exception(provision: Json, nested: Json, kind: DirectiveKind) -> bool:
    """Tell whether an exception is one that the server can honour."""
    if names_relative(provision):
        return kind in BY_MINOR and speaks_for_itself(provision, nested)
    return any(holds(provision, nested, kind) for holds in _EXCEPTIONS)


_EXCEPTIONS = (_is_emergency_exception, _is_actor_exception, _is_document_exception)


def _cannot(text: str, expression: str) -> Issue:
    return Issue(text, expression, "cannot-be-honoured")
