"""Load the demonstration through the use cases, as its people and software would; nothing bypasses the rules.

The stages are: directory, software and accounts, choices about access, documents, hidden documents. Each stage finds
    what an earlier loading left, so that a second start only makes new tokens, and only when the old ones have expired.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from consent_rules.vocabulary import Mark
from fhir_server.application.bundles import handlers
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.documents import publication
from fhir_server.application.documents.hiding_and_withdrawal import Hide, change_document
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Problem
from fhir_server.domain.search import tokens
from fhir_server.registry import REGISTRY
from seed import book, cards, cast, choices, enrolment
from seed.book import Demonstration
from seed.documents import CLASSES, TYPES, DocumentPart, documents, lots
from seed.filing import URI, Filing, Place, simplified, submission
from seed.people import author_resource, source_resource

_PATIENTS_OWN = Place("", "EXP_PATIENT", "EXP_PATIENT")


def load_demonstration(runtime: Runtime, data_dir: Path) -> Demonstration:
    """Load the cast and its data, or find them loaded; demo.json in `data_dir` lists them."""
    demo = book.read(data_dir)
    if demo is None or demo.fhir != runtime.fhir_base:
        demo = Demonstration(runtime.fhir_base.removesuffix("/fhir"), runtime.fhir_base)
    if demo.complete and _opens(runtime, demo):
        return demo
    loading = _Loading(runtime, demo)
    for stage in loading.stages():
        stage()
        demo.save(data_dir)
    return demo


def _opens(runtime: Runtime, demo: Demonstration) -> bool:
    """Tell whether every token of an earlier loading is still valid."""
    try:
        for token in demo.tokens.values():
            enrolment.caller(runtime, token)
    except Problem:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Loading:
    runtime: Runtime
    demo: Demonstration

    def stages(self) -> Iterable[Callable[[], None]]:
        """Return the stages, in order."""
        return (self.people, self.accounts, self.choices, self.documents, self.hidings, self.pages)

    def people(self) -> None:
        """Record the directory as the registry operator."""
        keeper = next(part for part in cast.SOFTWARE if part.key == enrolment.KEEPER)
        enrolment.register_software(self.runtime, self.demo, keeper)
        token = enrolment.software_token(self.runtime, keeper.key)
        enrolment.enter_directory(self.runtime, enrolment.caller(self.runtime, token), self.demo)

    def accounts(self) -> None:
        """Register the other software, open accounts, issue tokens."""
        for part in cast.SOFTWARE:
            if part.key != enrolment.KEEPER:
                place = cast.establishment(part.establishment) if part.establishment else None
                enrolment.register_software(self.runtime, self.demo, part, place)
        enrolment.open_accounts(self.runtime, self.demo)
        enrolment.mint_tokens(self.runtime, self.demo)

    def choices(self) -> None:
        """Record the agreements and blocks, each as a person who may record it."""
        for name, token, resource in choices.of_the_cast(self.demo):
            if name not in self.demo.consents:
                written = handlers.create(self.runtime, self._caller(token), REGISTRY["Consent"], resource)
                self.demo.consents[name] = written.shown.stored.id

    def documents(self) -> None:
        """File every missing document, one submission at a time."""
        for lot in lots():
            known = [self._known(part) for part in lot]
            if all(known):
                self.demo.documents |= {part.key: id_ for part, id_ in zip(lot, known, strict=True)}
            else:
                self._file(lot)

    def hidings(self) -> None:
        """Hide the documents that the patients want hidden."""
        for part in documents():
            if part.hidden:
                document, caller = self.demo.documents[part.key], self._caller(part.patient)
                change_document(self.runtime, caller, document, Hide(Mark.MASQUE_PS))

    def pages(self) -> None:
        """Store what the landing page shows."""
        self.demo.people, self.demo.tour = cards.cards(self.demo), cards.tour(self.demo)
        self.demo.complete = True

    def _caller(self, token: str) -> Caller:
        return enrolment.caller(self.runtime, self.demo.tokens[token])

    def _known(self, part: DocumentPart) -> str:
        key = tokens.identifier_key("identifier", URI, f"urn:oid:{part.unique_id}")
        with self.runtime.ports.store.snapshot() as snapshot:
            found = snapshot.compartments_with("DocumentReference", key, 1)
        return found[0][1] if found else ""

    def _file(self, lot: tuple[DocumentPart, ...]) -> None:
        filings = [self._filing(part) for part in lot]
        first = lot[0]
        if first.via:
            set_id = f"{first.unique_id}.1"
            published = publication.publish(self.runtime, self._caller(first.via), submission(filings, set_id))
            stored = [entry.shown.stored for entry in published.entries if entry and entry.created]
            ids = [item.id for item in stored if item.type == "DocumentReference"]
        else:
            who = first.patient if first.author == "patient" else first.author
            written = handlers.create(
                self.runtime, self._caller(who), REGISTRY["DocumentReference"], simplified(filings[0])
            )
            ids = [written.shown.stored.id]
        self.demo.documents |= {part.key: id_ for part, id_ in zip(lot, ids, strict=True)}

    def _filing(self, part: DocumentPart) -> Filing:
        patient = cast.patient(part.patient)
        own = part.author == "patient"
        system, display, category = TYPES[part.type]
        return Filing(
            unique_id=part.unique_id,
            title=part.title,
            date=part.date,
            mime=part.mime,
            content=part.content(),
            patient=self.demo.patients[part.patient],
            type_=(system, part.type, display),
            category=(category, CLASSES[category]),
            author=source_resource(patient, "author") if own else author_resource(cast.professional(part.author)),
            source_patient=source_resource(patient),
            place=_PATIENTS_OWN if own else self._place(part.author),
            marks=part.marks,
            replaces=self.demo.documents[part.replaces] if part.replaces else "",
        )

    def _place(self, author: str) -> Place:
        place = cast.establishment(cast.professional(author).establishment)
        return Place(self.demo.organizations[place.key], place.sector, place.setting)
