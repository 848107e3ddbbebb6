"""Joins made by hand: by reading every resource alone, as one caller, and following what the bodies show.

Worlds are drawn from a seed: documents of several lots, hidden, sealed, replaced and withheld by name.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from consent_rules.visibility import DIRECTORY
from fhir_server.domain.search.criteria import Search
from fhir_server.domain.values import Json
from fhir_server.ports.store import Snapshot
from fhir_server.registry import REGISTRY, AccessRule
from tests.factories import all_of
from tests.http.test_search_by_label_and_author import publish_by
from tests.world import LABORATORY, REPORT, World

PCP = {
    "system": "https://mos.esante.gouv.fr/NOS/TRE_R259-HL7ParticipationFunction/FHIR/TRE-R259-HL7ParticipationFunction",
    "code": "PCP",
}
CALLERS = ("camille", "martin", "dora", "nour", "chu-ehr", "iris")
TYPES = (
    "DocumentReference", "List", "Provenance", "Consent", "Patient", "Practitioner", "PractitionerRole", "Organization",
)  # fmt: skip
REFERENCES = {
    "DocumentReference": {
        "author": ("author",),
        "custodian": ("custodian",),
        "subject": ("subject",),
        "relatesto": ("relatesTo", "target"),
    },
    "List": {"item": ("entry", "item"), "source": ("source",), "subject": ("subject",)},
    "Provenance": {"target": ("target",), "agent": ("agent", "who")},
    "Consent": {
        "patient": ("patient",),
        "actor": ("provision", "actor", "reference"),
        "organization": ("organization",),
        "data": ("provision", "data", "reference"),
    },
    "Patient": {},
    "Practitioner": {},
    "PractitionerRole": {"practitioner": ("practitioner",), "organization": ("organization",)},
    "Organization": {"partof": ("partOf",)},
}
"""By type: the element of each reference parameter that is generated."""
IN_DIRECTORY = frozenset(name for name in TYPES if REGISTRY[name].access is AccessRule.DIRECTORY)
CONDITIONS = {
    "DocumentReference": (
        ("status=current", lambda one: one["status"] == "current"),
        ("status=superseded", lambda one: one["status"] == "superseded"),
        (f"type={LABORATORY[1]}", lambda one: one["type"]["coding"][0]["code"] == LABORATORY[1]),
    ),
    "List": (("code=submissionset", lambda one: one["code"]["coding"][0]["code"] == "submissionset"),),
    "Provenance": (("recorded=ge2020-01-01", lambda _one: True), ("recorded=lt2020-01-01", lambda _one: False)),
    "Consent": (("status=active", lambda one: one["status"] == "active"),),
    "Patient": (("name=camille", lambda one: one["name"][0]["family"] == "Camille"), ("name=x", lambda _one: False)),
    "Practitioner": (
        ("family=nour", lambda one: one["name"][0]["family"] == "Nour"),
        ("family=haddad", lambda one: one["name"][0]["family"] == "Haddad"),
    ),
    "PractitionerRole": (("role=10", lambda one: one["code"][0]["coding"][0]["code"] == "10"),),
    "Organization": (
        ("name=chu", lambda one: one["name"] == "chu"),
        ("name=other", lambda one: one["name"] == "other"),
    ),
}
"""By type: parameters with what they mean of a body."""


@dataclass(frozen=True)
class Link:
    """One step of a join. forward: whether the match holds the reference."""

    forward: bool
    param: str
    type: str


@dataclass
class Drawn:
    """One drawn world, and what single reads show of it to each caller: (type, id) to body."""

    world: World
    ids: dict[str, list[str]]
    shown: dict[str, dict[tuple[str, str], Json]] = field(default_factory=dict)

    def read(self, who: str) -> dict[tuple[str, str], Json]:
        """Read every resource alone."""
        if who not in self.shown:
            answers = {
                (type_, id_): self.world.get(who, f"/{type_}/{id_}") for type_, ids in self.ids.items() for id_ in ids
            }
            self.shown[who] = {name: one.get_json() for name, one in answers.items() if one.status_code == 200}
        return self.shown[who]


def draw(world: World, seed: int) -> Drawn:
    """Fill a world."""
    chance = random.Random(seed)
    world.professional("dora", "10", "other")
    assert world.send("camille", "POST", "/Consent", world.consent("dora", role=PCP)).status_code == 201
    for who in ("martin", "nour"):
        assert world.agree("camille", who).status_code == 201
    world.ids["role"] = world.practice("nour", "chu")
    scopes = "user/DocumentReference.rs user/List.rs user/Practitioner.rs"
    world.in_mode("iris", "martin", ("10", "other", ""), scopes=scopes)
    filed: list[str] = []
    for _ in range(3):
        lot = [world.filing(type_=chance.choice((REPORT, LABORATORY))) for _ in range(chance.randint(1, 3))]
        filed += world.publish_all("chu-ehr", *lot)
    filed.append(world.publish("other-ehr"))
    filed.append(world.publish("chu-ehr", replaces=chance.choice(filed[:3])))
    filed.append(world.publish("chu-ehr", marks=("INVISIBLE_PATIENT",)))
    author = chance.choice((f"PractitionerRole/{world.ids['role']}", f"Practitioner/{world.ids['nour']}"))
    world.practice("nour", "other")
    filed.append(publish_by(world, {"reference": author})[0])
    for document in chance.sample(filed[:-2], 2):
        world.hide(document)
    _withhold(world, chance.choice(filed[:-2]), "nour")
    with world.runtime.ports.store.snapshot() as snapshot:
        return Drawn(world, {type_: _ids(snapshot, type_, world.ids["camille"]) for type_ in TYPES})


def _withhold(world: World, document: str, who: str) -> None:
    kept = world.consent(who, "deny")
    named = {"reference": f"DocumentReference/{document}"}
    kept["provision"]["data"] = [{"meaning": "instance", "reference": named}]
    assert world.send("camille", "POST", "/Consent", kept).status_code == 201


class _Directory:
    def of(self, _type):
        return DIRECTORY


def _ids(snapshot: Snapshot, type_: str, patient: str) -> list[str]:
    filters = _Directory() if type_ in IN_DIRECTORY else all_of(patient)
    return [row.id for row in snapshot.find(Search(type_, limit=500), filters).rows]


def named(body: Json, param: str) -> Iterator[tuple[str, str] | Json]:
    """Yield (type, id) of what a body refers to by a parameter, and the contained resources that it refers to."""
    values = [body]
    for step in REFERENCES[body["resourceType"]][param]:
        found = [value.get(step) for value in values]
        values = [one for item in found if item for one in (item if isinstance(item, list) else [item])]
    contained = {f"#{one['id']}": one for one in body.get("contained", ())}
    for value in values:
        literal = value.get("reference", "")
        if literal in contained:
            yield contained[literal]
        elif literal.count("/") == 1:
            type_, _, id_ = literal.partition("/")
            yield type_, id_


def meets(shown: dict[tuple[str, str], Json], body: Json, links: tuple[Link, ...], condition) -> bool:
    """Tell whether a body meets a join: a condition at the end of links."""
    if not links:
        return condition(body)
    link, rest = links[0], links[1:]
    if link.forward:
        for target in named(body, link.param):
            if isinstance(target, dict):
                if target["resourceType"] == link.type and not rest and condition(target):
                    return True
            elif target[0] == link.type and target in shown and meets(shown, shown[target], rest, condition):
                return True
        return False
    own = (body["resourceType"], body["id"])
    sources = (one for (type_, _), one in shown.items() if type_ == link.type)
    return any(own in list(named(one, link.param)) and meets(shown, one, rest, condition) for one in sources)


def spelt(links: tuple[Link, ...], condition: str) -> str:
    """Return the parameter of a join."""
    return (
        "".join(f"{link.param}:{link.type}." if link.forward else f"_has:{link.type}:{link.param}:" for link in links)
        + condition
    )
