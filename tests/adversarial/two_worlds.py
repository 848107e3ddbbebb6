"""Two worlds that differ in one secret, and deeds that happen in both: in one of them as if the secret were not there.

A change of the secret alone happens in the second world only. A question that names the secret alone names an unknown
resource in the first world. What names the secret beside something else happens there with it, and in the first world
without it. Whom the secret is kept from is then answered alike by both.
"""

import json
import random
import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from flask import Flask

from consent_rules.vocabulary import RequesterKind
from fhir_server.adapters import opening
from fhir_server.app import build_runtime, create_app
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.documents.recipients import INTENDED_RECIPIENT
from fhir_server.ports.surroundings import Ports
from seed.filing import Filing
from tests.adversarial.asked import asked
from tests.conftest import START, FixedClock
from tests.factories import settings_in
from tests.http.spaces import UNKNOWN, parent, sign_in
from tests.world import JSON_PATCH, OF_PATIENT, TRE_A07, World

PCP = {
    "system": "https://mos.esante.gouv.fr/NOS/TRE_R259-HL7ParticipationFunction/FHIR/TRE-R259-HL7ParticipationFunction",
    "code": "PCP",
}
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:\d\d)|\d\d:\d\d:\d\d|\d\d:\d\d")
_OPAQUE = re.compile(r"(_page=|page=|jti:)[A-Za-z0-9_\-%]+")
_QUERY = re.compile(r'"query":"([A-Za-z0-9+/=]+)"')
SECRET = "INVISIBLE_REPRESENTANTS_LEGAUX"
FILLED = (START + timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
"""After the worlds are filled, and before any deed: what was filled in one instant comes in the order of random ids."""
BATCH = 20
"""Deeds between two comparisons."""


class Ticking(FixedClock):
    """A clock that moves by a millisecond when it is read: nothing happens at the same instant as something else."""

    def now(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at


@dataclass
class Side(World):
    """One of the two worlds. has_secret: the secret is in this one. space: whose space it is about."""

    app: Flask | None = None
    folder: Path = Path()
    has_secret: bool = False
    space: str = "camille"

    def here(self) -> None:
        """Let the application serve this world."""
        assert self.app is not None
        self.app.extensions["habilis.runtime"] = self.runtime
        self.app.config["DATA_DIR"] = str(self.folder)

    def send(self, *args, **named):
        self.here()
        return super().send(*args, **named)

    def page(self, who: str) -> str:
        """Return the page of the journal as somebody reads it."""
        self.here()
        people = [{"key": who, "name": who, "kind": "patient", "reader": who}]
        (self.folder / "demo.json").write_text(json.dumps({"people": people, "tokens": self.tokens}))
        return self.web.get(f"/journal?person={who}&own=1").get_data(as_text=True)


Deed = Callable[[Side], None]


@dataclass(frozen=True)
class Kind:
    """One kind of secret. mark: that the secret bears, "" when it is withheld by name from `blind[0]`.

    by: who files it. knowing: who may see it. blind: who must notice nothing.
    sealed: it was filed with the mark that seals it from the patient, and got its own mark later. after: how much later
    than the filing the deeds begin. together: it was filed in one submission with a document that everybody may see.
    """

    name: str
    space: str
    mark: str
    by: str
    knowing: tuple[str, ...]
    blind: tuple[str, ...]
    sealed: bool = False
    after: timedelta = timedelta(hours=1)
    together: bool = False


KINDS = (
    Kind("a minor's secret", "ines", SECRET, "chu-ehr", ("ines", "nour", "martin", "gil"), ("marc",)),
    Kind(
        "a minor's secret filed with another document",
        "ines",
        SECRET,
        "chu-ehr",
        ("ines", "nour", "gil"),
        ("marc",),
        together=True,
    ),
    Kind("what a minor files in secret", "ines", "INVISIBLE_REPRESENTANTS_LEGAUX", "ines", ("ines", "nour"), ("marc",)),
    Kind("a result that waits", "camille", "INVISIBLE_PATIENT", "chu-ehr", ("dora", "martin", "gil"), ("camille",)),
    Kind(
        "a result that waits and became a minor's secret",
        "ines",
        SECRET,
        "chu-ehr",
        ("nour", "martin"),
        ("marc",),
        sealed=True,
        after=timedelta(days=15),
    ),
    Kind("withheld by name", "camille", "", "chu-ehr", ("camille", "martin"), ("dora",)),
    Kind("hidden", "camille", "MASQUE_PS", "chu-ehr", ("camille", "dora"), ("martin", "blocked")),
)


@contextmanager
def sides(tmp_path: Path, kind: Kind, ports: Callable[[Path], Ports] | None = None) -> Iterator[tuple[Side, Side]]:
    """Open both worlds, the first without the secret."""
    app, opened = None, []
    for number, has_secret in enumerate((False, True)):
        folder = tmp_path / f"side{number}"
        folder.mkdir()
        settings = replace(settings_in(folder, "http://localhost:8080"), demo=True)
        if not ports:
            opening.create_keys(settings.key_file)
        served = build_runtime(settings, ports(folder) if ports else None)
        served = replace(served, ports=replace(served.ports, clock=Ticking()))
        app = app or create_app(settings, served)
        side = Side(served, app.test_client(), app=app, folder=settings.data_dir, has_secret=has_secret)
        side.space = kind.space
        _fill(side, kind)
        side.runtime.ports.clock.at = START + kind.after
        opened.append(side)
    try:
        yield opened[0], opened[1]
    finally:
        for side in opened:
            side.runtime.ports.store.close()


def _fill(side: Side, kind: Kind) -> None:
    side.here()
    side.open()
    side.professional("dora", "10", "other")
    side.professional("blocked", "10", "other")
    side.professional("gil", "10", "other")
    side.patient("ines", "210039999900255", "2010-06-01")
    parent(side, "marc", "ines")
    sign_in(side, "ines", "ines", RequesterKind.PATIENT)
    for patient in ("camille", "ines"):
        own = {"reference": f"Patient/{side.ids[patient]}"}
        more = {"patient": own, "performer": [own]}
        for actor, role in (("nour", None), ("martin", None), ("dora", PCP)):
            said = side.consent(actor, role=role) if role else side.consent(actor)
            assert side.send(patient, "POST", "/Consent", said | more).status_code == 201
        assert side.send(patient, "POST", "/Consent", side.consent("blocked", "deny") | more).status_code == 201
        assert side.send("gil", "POST", "/Consent", side.consent("gil") | {"patient": own}).status_code == 201
    side.ids["plain"], side.ids["other"] = side.publish(patient=kind.space), side.publish(patient=kind.space)
    side.ids["lot"] = side.found(
        _teller(kind), f"/List?item=DocumentReference/{side.ids['plain']}&patient={_in(side)}"
    )[0]
    side.ids["content"] = _content(side, kind, "plain")
    side.ids["record"] = _record(side, kind, "plain")
    beside = side.filing(patient=kind.space) if kind.together else None
    side.ids["unknown"] = UNKNOWN
    if side.has_secret:
        side.count += 1000
        _keep_secret(side, kind, beside)
        side.count -= 1001
    elif beside:
        side.ids["beside"] = side.publish_all("chu-ehr", beside)[0]
    if beside:
        named = f"item=DocumentReference/{side.ids['beside']}"
        side.ids["secret-lot"] = side.found(kind.knowing[0], f"/List?patient={_in(side)}&{named}")[0]


def _teller(kind: Kind) -> str:
    return "ines" if kind.space == "ines" else "camille"


def _in(side: Side) -> str:
    return side.ids[side.space]


def _content(side: Side, kind: Kind, name: str) -> str:
    shown = side.get(kind.knowing[0], f"/DocumentReference/{side.ids[name]}").get_json()
    return shown["content"][0]["attachment"]["url"].rpartition("/")[2]


def _record(side: Side, kind: Kind, name: str) -> str:
    """Return the id of the Provenance of a document."""
    target = f"DocumentReference/{side.ids[name]}"
    return side.found(kind.knowing[0], f"/Provenance?patient={_in(side)}&target={target}")[0]


def _file(side: Side, kind: Kind, *filings: Filing) -> list[str]:
    """File documents in one submission; what is filed by software names Dr Gil as its recipient."""
    bundle = side.bundle(*filings)
    if kind.by.endswith("-ehr") and not kind.together:
        lot = next(entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == "List")
        named = {"url": INTENDED_RECIPIENT, "valueReference": {"reference": f"Practitioner/{side.ids['gil']}"}}
        lot["extension"] = [*lot.get("extension", []), named]
    answer = side.send(kind.by, "POST", "", bundle)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    created = [entry["response"]["location"] for entry in answer.get_json()["entry"]]
    return [place.split("/DocumentReference/")[1].split("/")[0] for place in created if "/DocumentReference/" in place]


def _keep_secret(side: Side, kind: Kind, beside: Filing | None) -> None:
    """File the secret, and remember its list, its content and its record. beside: what is filed with it."""
    more = side.as_filed_by(kind.by)
    more |= {"type_": OF_PATIENT, "category": ("90", "Document patient")} if kind.by == "ines" else {}
    marks = ("INVISIBLE_PATIENT",) if kind.sealed else (kind.mark,) if kind.mark else ()
    filing = side.filing(patient=kind.space, marks=marks, **more)
    if beside:
        side.ids["beside"], side.ids["secret"] = _file(side, kind, beside, filing)[:2]
    else:
        side.ids["secret"] = _file(side, kind, filing)[0]
    if kind.sealed:
        assert side.hide(side.ids["secret"], kind.by, kind.mark).status_code == 200
    side.ids["secret-number"] = filing.unique_id
    if not kind.mark:
        kept = side.consent(kind.blind[0], "deny")
        named = {"reference": f"DocumentReference/{side.ids['secret']}"}
        kept["provision"]["data"] = [{"meaning": "instance", "reference": named}]
        assert side.send("camille", "POST", "/Consent", kept).status_code == 201
    side.ids["secret-content"] = _content(side, kind, "secret")
    found = side.found(kind.knowing[0], f"/List?item=DocumentReference/{side.ids['secret']}&patient={_in(side)}")
    side.ids["secret-lot"] = found[0]
    side.ids["secret-record"] = _record(side, kind, "secret")


# --- deeds ---------------------------------------------------------------------------------------------------------


def _asks(who: str, path: str) -> Deed:
    def audited(side: Side) -> None:
        assert side.get(who, path.format(space=_in(side), **side.ids)).status_code < 500

    return audited


def _of_secret(audited: Deed) -> Deed:
    """Make a deed happen only where the secret is."""
    return lambda side: audited(side) if side.has_secret else None


def _either(without: Deed, with_it: Deed) -> Deed:
    return lambda side: with_it(side) if side.has_secret else without(side)


def _tests(who: str, name: str) -> Deed:
    """Patch a document by a `test` alone: it reads, and changes nothing."""
    operations = [{"op": "test", "path": "/status", "value": "current"}]
    return lambda side: _ignore(side.send(who, "PATCH", f"/DocumentReference/{side.ids[name]}", operations, JSON_PATCH))


def _marks(who: str, name: str) -> Deed:
    value = {"coding": [{"system": TRE_A07, "code": "MASQUE_PSOCIAL"}]}
    operations = [{"op": "add", "path": "/securityLabel/-", "value": value}]
    return lambda side: _ignore(side.send(who, "PATCH", f"/DocumentReference/{side.ids[name]}", operations, JSON_PATCH))


def _fails_to_file(who: str, kind: Kind) -> Deed:
    """File with the mark of the secret what cannot be filed: it refers to a document that nobody has."""

    def audited(side: Side) -> None:
        filing = side.filing(patient=kind.space, marks=(kind.mark,), replaces=UNKNOWN)
        _ignore(side.send(who, "POST", "", side.bundle(filing)))

    return audited


def _batch(who: str, *names: str) -> Deed:
    def audited(side: Side) -> None:
        gets = [{"request": {"method": "GET", "url": f"DocumentReference/{side.ids[name]}"}} for name in names]
        _ignore(side.send(who, "POST", "", {"resourceType": "Bundle", "type": "batch", "entry": gets}))

    return audited


def _ignore(answer: object) -> None:
    assert getattr(answer, "status_code") < 500  # noqa: B009 - an answer of the test client


_BY_ID, _BY_LOT, _BY_RECORD, _OPEN = (asked(name) for name in ("BY_ID", "BY_LOT", "BY_RECORD", "OPEN"))


def deeds_of(kind: Kind, rng: random.Random) -> Iterator[tuple[str, Deed]]:
    """Yield deeds without end, each with what it is called."""
    others = {"camille", "dora", "martin", "nour", "zoe", "chu-ehr", "other-ehr", "marc", "ines"}
    while True:
        who = rng.choice((*kind.knowing, *kind.knowing, rng.choice(sorted(others - set(kind.blind)))))
        way = rng.randrange(9)
        if way <= 2:
            shared = () if kind.together else (*_BY_LOT, *_BY_RECORD)  # others see these by what was filed with it
            path = rng.choice((*_BY_ID, *shared, "/Binary/{%s}"))
            end = _kind_of(path)
            names_unknown, names_secret = (_asks(who, path % name) for name in ("unknown", f"secret{end}"))
            yield f"{who} {path} of the secret", _either(names_unknown, names_secret)
        elif way == 3:
            path = rng.choice((*_BY_ID, *_BY_LOT, *_BY_RECORD, "/Binary/{%s}"))
            yield f"{who} {path}", _asks(who, path % (_kind_of(path)[1:] or "plain"))
        elif way <= 5:
            path = rng.choice(_OPEN)
            if "AuditEvent" in path or "Communication" in path:
                who = kind.knowing[0]
            yield f"{who} {path}", _asks(who, path)
        elif way == 6:
            start = f"/{rng.choice(('DocumentReference', 'DocumentReference'))}?patient={{space}}&_id="
            yield f"{who} {start} both", _either(_asks(who, start + "{plain}"), _asks(who, start + "{secret},{plain}"))
        elif way == 7:
            yield f"{who} batch of both", _either(_batch(who, "plain"), _batch(who, "secret", "plain"))
            number = "/DocumentReference?patient={space}&identifier=urn:ietf:rfc:3986|urn:oid:{%s}"
            yield f"{who} by number", _either(_asks(who, number % "unknown"), _asks(who, number % "secret-number"))
        else:
            yield from _writes_of(who, kind, rng)


def _kind_of(path: str) -> str:
    """Return how the name of what a path asks for ends: "" for the document itself."""
    if path in _BY_RECORD:
        return "-record"
    return "-lot" if path in _BY_LOT else "-content" if path.startswith("/Binary") else ""


def _writes_of(who: str, kind: Kind, rng: random.Random) -> Iterator[tuple[str, Deed]]:
    audited = rng.choice((_tests, _marks))
    yield f"{who} patches the secret", _of_secret(audited(who, "secret"))
    yield f"{who} tests the plain one", _tests(who, "other")
    if kind.mark == SECRET:
        yield f"{who} fails to file in secret", _of_secret(_fails_to_file(who, kind))


# --- what is compared ----------------------------------------------------------------------------------------------


def told(side: Side, who: str, since: str) -> dict[str, str]:
    """Return what somebody is told since an instant, in trail, journal, notices and documents."""
    space = _in(side)
    number = side.ids.get("secret-lot", side.ids["plain"])
    paths = {name: path.format(space=space, since=since, secret_lot=number, **side.ids) for name, path in asked("TOLD")}
    answers = {name: side.get(who, path) for name, path in paths.items()}
    assert answers["trail"].status_code == 200
    texts = {name: answer.get_data(as_text=True) for name, answer in answers.items()}
    texts["of lists"] = texts["of lists"].replace(number, "")
    return {name: alike(side, text) for name, text in (texts | {"page": side.page(who)}).items()}


def alike(side: Side, text: str) -> str:
    """Replace ids by names, or by the order in which they come; instants and what is sealed go."""
    text = _QUERY.sub(lambda found: b64decode(found[1]).decode().replace("\n", " "), text)
    names = {id_: name for name, id_ in side.ids.items() if "secret" not in name}
    order: dict[str, str] = {}

    def named(found: re.Match[str]) -> str:
        return names.get(found[0]) or order.setdefault(found[0], f"<{len(order)}>")

    return _INSTANT.sub("<instant>", _OPAQUE.sub(r"\1", _ID.sub(named, text)))


@dataclass(frozen=True)
class Difference:
    """What told the two worlds apart, and which deeds came before."""

    who: str
    what: str
    without: str
    with_it: str
    deeds: tuple[str, ...]


def differences(pair: tuple[Side, Side], kind: Kind, trials: int, seed: int) -> Iterator[Difference]:
    """Do deeds and compare what the blind are told; stop nowhere."""
    endless = deeds_of(kind, random.Random(seed))
    for _ in range(-(-trials // BATCH)):
        began = max(side.runtime.ports.clock.at for side in pair).replace(microsecond=0) + timedelta(seconds=1)
        since = began.strftime("%Y-%m-%dT%H:%M:%SZ")
        batch = [next(endless) for _ in range(BATCH)]
        for number, (_, audited) in enumerate(batch):
            for side in pair:
                side.runtime.ports.clock.at = began + timedelta(seconds=1 + number)
                audited(side)
        for number, who in enumerate(kind.blind):
            for side in pair:
                side.runtime.ports.clock.at = began + timedelta(minutes=1 + number)
            first, second = (told(side, who, since) for side in pair)
            for what, answer in first.items():
                if answer != second[what]:
                    yield Difference(who, what, answer, second[what], tuple(name for name, _ in batch))


def unknown_names(side: Side, who: str) -> set[str]:
    """Return what the trail of somebody names and answers 404 when the same one asks for it."""
    events = side.get(who, f"/AuditEvent?patient={_in(side)}&_count=200").get_json()["entry"]
    named: set[str] = set()
    for event in (entry["resource"] for entry in events):
        for entity in event["entity"]:
            reference = entity.get("what", {}).get("reference", "")
            named |= {reference} if reference.split("/")[0] in _JUDGED else set()
            query = b64decode(entity.get("query", "")).decode()
            asked = set(_ID.findall(query)) - {_in(side)}
            named |= {
                reference
                for type_ in ("DocumentReference", "List", "Binary", "Consent", "Provenance")
                for id_ in asked
                if (reference := f"{type_}/{id_}") in {f"{type_}/{known}" for known in side.ids.values()}
                and type_ == _type_of(side, id_)
            }
    return {reference for reference in named if side.get(who, f"/{reference}").status_code == 404}


_JUDGED = frozenset({"DocumentReference", "List", "Binary", "Consent", "AuditEvent", "Communication", "Provenance"})


def _type_of(side: Side, id_: str) -> str:
    """Return the type of a resource that the world knows by name."""
    name = next(name for name, known in side.ids.items() if known == id_)
    return {"lot": "List", "content": "Binary", "record": "Provenance"}.get(
        name.rpartition("-")[2], "DocumentReference"
    )


__all__ = ["FILLED", "KINDS", "Difference", "Kind", "Runtime", "Side", "differences", "sides", "told", "unknown_names"]
