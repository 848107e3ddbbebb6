"""The server in process on a real store: asked by its use cases, or over HTTP."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from consent_rules.scopes import Scopes
from consent_rules.vocabulary import Mark, Purpose, Reason, RequesterKind
from fhir_server.application.bundles import handlers
from fhir_server.application.core import lockdown
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.shown import Shown
from fhir_server.application.core.write_request import WriteRequest
from fhir_server.application.directory import resources
from fhir_server.application.identity import access_tokens, accounts, clients
from fhir_server.application.identity.accounts import Account, Grantee, RepresentedPatient
from fhir_server.application.reading import document_audience, explain, read
from fhir_server.application.reading import search as reading_search
from fhir_server.application.spaces import break_glass, break_glass_reviews, lifecycle
from fhir_server.domain.caller import Caller, Origin
from fhir_server.domain.documents.security_labels import coding_of, split_marks, with_marks
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search import tokens
from fhir_server.domain.search.criteria import AnyOf, Search
from fhir_server.r4.patch import Patch
from fhir_server.registry import REGISTRY, Interaction
from seed import cast, choices, enrolment
from seed.book import Demonstration
from seed.cast import INS_TEST
from seed.documents import CLASSES, OID_ROOT, TYPES
from seed.filing import Filing, Place, simplified
from seed.people import LOCAL, author_resource
from tests.scenarios.worlds import Json, Newcomer, Paper, Waiting, Wanted, base_of, defaults_among, purpose_of, words_of

STEPS = {
    "oppose-space": lifecycle.oppose,
    "open-space": lifecycle.open_space,
    "close-space": lifecycle.close,
    "suspend-space": lifecycle.suspend,
    "request-erasure": lifecycle.request_erasure,
    "erase-space": lifecycle.erase,
}
REFUSALS = frozenset(
    {Category.FORBIDDEN, Category.CONSENT_REQUIRED, Category.INSUFFICIENT_SCOPE, Category.NOT_FOUND}
    | {Category.BUSINESS_RULE, Category.INVALID, Category.DELETED}
)
REFUSED = (400, 403, 404, 410, 422)
STOPPED = Reason.EMERGENCIES_ONLY.value


class ServerWorld(ABC):
    """What both ways of asking share: people, tokens and what a story files."""

    def __init__(self, demo: Demonstration, runtime: Runtime) -> None:
        self.demo = demo
        self.runtime = runtime
        self.minted: dict[str, Callable[[], str]] = {}
        self.filed = 0
        self.asked = ("", "")

    def now(self) -> datetime:
        return self.runtime.ports.clock.now()

    def wait(self, hours: float) -> None:
        self.runtime.ports.clock.advance(hours=hours)
        enrolment.mint_tokens(self.runtime, self.demo)
        self.demo.tokens |= {name: mint() for name, mint in self.minted.items()}

    def only_emergencies(self, *, on: bool) -> bool:
        if on:
            return bool(lockdown.switch_on(self.runtime, "eve", "a bad release"))
        return bool(lockdown.switch_off(self.runtime, "eve"))

    def why(self) -> str:
        """Look at the trail; while only emergencies are let through the auditor would be stopped as well."""
        is_stopped = lockdown.switch_off(self.runtime, "dana") is not None
        of, request_id = self.asked
        found = ground_of(self.events(of), request_id)
        if is_stopped:
            lockdown.switch_on(self.runtime, "dana", "as before")
        return found

    @abstractmethod
    def events(self, of: str) -> Sequence[Json]:
        """Return the latest events of a space, as the auditor reads them."""

    def token(self, who: str, scope: str = "", of: str = "") -> str:
        """Return a token of somebody; with a scope, one that holds this scope alone."""
        if who not in self.demo.tokens:
            self._mint(who, (lambda: self._in_mode(who)) if purpose_of(who) else (lambda: self._holder(who)))
        if not scope:
            return self.demo.tokens[who]
        access = access_tokens.find_access(self.runtime, self.demo.tokens[who])
        assert access is not None
        grant = replace(access.grant, scopes=scope, launch_patient=self.demo.patients[of])
        return access_tokens.issue_access(self.runtime, grant, scope)[0]

    def keys(self, ids: set[str]) -> set[str]:
        names = {id_: key for key, id_ in self.demo.documents.items()}
        return {names[id_] for id_ in ids}

    def resource_of(self, who: str, paper: Paper) -> Json:
        """Build the ITI-105 publication of a document by one professional."""
        self.filed += 1
        part, system = cast.professional(base_of(who)), TYPES[paper.type]
        place = cast.establishment(part.establishment)
        source = {"resourceType": "Patient", "id": "source", "name": [{"family": paper.of.title()}]}
        filing = Filing(
            f"{OID_ROOT}.777.{self.filed}",
            paper.key,
            "2026-03-01T10:00:00+01:00",
            "text/plain",
            f"{paper.key}\n".encode(),
            self.demo.patients[paper.of],
            (system[0], paper.type, system[1]),
            (system[2], CLASSES[system[2]]),
            author_resource(part),
            source,
            Place(self.demo.organizations[place.key], place.sector, place.setting),
            paper.marks,
            self.demo.documents[paper.replaces] if paper.replaces else "",
        )
        return simplified(filing)

    def reader_of(self, of: str) -> str:
        """Return who reads a patient's choices."""
        return next((name for name in self.demo.guardians if name.endswith(f"/{of}")), of) if self._is_minor(of) else of

    def patient_resource(self, newcomer: Newcomer) -> Json:
        number = f"1{len(self.demo.patients):02}0399999500"
        return {
            "resourceType": "Patient",
            "identifier": [{"system": INS_TEST, "value": f"{number}{97 - int(number) % 97:02}"}],
            "name": [{"family": newcomer.key.title()}],
            "birthDate": newcomer.birth,
        }

    def related_resource(self, name: str, of: str) -> Json:
        return {
            "resourceType": "RelatedPerson",
            "identifier": [{"system": LOCAL, "value": f"related-{name}-{of}"}],
            "patient": {"reference": f"Patient/{self.demo.patients[of]}"},
            "name": [{"family": name.title()}],
        }

    def sign_up(self, name: str, of: str) -> None:
        """Give a related person an account that acts for one patient."""
        self._mint(f"{name}/{of}", lambda: self._related(name, of))

    def name_of(self, reference: str) -> str:
        """Return the key of somebody whom an audience names; codes of professions stay as they are."""
        ids = self.demo.professionals | self.demo.patients | self.demo.organizations
        found = {id_: key for key, id_ in ids.items()} | {id_: name for name, id_ in self.demo.guardians.items()}
        return found.get(reference.rpartition("/")[2], reference.rpartition("/")[2])

    def opening_of(self, id_: str) -> str:
        """Return the name of an emergency opening."""
        return next(name for name, consent in self.demo.consents.items() if consent == id_)

    def _mint(self, who: str, mint: Callable[[], str]) -> None:
        self.minted[who] = mint
        self.demo.tokens[who] = mint()

    def _in_mode(self, who: str) -> str:
        account = accounts.find_account(self.runtime, base_of(who))
        client = clients.find(self.runtime, "poste")
        assert account is not None
        assert client is not None
        practice, purpose = account.practices[0], str(purpose_of(who))
        return access_tokens.mint_token(
            self.runtime, Grantee(client, account, practice), "user/*.cruds", purpose=purpose
        )

    def _holder(self, who: str) -> str:
        patient = self.demo.patients[who]
        return self._person(RequesterKind.PATIENT, RepresentedPatient(patient, f"Patient/{patient}", who))

    def _related(self, name: str, of: str) -> str:
        related = f"RelatedPerson/{self.demo.guardians[f'{name}/{of}']}"
        return self._person(RequesterKind.RELATED, RepresentedPatient(self.demo.patients[of], related, name))

    def _person(self, kind: RequesterKind, represented: RepresentedPatient) -> str:
        account = Account(
            represented.label,
            kind,
            represented.person,
            represented.label,
            patients=(represented,),
            subject=represented.label,
        )
        client = clients.find(self.runtime, "espace")
        assert client is not None
        return access_tokens.mint_token(
            self.runtime, Grantee(client, account, launch_patient=represented.patient), "patient/*.cruds"
        )

    @staticmethod
    def _is_minor(of: str) -> bool:
        return not any(part.key == of and part.own_account for part in cast.PATIENTS)


