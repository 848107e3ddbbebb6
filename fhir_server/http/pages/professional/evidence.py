"""What lets a professional into a space: what counts now, what is missing, and the declaration of an agreement.

Source: rules C1 to C7; docs/evidence.md (V1 to V5).
"""

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha1
from typing import Any

from flask import Response, make_response, render_template, request
from flask_babel import lazy_gettext

from consent_rules.model import Directive
from consent_rules.vocabulary import DirectiveKind, Proof, Purpose
from fhir_server.application.bundles import handlers
from fhir_server.application.reading import explain
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.consents.directives import consent_of, directives_of
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.terminology.code_systems import OWN, code_systems
from fhir_server.domain.values import Interaction, Json
from fhir_server.http.pages.documents.words import name_of
from fhir_server.http.pages.frame.asking import find
from fhir_server.http.pages.frame.desks import DeskVisit
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import back_to, form, page
from fhir_server.http.pages.language import current_language
from fhir_server.http.pages.professional import in_view
from fhir_server.http.request_context import runtime
from fhir_server.registry import REGISTRY

_EXPLAINING = AuditedInteraction(Interaction.OPERATION, "Patient", operation="explain")
_NAMES = ("Organization", "Practitioner", "PractitionerRole")
READING = " ".join(f"patient/{name}.rs" for name in ("Patient", "Consent", *_NAMES))
_MOST = 50
_IMAGES = frozenset({"application/pdf", "image/jpeg", "image/png"})
_UNCONFIRMED = lazy_gettext("“The patient agreed”: confirm it, or do not declare it.")
_NO_WRITING = lazy_gettext("“Writing”: attach the signed page as a PDF or a picture, or declare a spoken agreement.")


@dataclass(frozen=True, slots=True)
class ChoiceInWords:
    """A choice in force that names somebody. actor: the reference. until: None for no stated end."""

    actor: str
    name: str
    kind: str
    since: datetime | None
    until: datetime | None


@page(Role.PROFESSIONAL, "/patients/<uuid:patient>", READING, _EXPLAINING)
def care_overview(visit: DeskVisit) -> Response:
    """Say whether there is ground to look into the space, and what would be; with ground, who the patient is."""
    told = explain.explain(runtime(), visit.caller, visit.patient, "", current_language())
    if not told.permitted:
        return needed(visit)
    shown = {"person": in_view.person(visit), "texts": told.texts, "choices": list(choices(visit))}
    shown["spans"] = _spans()
    return make_response(render_template("portal/professional/overview.html", visit=visit, **shown))


@form(
    Role.PROFESSIONAL,
    "/patients/<uuid:patient>",
    "patient/Consent.c",
    AuditedInteraction(Interaction.CREATE, "Consent"),
    uploads=True,
)
def declare_agreement(visit: DeskVisit) -> Response:
    """Record that the patient agreed, spoken or in writing, for oneself or for the establishment."""
    problems: dict[str, Any] = {} if request.form.get("agreed") == "yes" else {"agreed": _UNCONFIRMED}
    writing = _writing() if request.form.get("how") == Proof.WRITTEN else None
    if request.form.get("how") == Proof.WRITTEN and writing is None:
        problems["writing"] = _NO_WRITING
    if problems:
        return needed(visit, problems)
    consent = _consent(visit, of_team=request.form.get("whom") == "team", writing=writing)
    try:
        handlers.create(runtime(), visit.caller, REGISTRY["Consent"], consent)
    except Problem as problem:
        if problem.category is not Category.CONSENT_REQUIRED or problem.issues[0].code != "consent-required":
            raise
        return needed(visit)
    return back_to(visit.address("overview", done="declared"))


def needed(visit: DeskVisit, problems: Mapping[str, Any] | None = None) -> Response:
    """Answer that there is no ground, with what would be one: the same for every patient, known or unknown."""
    shown = {"visit": visit, "problems_found": problems or {}, "spans": _spans()}
    return make_response(render_template("portal/professional/evidence.html", **shown), 422 if problems else 403)


def with_ground(visit: DeskVisit, view: Callable[[DeskVisit], Response]) -> Response:
    """Show a page, or what evidence is needed when the space is not open; in an emergency the refusal itself."""
    try:
        return view(visit)
    except Problem as problem:
        if problem.category is not Category.CONSENT_REQUIRED or visit.role is Role.EMERGENCY:
            raise
        return needed(visit)


def _spans() -> dict[str, int]:
    """Return for how long a declared agreement counts: hours for one professional, days for a team (V4)."""
    profile, now = runtime().profile, runtime().now()
    named, team = profile.named_consent.after(now) - now, profile.declared_team_consent.after(now) - now
    return {"hours": round(named.total_seconds() / 3600), "days": team.days}


def _consent(visit: DeskVisit, *, of_team: bool, writing: Json | None) -> Json:
    requester = visit.caller.requester
    actor = requester.organization if of_team and requester.organization else requester.person
    stated = Directive(
        "",
        DirectiveKind.AGREEMENT,
        frozenset({actor}),
        purposes=frozenset({Purpose.TREATMENT}),
        recorded_at=runtime().now(),
        proof=Proof.WRITTEN if writing else Proof.ORAL,
    )
    consent = consent_of(replace(stated, reason="said by the patient"), visit.patient, requester.organization)
    return consent | ({"sourceAttachment": writing} if writing else {})


def _writing() -> Json | None:
    """Return the attached writing with its hash, None when there is none that a consent takes."""
    sent = request.files.get("writing")
    content = sent.read() if sent and sent.mimetype in _IMAGES else b""
    if not content or sent is None:
        return None
    digest = b64encode(sha1(content, usedforsecurity=False).digest()).decode()
    return {"contentType": sent.mimetype, "data": b64encode(content).decode(), "hash": digest}


def choices(visit: DeskVisit) -> Iterator[ChoiceInWords]:
    """Yield the choices in force that the professional may read, each once for whom it names."""
    asked = [("patient", visit.patient), ("status", "active"), ("_count", str(_MOST)), ("_include", "Consent:actor")]
    found = find(visit.caller, "Consent", asked)
    for consent in found.resources:
        try:
            said = directives_of(consent, consent["id"])[:1]
        except Problem:  # an earlier version stored it, and it is not in force
            continue
        for one in said:
            kind = code_systems()[f"{OWN}directive"].concepts[one.kind.value].display(current_language())
            since = one.recorded_at or one.start
            for actor in sorted(one.actors):
                yield ChoiceInWords(actor, name_of({"reference": actor}, found.beside), kind, since, one.end)
