"""Bulk data: many invented patients with many documents, planned by the use cases and committed in batches.

The generator is deterministic: the same numbers give the same people, types, titles and dates.
"""

import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import TextIO, TypeVar

from consent_rules.vocabulary import PatientId
from fhir_server.application.bundles import bulk
from fhir_server.application.core.runtime import Runtime
from fhir_server.domain.caller import Caller
from fhir_server.ports.store import Change
from fhir_server.ports.surroundings import Blobs
from fhir_server.registry import REGISTRY
from seed import cast, choices, enrolment, people
from seed.book import Demonstration
from seed.cast import EstablishmentPart, PatientPart, ProfessionalPart, SoftwarePart
from seed.contents import Sheet, content_of
from seed.documents import CLASSES, TYPES
from seed.filing import Filing, Place, submission

T = TypeVar("T")

_LOT = 10
_BATCH = 50
_CONTENTS_AT_ONCE = 8
_NEWEST = datetime(2026, 2, 28, 12, tzinfo=UTC)
_OID = "1.2.250.1.213.1.4.99998"
_HOSPITAL = EstablishmentPart("hospital", "Hôpital de la Charge", "990000083", "SA01", "ETABLISSEMENT")
_PRACTICE = EstablishmentPart("practice", "Cabinet de la Charge", "990000091", "SA07", "AMBULATOIRE")
_AUTHOR = ProfessionalPart("author", "Lemoine", "Ada", "Dr", "10", "Médecin", "99700000156", "hospital")
_READER = ProfessionalPart("reader", "Garnier", "Noé", "", "70", "Masseur-kinésithérapeute", "99700000164", "practice")
_SOFTWARE = (
    SoftwarePart("keeper", "Annuaire de la charge", "backend", scopes="system/*.cruds"),
    SoftwarePart("publisher", "Dossier patient de la charge", "backend", "hospital", "system/*.cruds"),
)
_FAMILIES = ("Arnaud", "Blanc", "Caron", "Denis", "Fabre", "Gaillard", "Henry", "Jacquet", "Lambert", "Mercier")
_GIVEN = (("Alice", "Chloé", "Emma", "Jade", "Louise"), ("Adam", "Gabriel", "Hugo", "Louis", "Raphaël"))


@dataclass(frozen=True, slots=True)
class Progress:
    """A bar on a terminal, a line for each tenth elsewhere."""

    total: int
    out: TextIO
    began: float = field(default_factory=monotonic)

    def show(self, done: int, step: int) -> None:
        """Show how far the loading is. step: how many were loaded since the last call."""
        rate = done / max(monotonic() - self.began, 0.001)
        text = f"{done:>9,} of {self.total:,} resources  {rate:>7,.0f}/s"
        if self.out.isatty():
            filled = 30 * done // self.total
            self.out.write(f"\r[{'#' * filled}{'.' * (30 - filled)}] {text}")
            self.out.write("\n" if done >= self.total else "")
        elif done * 10 // self.total != (done - step) * 10 // self.total:
            self.out.write(f"{text}\n")
        self.out.flush()


class KnownContents:
    """A store of contents that skips contents it has stored before, because bulk documents share a few contents."""

    def __init__(self, inner: Blobs) -> None:
        """Wrap the real store of contents."""
        self._inner = inner
        self._references: dict[tuple[str, bytes], str] = {}

    def put(self, compartment: PatientId, content: bytes) -> str:
        """Store a content, unless it is already stored."""
        key = (compartment, content)
        if key not in self._references:
            self._references[key] = self._inner.put(compartment, content)
        return self._references[key]

    def get(self, compartment: PatientId, reference: str) -> bytes:
        """Return a content."""
        return self._inner.get(compartment, reference)

    def check(self) -> None:
        """Raise StoreUnavailable when no content could be stored now."""
        self._inner.check()

    def erase(self, compartment: PatientId) -> None:
        """Remove all contents of a compartment."""
        self._inner.erase(compartment)
        self._references = {key: name for key, name in self._references.items() if key[0] != compartment}