class UseCaseWorld(ServerWorld):
    """Asked by the use cases: the decision, the store, the trail; no HTTP."""

    def list(self, who: str, of: str, scope: str = "") -> set[str] | None:
        caller = replace(self._caller(who, scope, of), origin=Origin(request_id=str(uuid4())))
        self.asked = (of, caller.origin.request_id)
        current = AnyOf(frozenset({tokens.any_system("status", "current")}))
        search = Search("DocumentReference", (current,), limit=100)
        found = self._try(lambda: self._find(caller, search, of))
        return None if found is None else self.keys({item.stored.id for item in found})

    def read(self, who: str, document: str) -> bool:
        id_ = self.demo.documents[document]
        row = REGISTRY["DocumentReference"]
        return self._try(lambda: read.read(self.runtime, self._caller(who), row, id_)) is not None

    def events(self, of: str) -> Sequence[Json]:
        search = Search("AuditEvent", sort="date", limit=100)
        return [json.loads(item.stored.body) for item in self._find(self._caller("dana"), search, of)]

    def choose(self, who: str, of: str, consent: Json, name: str) -> bool:  # noqa: ARG002 - the Consent names it
        self.runtime.ports.clock.advance(milliseconds=1)
        consent = consent | {"dateTime": self.now().isoformat(timespec="milliseconds")}
        written = self._try(lambda: handlers.create(self.runtime, self._caller(who), REGISTRY["Consent"], consent))
        if written is None:
            return False
        self.demo.consents[name] = written.shown.stored.id
        return True

    def undo(self, who: str, of: str, name: str) -> bool:
        id_, reader = self.demo.consents[name], self._caller(self.reader_of(of))
        resource = json.loads(read.read(self.runtime, reader, REGISTRY["Consent"], id_).stored.body)
        ended = resource | {"status": "inactive"}
        return self._try(lambda: handlers.write(self.runtime, self._caller(who), _update(id_, ended))) is not None

    def change_default(self, who: str, of: str, wanted: Wanted) -> bool:
        consent = self._defaults(self.reader_of(of), of)[wanted.template]
        id_, changed = consent["id"], wanted.of(consent)
        return self._try(lambda: handlers.write(self.runtime, self._caller(who), _update(id_, changed))) is not None

    def defaults(self, who: str, of: str) -> set[str] | None:
        found = self._try(lambda: self._defaults(who, of))
        return None if found is None else set(map(words_of, found.values()))

    def _defaults(self, who: str, of: str) -> dict[str, Json]:
        found = self._find(self._caller(who), Search("Consent", limit=100), of)
        return defaults_among(json.loads(item.stored.body) for item in found)

    def mark(self, who: str, document: str, mark: str, *, on: bool) -> bool:
        def changed(seen: Json) -> Json:
            bare, marks = split_marks(seen)
            return with_marks(bare, marks | Mark[mark] if on else marks & ~Mark[mark])

        id_ = self.demo.documents[document]
        wanted = WriteRequest(Interaction.PATCH, REGISTRY["DocumentReference"], id_, patch=Patch(changed))
        return self._try(lambda: handlers.write(self.runtime, self._caller(who), wanted)) is not None

    def file(self, who: str, paper: Paper) -> bool:
        resource = self.resource_of(who, paper)
        written = self._try(
            lambda: handlers.create(self.runtime, self._caller(who), REGISTRY["DocumentReference"], resource)
        )
        if written is None:
            return False
        self.demo.documents[paper.key] = written.shown.stored.id
        return True

    def open_emergency(self, who: str, of: str, reason: str, name: str) -> bool:
        caller, patient = self._caller(who), self.demo.patients[of]
        mode = purpose_of(who) or Purpose.BREAK_GLASS
        opened = self._try(lambda: break_glass.open_in_emergency(self.runtime, caller, patient, mode, reason))
        if opened is not None:
            self.demo.consents[name] = opened.consent
        return opened is not None

    def queue(self, who: str) -> Waiting | None:
        found = self._try(lambda: break_glass_reviews.queue(self.runtime, self._caller(who), 50))
        return None if found is None else [(self.opening_of(o.file.opening), o.state.value) for o in found.waiting]

    def review(self, who: str, opening: str, outcome: str) -> bool:
        id_ = self.demo.consents[opening]
        return self._try(lambda: break_glass_reviews.review(self.runtime, self._caller(who), id_, outcome)) is not None

    def contest(self, who: str, opening: str) -> bool:
        id_ = self.demo.consents[opening]
        return self._try(lambda: break_glass_reviews.contest(self.runtime, self._caller(who), id_)) is not None

    def review_state(self, who: str, opening: str) -> str | None:
        id_ = self.demo.consents[opening]
        found = self._try(lambda: break_glass_reviews.look(self.runtime, self._caller(who), id_))
        return None if found is None else found.state.value

    def announce(self, newcomer: Newcomer) -> None:
        written = resources.announce(self.runtime, self._caller("annuaire"), self.patient_resource(newcomer))
        self.demo.patients[newcomer.key] = written.shown.stored.id
        for name in newcomer.guardians:
            self.introduce(name, newcomer.key)
            related = self.demo.guardians[f"{name}/{newcomer.key}"]
            consent = choices.representative(self.demo, newcomer.key, related)
            assert self.choose("annuaire", newcomer.key, consent, f"representative-{name}/{newcomer.key}")

    def introduce(self, name: str, of: str) -> None:
        keeper, row = self._caller("annuaire"), REGISTRY["RelatedPerson"]
        written = handlers.create(self.runtime, keeper, row, self.related_resource(name, of))
        self.demo.guardians[f"{name}/{of}"] = written.shown.stored.id
        self.sign_up(name, of)

    def move(self, who: str, of: str, operation: str) -> bool:
        caller, patient = self._caller(who), self.demo.patients[of]
        return self._try(lambda: STEPS[operation](self.runtime, caller, patient)) is not None

    def status(self, who: str, of: str) -> str | None:
        standing = self._try(lambda: lifecycle.look(self.runtime, self._caller(who), self.demo.patients[of]))
        return None if standing is None else standing.status.value

    def told(self, who: str, of: str) -> set[str] | None:
        search = Search("Communication", sort="sent", limit=50)
        found = self._try(lambda: self._find(self._caller(who), search, of))
        return None if found is None else {item.stored.facts.access.kind for item in found}

    def audience(self, who: str, document: str, proposed: str) -> dict[tuple[str, str], tuple[bool, bool]] | None:
        caller, id_ = self._caller(who), self.demo.documents[document]
        told = self._try(lambda: document_audience.audience_of(self.runtime, caller, id_, proposed))
        if told is None:
            return None
        return {(seer.role, self.name_of(seer.name)): (seer.sees, bool(seer.would)) for seer in told.seers}

    def explain(self, who: str, of: str, type_: str) -> tuple[bool, str] | None:
        caller, patient = self._caller(who), self.demo.patients[of]
        told = self._try(lambda: explain.explain(self.runtime, caller, patient, type_, "en"))
        return None if told is None else (told.permitted, " ".join(told.texts))

    def traces(self, who: str, of: str) -> bool:
        search = Search("AuditEvent", sort="date", limit=5)
        return self._try(lambda: self._find(self._caller(who), search, of)) is not None

    def _caller(self, who: str, scope: str = "", of: str = "") -> Caller:
        caller = enrolment.caller(self.runtime, self.token(who))
        if not scope:
            return caller
        granted = replace(caller.granted, launch_patient=self.demo.patients[of])
        return replace(caller, granted=granted, scopes=Scopes.parse(scope))

    def _find(self, caller: Caller, search: Search, of: str) -> tuple[Shown, ...]:
        wanted = reading_search.Wanted(search, self.demo.patients[of], query=f"GET /{search.type}")
        return reading_search.find(self.runtime, caller, REGISTRY[search.type], wanted).shown

    @staticmethod
    def _try(ask: Callable[[], Any]) -> Any:
        """Return an answer, None for a refusal; anything else is a failure of the test."""
        try:
            return ask()
        except Problem as problem:
            if problem.category not in REFUSALS and not any(issue.code == STOPPED for issue in problem.issues):
                raise
            return None


