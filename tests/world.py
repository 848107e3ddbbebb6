"""A small world over HTTP: a directory, a hospital's software, a few people with tokens, and what they send."""

import json
import sqlite3
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from consent_rules.model import Directive
from consent_rules.vocabulary import Capacity, DirectiveKind, Grade, PatientId, Proof, Purpose, RequesterKind
from fhir_server.app import create_app
from fhir_server.application.bundles import handlers
from fhir_server.application.core.enforcement_point import record_of
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity import access_tokens, clients
from fhir_server.application.identity.accounts import Account, Grantee, PractitionerRoleRef, RepresentedPatient
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.domain import record_codec
from fhir_server.domain.caller import Origin
from fhir_server.domain.search import tokens
from fhir_server.domain.values import Json
from fhir_server.oauth.resource.bearer import caller_of
from fhir_server.ports.store import Change, SpaceWrite
from fhir_server.registry import REGISTRY
from fhir_server.settings.server import Settings
from seed.documents import TRE_A05
from seed.filing import Filing, Place, simplified, submission

INS = "urn:oid:1.2.250.1.213.1.4.10"
RPPS = "https://rpps.esante.gouv.fr"
HADDAD = "99700009991"
"""Number of the author of the documents that the software of the hospitals files."""
OID = "1.2.250.1.213.1.4.99999.9"
REPORT = ("http://loinc.org", "34112-3", "CR hospitalier (séjour)")
OF_PATIENT = (TRE_A05, "DOCPAT03", "CR déposé par le patient")
"""A type that the patient's side may file under; the others are of professionals (rule J6)."""
LABORATORY = ("http://loinc.org", "11502-2", "CR d'examens biologiques")
FHIR_JSON = "application/fhir+json"
JSON_PATCH = "application/json-patch+json"
TRE_A07 = "https://mos.esante.gouv.fr/NOS/TRE_A07-StatutVisibiliteDocument/FHIR/TRE-A07-StatutVisibiliteDocument"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
RECIPIENT = {"system": f"{TERMINOLOGY}/v3-ParticipationType", "code": "IRCP"}
BASE = "http://localhost:8080/fhir"


_APPS: list[Flask] = []


def client_of(settings: Settings, runtime: Runtime) -> FlaskClient:
    """Return a client of the web application on this runtime; the application itself is built once for all tests."""
    if not _APPS:
        _APPS.append(create_app(settings, runtime))
    _APPS[0].extensions["habilis.runtime"] = runtime
    _APPS[0].config["DATA_DIR"] = str(settings.data_dir)
    return _APPS[0].test_client()