def load_bulk(
    runtime: Runtime, data_dir: Path, patients: int, documents: int, out: TextIO = sys.stderr
) -> Demonstration:
    """Load invented patients with documents of twelve types, of which the reader's profession sees nine.

    demo.json names the tokens `publisher` (software of a hospital) and `reader` (a physiotherapist whose practice is in
    every care team), and the ids of the patients.
    """
    demo = Demonstration(runtime.fhir_base.removesuffix("/fhir"), runtime.fhir_base)
    runtime = replace(runtime, ports=replace(runtime.ports, blobs=KnownContents(runtime.ports.blobs)))
    loading = _Bulk(runtime, demo, *_enrol(runtime, demo))
    progress = Progress(max(1, patients * 2 * (documents + -(-documents // _LOT))), out)
    done = 0
    with ThreadPoolExecutor(1) as committing:
        pending: Future[int] | None = None
        for numbers in _in_lots(range(patients), _BATCH):
            planned = loading.plan(numbers, documents)
            done += _settled(pending, progress, done)
            pending = committing.submit(loading.commit, planned)
        done += _settled(pending, progress, done)
    demo.complete = True
    demo.save(data_dir)
    return demo


def _settled(pending: Future[int] | None, progress: Progress, done: int) -> int:
    """Wait for a batch that is being committed, and show the progress."""
    loaded = pending.result() if pending else 0
    progress.show(done + loaded, loaded)
    return loaded


def _enrol(runtime: Runtime, demo: Demonstration) -> tuple[Caller, Caller]:
    """Record the two establishments, their people and their software; return keeper and publisher as callers."""
    enrolment.register_software(runtime, demo, _SOFTWARE[0])
    keeper = enrolment.caller(runtime, enrolment.software_token(runtime, "keeper"))
    enrolment.enter_professionals(runtime, keeper, demo, (_HOSPITAL, _PRACTICE), (_AUTHOR, _READER))
    enrolment.register_software(runtime, demo, _SOFTWARE[1], _HOSPITAL)
    enrolment.register_software(runtime, demo, cast.software("poste"))
    enrolment.open_professional(runtime, demo, _READER, _PRACTICE)
    demo.tokens["publisher"] = enrolment.software_token(runtime, "publisher")
    demo.tokens["reader"] = enrolment.professional_token(runtime, "reader")
    return keeper, enrolment.caller(runtime, demo.tokens["publisher"])


def types_for(runtime: Runtime, profession: str) -> tuple[str, ...]:
    """Return twelve document types, nine of which the profession may see; the hospital report comes first."""
    seen = runtime.matrix.kinds_for(profession)
    open_ = sorted((code for code in TYPES if code in seen), key=lambda code: (code != "34112-3", code))
    return (*open_[:9], *sorted(code for code in TYPES if code not in seen)[:3])


@dataclass(frozen=True, slots=True)
class _Bulk:
    runtime: Runtime
    demo: Demonstration
    keeper: Caller
    publisher: Caller

    def plan(self, numbers: Sequence[int], documents: int) -> list[Change]:
        """Open the spaces of some patients and return the changes that fill them, which `commit` shall apply."""
        parts = [person(number) for number in numbers]
        opened = self.commit(list(self._opened(parts))) + self.commit(list(self._agreed(parts)))
        return list(self._filled(parts, documents)) if opened else []

    def commit(self, planned: list[Change]) -> int:
        """Commit the planned changes; return how many resources they created."""
        self.runtime.ports.store.commit_many(planned)
        return sum(len(change.writes) for change in planned)

    def _opened(self, parts: Sequence[PatientPart]) -> Iterator[Change]:
        people_of = ((self.keeper, people.patient_resource(part)) for part in parts)
        for part, planned in zip(parts, bulk.plan_creations(self.runtime, REGISTRY["Patient"], people_of), strict=True):
            self.demo.patients[part.key] = PatientId(planned.id)
            yield planned.change

    def _filled(self, parts: Sequence[PatientPart], documents: int) -> Iterator[Change]:
        types = types_for(self.runtime, _READER.profession)
        filings = {part.key: [self._filing(part, place, types) for place in range(documents)] for part in parts}
        self._put_contents(filing for of_part in filings.values() for filing in of_part)
        lots = (lot for part in parts for lot in _in_lots(filings[part.key], _LOT))
        bundles = (submission(lot, f"{lot[0].unique_id}.1") for lot in lots)
        for planned in bulk.plan_submissions(self.runtime, self.publisher, bundles):
            yield planned.change

    def _put_contents(self, filings: Iterable[Filing]) -> None:
        """Store the contents first, several at the same time, because each waits for the disk."""
        contents = {(filing.patient, filing.content) for filing in filings}
        with ThreadPoolExecutor(_CONTENTS_AT_ONCE) as pool:
            list(pool.map(lambda content: self.runtime.ports.blobs.put(*content), contents))

    def _agreed(self, parts: Sequence[PatientPart]) -> Iterator[Change]:
        """Plan each patient's own agreement to the reader's practice."""
        holders = (enrolment.holder(self.demo.patients[part.key], part.name) for part in parts)
        consents = (choices.team(self.demo, part.key, _PRACTICE.key) for part in parts)
        planned = bulk.plan_creations(self.runtime, REGISTRY["Consent"], zip(holders, consents, strict=True))
        return (one.change for one in planned)

    def _filing(self, part: PatientPart, place: int, types: Sequence[str]) -> Filing:
        code = types[place % len(types)]
        system, display, category = TYPES[code]
        date = (_NEWEST - timedelta(days=11 * place + int(part.key[1:]) % 11)).isoformat().replace("+00:00", "Z")
        sheet = Sheet(
            part.key, "Document de charge", "2026-01-01", part.name, _AUTHOR.name, TYPES[code], (f"{place % 4}",)
        )
        return Filing(
            unique_id=f"{_OID}.{part.key[1:]}.{place}",
            title=f"{display} n° {place + 1}",
            date=date,
            mime="application/pdf",
            content=content_of(sheet, "pdf"),
            patient=self.demo.patients[part.key],
            type_=(system, code, display),
            category=(category, CLASSES[category]),
            author=people.author_resource(_AUTHOR),
            source_patient=people.source_resource(part),
            place=Place(self.demo.organizations["hospital"], _HOSPITAL.sector, _HOSPITAL.setting),
        )


def person(number: int) -> PatientPart:
    """Return the invented patient with a number; every number below 2.4 million has an INS of its own."""
    order, rest = number % 1000, number // 1000
    month, rest = rest % 12 + 1, rest // 12
    sex, year = rest % 2, rest // 2 % 100
    chance = random.Random(number)
    century = 2000 if year <= _NEWEST.year % 100 - 1 else 1900
    return PatientPart(
        key=f"p{number}",
        family=chance.choice(_FAMILIES),
        given=chance.choice(_GIVEN[sex]),
        gender=("female", "male")[sex],
        birth=f"{century + year}-{month:02d}-{chance.randint(1, 28):02d}",
        ins=f"{2 - sex}{year:02d}{month:02d}99999{order:03d}",
    )


def _in_lots(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    """Yield the items in order, in lots of this size."""
    rest = iter(items)
    while lot := tuple(islice(rest, size)):
        yield lot
