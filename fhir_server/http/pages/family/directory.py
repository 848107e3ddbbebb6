"""Professionals and establishments of the directory, looked up by name and town, to be blocked before any access.

Source: rule F2 (a block before any consultation); D4 (the attending physician); https://hl7.org/fhir/R4/search.html.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flask import Response, make_response, render_template, request
from flask_babel import gettext

from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.search import tokens
from fhir_server.domain.values import Interaction, Json
from fhir_server.http.pages.documents.words import coded, name_of
from fhir_server.http.pages.family.choices import READING
from fhir_server.http.pages.frame.asking import Page, find
from fhir_server.http.pages.frame.roles import Role
from fhir_server.http.pages.frame.routes import page
from fhir_server.http.pages.frame.visits import Visit
from fhir_server.http.request_context import runtime

_MOST, _LONGEST, _SHORTEST = 20, 60, 2


@dataclass(frozen=True, slots=True)
class Listed:
    """A professional or an establishment of the directory. actor: the reference. practices: profession, place, town."""

    actor: str
    name: str
    practices: tuple[str, ...]
    is_physician: bool = False


@page(Role.PATIENT, "/people/directory", READING, AuditedInteraction(Interaction.SEARCH, "PractitionerRole"))
def directory(visit: Visit) -> Response:
    """Find somebody by name, with or without a town; nothing is asked before a name of two letters is there."""
    name, town = (request.args.get(field, "").strip()[:_LONGEST] for field in ("name", "town"))
    is_sent = "name" in request.args
    problems = {"name": gettext("Type at least two letters of the name.")} if is_sent and not _is_asked(name) else {}
    found: list[Listed] = []
    has_more = False
    if is_sent and not problems:
        persons, places = _persons(visit, name, town), _places(visit, name, town)
        found = [*_listed(persons), *(_place(one) for one in places.resources)]
        has_more = bool(persons.later or places.later)
    shown = {"name": name, "town": town, "found": found, "has_more": has_more, "is_sent": is_sent and not problems}
    text = render_template("portal/family/directory.html", visit=visit, problems=problems, **shown)
    return make_response(text, 422 if problems else 200)


def _is_asked(name: str) -> bool:
    return any(len(word) >= _SHORTEST for word in name.split())


def _persons(visit: Visit, name: str, town: str) -> Page:
    """Ask who practises today, as the directory says: nobody else can be let in."""
    asked = [("practitioner.name", _escaped(word)) for word in name.split()]
    asked += [("organization.address-city", _escaped(town))] if town else []
    included = [("_include", f"PractitionerRole:{name}") for name in ("practitioner", "organization")]
    return find(visit.caller, "PractitionerRole", [*asked, ("active:not", "false"), ("_count", str(_MOST)), *included])


def _places(visit: Visit, name: str, town: str) -> Page:
    asked = [("name", _escaped(name)), *([("address-city", _escaped(town))] if town else [])]
    return find(visit.caller, "Organization", [*asked, ("active:not", "false"), ("_count", str(_MOST))])


def _escaped(value: str) -> str:
    """Return a value in which nothing is special to a search."""
    cleaned = value.replace("\\", " ")
    return cleaned.replace(",", "\\,").replace("$", "\\$").replace("|", "\\|")


def _listed(found: Page) -> list[Listed]:
    """Return each person once, with every practice that was found, in the order of the names."""
    persons: dict[str, list[Json]] = {}
    for role in found.resources:
        persons.setdefault(str(role.get("practitioner", {}).get("reference", "")), []).append(role)
    told = (_person(actor, roles, found.beside) for actor, roles in persons.items() if actor)
    return sorted(told, key=lambda one: (one.name, one.actor))


def _person(actor: str, roles: Iterable[Json], beside: Mapping[str, Json]) -> Listed:
    codings = (coding for role in roles for code in role.get("code", ()) for coding in code.get("coding", ()))
    codes = {one.get("code") for one in codings if one.get("system") == tokens.PROFESSION_SYSTEM}
    is_physician = bool(codes & runtime().profile.declared_physician_professions)
    practices = sorted({_practice(role, beside) for role in roles})
    return Listed(actor, name_of({"reference": actor}, beside), tuple(practices), is_physician)


def _practice(role: Json, beside: Mapping[str, Json]) -> str:
    place = beside.get(str(role.get("organization", {}).get("reference", "")), {})
    words = [*(coded(code) for code in role.get("code", ())), str(place.get("name", "")), _town(place)]
    return ", ".join(filter(None, words))


def _place(organization: Json) -> Listed:
    kinds = (coded(kind) for kind in organization.get("type", ()))
    said = ", ".join(filter(None, (*kinds, _town(organization))))
    return Listed(f"Organization/{organization['id']}", str(organization.get("name", "")), (said,) if said else ())


def _town(organization: Json) -> str:
    return next((str(one["city"]) for one in organization.get("address", ()) if one.get("city")), "")