@dataclass
class World:
    """Who there is, by name: ids in `ids`, access tokens in `tokens`."""

    runtime: Runtime
    web: FlaskClient
    ids: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    count: int = 0

    # --- people ----------------------------------------------------------------------------------------------------

    def open(self) -> "World":
        """Record the keeper of the directory, two hospitals with software, one patient and three professionals."""
        self.software("keeper", "system/*.cruds")
        for place, number in (("chu", "990000018"), ("other", "990000026")):
            identifier = {"system": "https://finess.esante.gouv.fr", "value": number}
            self.record(place, {"resourceType": "Organization", "identifier": [identifier], "name": place})
            self.software(f"{place}-ehr", "system/*.cruds", place)
        self.colleague("haddad", HADDAD, "chu", "other")
        self.patient("camille", "284039999900148")
        for name, profession, place in (("nour", "10", "chu"), ("martin", "10", "other"), ("zoe", "28", "other")):
            self.professional(name, profession, place)
        return self

    def record(self, name: str, resource: Json) -> str:
        """Create a directory resource as the keeper; remember its id."""
        keeper = caller_of(self.runtime, f"Bearer {self.tokens['keeper']}", Origin("127.0.0.1"))
        row = REGISTRY[resource["resourceType"]]
        self.ids[name] = handlers.create(self.runtime, keeper, row, resource).shown.stored.id
        return self.ids[name]

    def software(self, name: str, scopes: str, place: str = "") -> None:
        """Give software that acts alone a token."""
        organization = f"Organization/{self.ids[place]}" if place else ""
        client = Client(id=name, name=name, kind=ClientKind.BACKEND, scopes=scopes, organization=organization)
        self.tokens[name] = self.mint(client=client, scopes=scopes)

    def intermediary(self, name: str, place: str, *, registered: bool = True) -> None:
        """Register software of an establishment that files documents of others, and give it a token."""
        given = {"scopes": "system/*.cruds", "organization": f"Organization/{self.ids[place]}"}
        client = Client(name, name, ClientKind.BACKEND, **given, intermediary=registered)
        clients.register(self.runtime, client)
        self.tokens[name] = self.mint(client=client, scopes=client.scopes)

    def patient(self, name: str, ins: str, birth_date: str = "1984-03-17") -> str:
        """Record an insured person with an own token."""
        identifier = {"system": INS, "value": ins}
        resource = {"resourceType": "Patient", "identifier": [identifier], "birthDate": birth_date}
        id_ = self.record(name, resource | {"name": [{"family": name.title()}]})
        represented = RepresentedPatient(id_, f"Patient/{id_}", name)
        account = Account(name, RequesterKind.PATIENT, represented.person, name, patients=(represented,), subject=name)
        app = Client(id="app", name="app", kind=ClientKind.PATIENT_APP)
        self.tokens[name] = self.mint(client=app, account=account, scopes="patient/*.cruds", launch_patient=id_)
        return id_

    def professional(self, name: str, profession: str, place: str, capacity: Capacity = Capacity.NONE) -> str:
        """Record a professional of an establishment with an own token."""
        self.record(name, {"resourceType": "Practitioner", "name": [{"family": name.title()}]})
        return self.in_mode(name, name, (profession, place, capacity))

    def colleague(self, name: str, number: str, *places: str) -> str:
        """Record a professional without a token who practises in establishments, as the directory says."""
        identifier = {"system": RPPS, "value": number}
        person = {"resourceType": "Practitioner", "identifier": [identifier], "name": [{"family": name.title()}]}
        id_ = self.record(name, person)
        for place in places:
            self.practice(name, place)
        return id_

    def practice(self, name: str, place: str, profession: str = "10") -> str:
        """Record that a professional practises in an establishment."""
        role = {
            "resourceType": "PractitionerRole",
            "practitioner": {"reference": f"Practitioner/{self.ids[name]}"},
            "organization": {"reference": f"Organization/{self.ids[place]}"},
            "code": [{"coding": [{"system": tokens.PROFESSION_SYSTEM, "code": profession}]}],
        }
        return self.record(f"{name}@{place}", role)

    def in_mode(
        self,
        token: str,
        name: str,
        post: tuple[str, str, Capacity],
        purpose: Purpose | None = None,
        scopes: str = "user/*.cruds",
    ) -> str:
        """Give a recorded professional a token for a post (profession, place, capacity) and a purpose."""
        profession, place, capacity = post
        practice = PractitionerRoleRef(
            role="",
            organization=f"Organization/{self.ids[place]}",
            organization_display=place,
            profession=profession,
            label=name,
            capacity=capacity,
        )
        person = f"Practitioner/{self.ids[name]}"
        account = Account(name, RequesterKind.PROFESSIONAL, person, name, practices=(practice,), subject=name)
        desk = Client(id="desk", name="desk", kind=ClientKind.PROFESSIONAL_APP)
        what = {"client": desk, "account": account, "practice": practice, "scopes": scopes, "purpose": purpose}
        self.tokens[token] = self.mint(**what)
        return self.ids[name]

    def mint(self, *, scopes: str, purpose: Purpose | None = None, **grantee: Any) -> str:
        """Mint an access token that outlives every test; `grantee` are fields of Grantee."""
        lifetime = timedelta(days=3650)
        return access_tokens.mint_token(self.runtime, Grantee(**grantee), scopes, purpose=purpose, lifetime=lifetime)

    # --- requests --------------------------------------------------------------------------------------------------

    def send(
        self, who: str, method: str, path: str, body: Any = None, mime: str = FHIR_JSON, **headers: str
    ) -> TestResponse:
        """Send one request below the FHIR endpoint; header names are written with underscores."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        return self.web.open(
            f"/fhir{path}",
            method=method,
            data=data,
            content_type=mime if data is not None else None,
            headers=sent | {"Authorization": f"Bearer {self.tokens[who]}"},
        )

    def get(self, who: str, path: str, **headers: str) -> TestResponse:
        return self.send(who, "GET", path, **headers)

    def found(self, who: str, path: str) -> list[str]:
        """Return the ids that a search shows."""
        answer = self.get(who, path)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return [entry["resource"]["id"] for entry in answer.get_json().get("entry", [])]

    # --- documents -------------------------------------------------------------------------------------------------

    def filing(self, patient: str = "camille", place: str | Place = "chu", **more: Any) -> Filing:
        """Build one document on its way, with a number and content of its own; only who gives care seals one."""
        self.count += 1
        if "INVISIBLE_PATIENT" in more.get("marks", ()):
            self.admit(patient, place if isinstance(place, str) else "chu")
        number = [{"system": RPPS, "value": HADDAD}]
        author = {"resourceType": "Practitioner", "id": "author", "identifier": number, "name": [{"family": "Haddad"}]}
        source = {"resourceType": "Patient", "id": "source", "name": [{"family": "Laurent"}]}
        settled = {
            "unique_id": f"{OID}.{self.count}",
            "title": f"Compte rendu {self.count}",
            "date": "2026-02-01T10:00:00+01:00",
            "mime": "text/plain",
            "content": f"content number {self.count}".encode(),
            "patient": self.ids[patient],
            "type_": REPORT,
            "category": ("10", "Compte rendu"),
            "author": author,
            "source_patient": source,
            "place": place if isinstance(place, Place) else Place(self.ids[place], "SA01", "ETABLISSEMENT"),
        }
        return Filing(**(settled | more))

    def admit(self, patient: str = "camille", place: str = "chu") -> None:
        """Let an admission system record that an establishment gives care to a patient (V1)."""
        id_, store = PatientId(self.ids[patient]), self.runtime.ports.store
        with store.snapshot() as snapshot:
            space = snapshot.load_space(id_)
        fact = Directive(
            f"admission-{place}",
            DirectiveKind.CARE,
            frozenset({f"Organization/{self.ids[place]}"}),
            recorded_at=self.runtime.now(),
            end=datetime.max.replace(tzinfo=UTC),
            proof=Proof.ADMISSION,
            recorder="Device/admissions",
            grade=Grade.THIRD_PARTY,
        )
        record = record_of(id_, space)
        if fact.id not in {one.id for one in record.directives}:
            state = record_codec.dump(record.with_directive(fact))
            store.commit(Change((), spaces=(SpaceWrite(id_, space.revision if space else 0, state),)))

    def bundle(self, *filings: Filing) -> Json:
        """Build an ITI-65 request; with one document of its own when none is given."""
        lot = filings or (self.filing(),)
        return deepcopy(submission(lot, f"{lot[0].unique_id}.0"))

    def simplified(self, **more: Any) -> Json:
        """Build an ITI-105 request."""
        return deepcopy(simplified(self.filing(**more)))

    def as_filed_by(self, who: str) -> Json:
        """Return what says that a document comes from somebody: an author and a place that this caller may name."""
        access = access_tokens.find_access(self.runtime, self.tokens[who])
        assert access is not None
        requester = access.grant.requester
        if requester.kind in (RequesterKind.PATIENT, RequesterKind.RELATED):
            author = {"resourceType": "Patient", "id": "author", "name": [{"family": "Laurent"}]}
            return {"author": author, "place": Place("", "SA01", "AMBULATOIRE")}
        organization = requester.organization.partition("/")[2]
        return {"place": Place(organization, "SA01", "ETABLISSEMENT")} if organization else {}

    def refiled(self, filing: Filing, who: str) -> Filing:
        """Return a document as another depositor may file it."""
        return replace(filing, **self.as_filed_by(who))

    def publish(self, who: str = "chu-ehr", **more: Any) -> str:
        """Publish one document by ITI-65 and return its id."""
        return self.publish_all(who, self.filing(**self.as_filed_by(who) | more))[0]

    def publish_all(self, who: str, *filings: Filing) -> list[str]:
        """Publish documents in one lot and return their ids."""
        answer = self.send(who, "POST", "", self.bundle(*filings))
        assert answer.status_code == 200, answer.get_data(as_text=True)
        locations = [entry["response"]["location"] for entry in answer.get_json()["entry"]]
        created = [place for place in locations if "/DocumentReference/" in place]
        return [place.split("/DocumentReference/")[1].split("/")[0] for place in created[: len(filings)]]

    def hide(self, document: str, who: str = "camille", mark: str = "MASQUE_PS") -> TestResponse:
        """Add one visibility mark to a document."""
        value = {"coding": [{"system": TRE_A07, "code": mark}]}
        operations = [{"op": "add", "path": "/securityLabel/-", "value": value}]
        return self.send(who, "PATCH", f"/DocumentReference/{document}", operations, JSON_PATCH)

    def agree(self, who: str, actor: str, type_: str = "permit", **more: Any) -> TestResponse:
        """Record a Consent about one actor of Camille's space."""
        return self.send(who, "POST", "/Consent", self.consent(actor, type_) | more)

    def consent(self, actor: str, type_: str = "permit", role: Json = RECIPIENT) -> Json:
        """Build a Consent about one actor, given by its name in this world."""
        kind = "Organization" if actor in ("chu", "other") else "Practitioner"
        patient = {"reference": f"Patient/{self.ids['camille']}"}
        named = {"role": {"coding": [role]}, "reference": {"reference": f"{kind}/{self.ids[actor]}"}}
        return {
            "resourceType": "Consent",
            "status": "active",
            "scope": {"coding": [{"system": f"{TERMINOLOGY}/consentscope", "code": "patient-privacy"}]},
            "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
            "patient": patient,
            "dateTime": "2026-03-02T09:00:00Z",
            "organization": [{"reference": f"Organization/{self.ids['chu']}"}],
            "policy": [{"uri": "https://profiles.ihe.net/ITI/PCF/Policy-basic-normal"}],
            "provision": {
                "type": type_,
                "purpose": [{"system": f"{TERMINOLOGY}/v3-ActReason", "code": "TREAT"}],
                "actor": [named],
            },
        }

    # --- the store -------------------------------------------------------------------------------------------------

    def dump(self, folder: Path) -> dict[str, Any]:
        """Return every row of every table but the trail, and the names of all contents."""
        database = next(folder.rglob("habilis.sqlite3"))
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            tables = [name for name in names if name not in ("trail", "probes") and not name.startswith("sqlite_")]
            rows = {name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in tables}  # noqa: S608
        contents = sorted(str(path) for path in folder.rglob("*") if path.is_file() and "sqlite" not in path.name)
        return rows | {"contents": contents}