class HttpWorld(ServerWorld):
    """Asked over HTTP."""

    def __init__(self, demo: Demonstration, runtime: Runtime, web: FlaskClient) -> None:
        super().__init__(demo, runtime)
        self.web = web

    def list(self, who: str, of: str, scope: str = "") -> set[str] | None:
        path = f"DocumentReference?patient={self.demo.patients[of]}&status=current&_count=100"
        answer = self._send(self.token(who, scope, of), "GET", path)
        self.asked = (of, answer.headers["X-Request-Id"])
        if answer.status_code == 403 or is_stopped(answer):
            return None
        assert answer.status_code == 200, answer.get_data(as_text=True)
        found = {entry["resource"]["id"] for entry in answer.get_json().get("entry", ())}
        assert answer.get_json()["total"] == len(found)
        return self.keys(found)

    def read(self, who: str, document: str) -> bool:
        return self._ask(who, "GET", f"DocumentReference/{self.demo.documents[document]}") is not None

    def events(self, of: str) -> Sequence[Json]:
        path = f"AuditEvent?patient={self.demo.patients[of]}&date=ge2020-01-01&_sort=-date&_count=100"
        answer = self._ask("dana", "GET", path)
        assert answer is not None
        return [entry["resource"] for entry in answer["entry"]]

    def choose(self, who: str, of: str, consent: Json, name: str) -> bool:  # noqa: ARG002 - the Consent names it
        self.runtime.ports.clock.advance(milliseconds=1)
        consent = consent | {"dateTime": self.now().isoformat(timespec="milliseconds")}
        answer = self._ask(who, "POST", "Consent", consent)
        if answer is None:
            return False
        self.demo.consents[name] = answer["id"]
        return True

    def undo(self, who: str, of: str, name: str) -> bool:
        path = f"Consent/{self.demo.consents[name]}"
        resource = self._ask(self.reader_of(of), "GET", path)
        assert resource is not None
        return self._ask(who, "PUT", path, resource | {"status": "inactive"}) is not None

    def change_default(self, who: str, of: str, wanted: Wanted) -> bool:
        found = self._defaults(self.reader_of(of), of)
        assert found is not None
        consent = found[wanted.template]
        return self._ask(who, "PUT", f"Consent/{consent['id']}", wanted.of(consent)) is not None

    def defaults(self, who: str, of: str) -> set[str] | None:
        found = self._defaults(who, of)
        return None if found is None else set(map(words_of, found.values()))

    def _defaults(self, who: str, of: str) -> dict[str, Json] | None:
        page = self._ask(who, "GET", f"Consent?patient={self.demo.patients[of]}&_count=100")
        return None if page is None else defaults_among(entry["resource"] for entry in page.get("entry", []))

    def mark(self, who: str, document: str, mark: str, *, on: bool) -> bool:
        path = f"DocumentReference/{self.demo.documents[document]}"
        operations = [{"op": "add", "path": "/securityLabel/-", "value": {"coding": [coding_of(Mark[mark])]}}]
        if not on:
            seen = self._ask(who, "GET", path)
            labels = seen["securityLabel"] if seen else []
            place = next((n for n, one in enumerate(labels) if one["coding"][0]["code"] == mark), 0)
            operations = [{"op": "remove", "path": f"/securityLabel/{place}"}]
        answer = self._send(self.token(who), "PATCH", path, operations, "application/json-patch+json")
        assert answer.status_code in (200, *REFUSED) or is_stopped(answer), answer.get_data(as_text=True)
        return answer.status_code == 200

    def file(self, who: str, paper: Paper) -> bool:
        answer = self._ask(who, "POST", "DocumentReference", self.resource_of(who, paper))
        if answer is None:
            return False
        self.demo.documents[paper.key] = answer["id"]
        return True

    def open_emergency(self, who: str, of: str, reason: str, name: str) -> bool:
        operation = "regulation-access" if purpose_of(who) is Purpose.EMERGENCY else "break-glass"
        body = {"resourceType": "Parameters"}
        if reason:
            body |= {"parameter": [{"name": "reason", "valueString": reason}]}
        answer = self._ask(who, "POST", f"Patient/{self.demo.patients[of]}/${operation}", body)
        if answer is not None:
            self.demo.consents[name] = answer["parameter"][0]["valueReference"]["reference"].partition("/")[2]
        return answer is not None

    def queue(self, who: str) -> Waiting | None:
        answer = self._ask(who, "GET", "Consent/$review-queue?count=50")
        if answer is None:
            return None
        found = []
        for opening in answer.get("parameter", ()):
            told = {part["name"]: next(v for n, v in part.items() if n.startswith("value")) for part in opening["part"]}
            id_ = told["consent"]["reference"].partition("/")[2]
            found.append((self.opening_of(id_), told["state"]))
        return found

    def review(self, who: str, opening: str, outcome: str) -> bool:
        body = {"resourceType": "Parameters", "parameter": [{"name": "outcome", "valueCode": outcome}]}
        path = f"Consent/{self.demo.consents[opening]}/$review-emergency"
        return self._ask(who, "POST", path, body) is not None

    def contest(self, who: str, opening: str) -> bool:
        return self._ask(who, "POST", f"Consent/{self.demo.consents[opening]}/$contest-emergency") is not None

    def review_state(self, who: str, opening: str) -> str | None:
        answer = self._ask(who, "GET", f"Consent/{self.demo.consents[opening]}/$review-status")
        if answer is None:
            return None
        return next(str(part["valueCode"]) for part in answer["parameter"] if part["name"] == "state")

    def announce(self, newcomer: Newcomer) -> None:
        answer = self._ask("annuaire", "POST", "Patient/$announce-space", self.patient_resource(newcomer))
        assert answer is not None
        self.demo.patients[newcomer.key] = answer["id"]
        for name in newcomer.guardians:
            self.introduce(name, newcomer.key)
            related = self.demo.guardians[f"{name}/{newcomer.key}"]
            consent = choices.representative(self.demo, newcomer.key, related)
            assert self.choose("annuaire", newcomer.key, consent, f"representative-{name}/{newcomer.key}")

    def introduce(self, name: str, of: str) -> None:
        answer = self._ask("annuaire", "POST", "RelatedPerson", self.related_resource(name, of))
        assert answer is not None
        self.demo.guardians[f"{name}/{of}"] = answer["id"]
        self.sign_up(name, of)

    def move(self, who: str, of: str, operation: str) -> bool:
        return self._ask(who, "POST", f"Patient/{self.demo.patients[of]}/${operation}") is not None

    def status(self, who: str, of: str) -> str | None:
        answer = self._ask(who, "GET", f"Patient/{self.demo.patients[of]}/$space-status")
        return None if answer is None else answer["parameter"][0]["valueCode"]

    def told(self, who: str, of: str) -> set[str] | None:
        answer = self._ask(who, "GET", f"Communication?patient={self.demo.patients[of]}&_count=50")
        if answer is None:
            return None
        return {entry["resource"]["category"][0]["coding"][0]["code"] for entry in answer.get("entry", ())}

    def audience(self, who: str, document: str, proposed: str) -> dict[tuple[str, str], tuple[bool, bool]] | None:
        path = f"DocumentReference/{self.demo.documents[document]}/$audience?proposed={proposed}"
        answer = self._ask(who, "GET", path)
        if answer is None:
            return None
        found = {}
        for seer in (one for one in answer["parameter"] if one["name"] == "seer"):
            told = {part["name"]: next(v for n, v in part.items() if n.startswith("value")) for part in seer["part"]}
            name = told["who"]["reference"] if "who" in told else told["profession"]
            found[told["role"], self.name_of(name)] = (told["sees"], told["would"])
        return found

    def explain(self, who: str, of: str, type_: str) -> tuple[bool, str] | None:
        path = f"Patient/{self.demo.patients[of]}/$explain?type={type_}"
        answer = self._ask(who, "GET", path, language="en")
        if answer is None:
            return None
        texts = [part["valueString"] for part in answer["parameter"] if part["name"] == "text"]
        return answer["parameter"][0]["valueBoolean"], " ".join(texts)

    def traces(self, who: str, of: str) -> bool:
        path = f"AuditEvent?patient={self.demo.patients[of]}&date=ge2020-01-01&_count=5"
        return self._ask(who, "GET", path) is not None

    def _ask(self, who: str, method: str, path: str, body: object = None, language: str = "fr") -> Json | None:
        """Return the body of an answer, None for a refusal; anything else is a failure of the test."""
        answer = self._send(self.token(who), method, path, body, language=language)
        assert answer.status_code in (200, 201, *REFUSED) or is_stopped(answer), answer.get_data(as_text=True)
        return answer.get_json() if answer.status_code in (200, 201) else None

    def _send(
        self,
        token: str,
        method: str,
        path: str,
        body: object = None,
        media: str = "application/fhir+json",
        language: str = "fr",
    ) -> TestResponse:
        headers = {"Authorization": f"Bearer {token}", "Accept-Language": language}
        data = None if body is None else json.dumps(body)
        return self.web.open(f"/fhir/{path}", method=method, data=data, content_type=media, headers=headers)


def _update(id_: str, consent: Json) -> WriteRequest:
    return WriteRequest(Interaction.UPDATE, REGISTRY["Consent"], id_, consent)


def is_stopped(answer: TestResponse) -> bool:
    """Tell whether an answer says that only emergencies are let through."""
    return answer.status_code == 503 and STOPPED in answer.get_data(as_text=True)


def ground_of(events: Sequence[Json], request_id: str) -> str:
    """Return the ground or the reason that the trail names for one request."""
    event = next(event for event in events if request_id in json.dumps(event["entity"]))
    if event["outcome"] != "0":
        return str(event["outcomeDesc"])
    details = [detail for entity in event["entity"] for detail in entity.get("detail", ())]
    return next(str(detail["valueString"]) for detail in details if detail["type"] == "ground")
