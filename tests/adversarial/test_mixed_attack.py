"""Fear: that several server processes, and all ways in at once, let one person through a ceiling (V10).

One physician attacks two server processes on one store from several threads: single requests, batches, transactions,
agreements for the team and for colleagues, two establishments, and break-glass.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from consent_rules.vocabulary import DirectiveKind, Purpose
from fhir_server.adapters.system import SystemClock
from fhir_server.app import build_runtime
from fhir_server.application.core.ceilings import supervising
from fhir_server.application.core.enforcement_point import record_of
from fhir_server.domain.supervision import RegisteredException
from seed.asking import Answer, Ask, send
from tests.adversarial.misuse import Misuse
from tests.engines import ENGINES, Engine, MongoEngine, make_engine
from tests.factories import settings_in
from tests.live import Live
from tests.world import World, client_of

pytestmark = pytest.mark.live
A_DAY, EMERGENCIES, OF_ONE_LOGIN = 60, 10, 4
STRANGERS = range(A_DAY + 24)
"""Spaces to open on a word; those to open in an emergency come after them."""


@dataclass
class Attack:
    """Two servers on one store, and the strangers whose spaces are attacked."""

    misuse: Misuse
    servers: tuple[Live, Live]

    def ask(self, number: int, who: str, method: str, path: str, body: dict | None = None) -> Answer:
        """Ask one of both servers. number: which."""
        base = f"{self.servers[number % 2].base_url}/fhir"
        return send(base, self.misuse.world.tokens[who], Ask(method, path, body))

    def declares(self, number: int, who: str, actor: str) -> None:
        """Declare one agreement and enter the space."""
        self.ask(number, who, "POST", "Consent", self.misuse.declared(number, actor))
        self.ask(number + 1, who, "GET", f"DocumentReference?patient={self.misuse.person(number)}")

    def declares_many(self, numbers: range, kind: str) -> None:
        """Declare many agreements in one batch or transaction."""
        request = {"method": "POST", "url": "Consent"}
        entries = [{"request": request, "resource": self.misuse.declared(n, "nour")} for n in numbers]
        self.ask(numbers.start, "nour", "POST", "", {"resourceType": "Bundle", "type": kind, "entry": entries})

    def breaks_glass(self, number: int) -> int:
        """Open a space in an emergency; return the status."""
        reason = {"resourceType": "Parameters", "parameter": [{"name": "reason", "valueString": "coma"}]}
        path = f"Patient/{self.misuse.person(number)}/$break-glass"
        return self.ask(number, "nour-btg", "POST", path, reason).status

    def opened(self) -> tuple[int, int]:
        """Return in how many spaces the store has a mark of the physician's word, and an emergency opening."""
        person, store = f"Practitioner/{self.misuse.world.ids['nour']}", self.misuse.world.runtime.ports.store
        with store.snapshot() as snapshot:
            records = [record_of(id_, snapshot.load_space(id_)) for id_ in self.misuse.strangers.values()]
        emergencies = sum(
            any(one.kind is DirectiveKind.EMERGENCY_OPENING for one in record.directives) for record in records
        )
        return sum(person in record.entered for record in records), emergencies


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    found = make_engine(request.param, request, tmp_path)
    yield found
    found.close()


def served_by(engine: Engine, first: Live | None = None) -> Live:
    """Return a server on the store of an engine; the second one speaks for the address of the first."""
    settings = {"HABILIS_KEY_FILE": str(engine.key_file), "HABILIS_THREADS": "4", "HABILIS_WORKER": "no"}
    if isinstance(engine, MongoEngine):
        settings |= {"HABILIS_STORE": "mongodb", "HABILIS_MONGODB_URI": engine.place.uri}
        settings |= {"HABILIS_MONGODB_DATABASE": engine.database}
    if first:
        settings["HABILIS_BASE_URL"] = first.base_url
    return Live(engine.folder / "data", settings=settings)


@pytest.fixture
def attack(engine: Engine) -> Iterator[Attack]:
    first = served_by(engine)
    second = served_by(engine, first)
    settings = replace(settings_in(engine.folder, first.base_url), key_file=engine.key_file)
    runtime = build_runtime(settings, engine.ports)
    runtime = replace(runtime, ports=replace(engine.ports, clock=SystemClock()))
    misuse = Misuse(World(runtime, client_of(settings, runtime)).open())
    misuse.employ("chu", 9)
    for number in range(len(STRANGERS) + EMERGENCIES):
        misuse.person(number)
    misuse.world.in_mode("nour-other", "nour", ("10", "other", ""))
    person, at = f"Practitioner/{misuse.world.ids['nour']}", runtime.now()
    day = RegisteredException(
        person, "a role", {"spaces_an_hour": A_DAY, "identities_an_hour": 1000}, at, "by", "a test"
    )
    supervising.register(runtime, day)
    servers = (first, second)
    with ThreadPoolExecutor(2) as pool:
        try:
            list(pool.map(Live.start, servers))
            yield Attack(misuse, servers)
        finally:
            list(pool.map(Live.stop, servers))


def test_two_servers_and_every_way_at_once_open_the_ceiling_and_the_emergencies(attack):
    last = len(STRANGERS)
    attack.misuse.log_in("nour", purpose=Purpose.BREAK_GLASS)
    attack.misuse.world.tokens["nour-btg"] = attack.misuse.world.tokens["nour"]
    attack.misuse.log_in("nour")
    ways: list[Callable[[], object]] = [
        lambda: attack.declares_many(range(12), "batch"),
        lambda: attack.declares_many(range(12, 24), "batch"),
        lambda: attack.declares_many(range(24, 34), "transaction"),
        lambda: attack.declares_many(range(34, 44), "transaction"),
        lambda: [attack.declares(number, "nour", "chu") for number in range(44, 54)],
        lambda: [attack.declares(number, "nour", "martin") for number in range(54, 64)],
        lambda: [attack.declares(number, "nour-other", "nour") for number in range(64, 74)],
        lambda: [attack.breaks_glass(number) for number in range(last, last + EMERGENCIES)],
    ]
    with ThreadPoolExecutor(len(ways)) as pool:
        done = [pool.submit(way) for way in ways]
        broken = done[-1].result(timeout=120)
        for one in done:
            one.result(timeout=120)
    for number in STRANGERS:  # a transaction may have been refused whole: what it left is taken one by one
        attack.ask(number, "nour", "POST", "Consent", attack.misuse.declared(number, "nour"))
    assert broken == [200] * OF_ONE_LOGIN + [401] * (EMERGENCIES - OF_ONE_LOGIN)
    assert attack.opened() == (A_DAY, OF_ONE_LOGIN)
