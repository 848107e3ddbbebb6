"""Two worlds in which the same story is played: the rules alone, and the server over HTTP."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from consent_rules import recording
from consent_rules.case import case_of
from consent_rules.enter import enter
from consent_rules.labels import sealed_until
from consent_rules.matrix import published
from consent_rules.model import AccessRequest, Entry, RecordState, Refuse, Requester
from consent_rules.profiles import profile
from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import Action, DirectiveKind, Mark, Purpose, RequesterKind, SpaceStatus, View
from fhir_server.domain import consents
from seed import cast, choices, enrolment
from seed.book import Demonstration
from seed.cards import HIDE
from seed.documents import DocumentPart, documents
from tests.conftest import START

SUPERSEDED = {part.replaces for part in documents() if part.replaces}


class World(Protocol):
    """What a story asks of a world. Lists are the keys of documents; None is a refusal."""

    def list(self, who: str, of: str) -> set[str] | None: ...

    def read(self, who: str, document: str) -> bool: ...

    def why(self) -> str:
        """The ground or the reason of the last list."""

    def choose(self, who: str, of: str, consent: dict, name: str) -> bool: ...

    def undo(self, who: str, of: str, name: str) -> bool: ...

    def mark(self, who: str, document: str, *, hidden: bool) -> bool: ...

    def wait(self, hours: float) -> None: ...

    @property
    def demo(self) -> Demonstration: ...


class RulesWorld:
    """The pure rules on facts made from the cast: no server, no store, no HTTP."""

    def __init__(self, rules: str) -> None:
        self.profile = profile(rules)
        self.matrix = published()
        self.at = START
        self.demo = _book_of_keys()
        self.facts = {part.key: self._facts(part) for part in documents()}
        self.spaces = {
            part.key: RecordState(part.key, SpaceStatus.ACTIVE, birth_date=datetime.fromisoformat(part.birth).date())
            for part in cast.PATIENTS
        }
        self.last: Entry | Refuse | None = None
        for name, who, consent in choices.of_the_cast(self.demo):
            assert self.choose(who, consent["patient"]["reference"].partition("/")[2], consent, name)

    def list(self, who: str, of: str) -> set[str] | None:
        self.last = self._enter(who, of, Action.CONSULT)
        if isinstance(self.last, Refuse):
            return None
        seen = self.last.sees(View.DOCUMENTS)
        return {key for key, facts in self.facts.items() if seen.admits(facts) and key not in SUPERSEDED}

    def read(self, who: str, document: str) -> bool:
        facts = self.facts[document]
        answer = self._enter(who, facts.compartment, Action.CONSULT)
        return isinstance(answer, Entry) and answer.sees(View.DOCUMENTS).admits(facts)

    def why(self) -> str:
        return self.last.basis if isinstance(self.last, Entry) else self.last.reason

    def choose(self, who: str, of: str, consent: dict, name: str) -> bool:
        directive = consents.directive_of(consent, name)
        request = self._request(who, Action.DIRECT)
        if request.requester.kind is RequesterKind.SYSTEM:
            assert directive.kind is DirectiveKind.REPRESENTATIVE
        elif isinstance(enter(request, self.spaces[of], self.matrix, self.profile), Refuse):
            return False
        else:
            directive = recording.record(case_of(request, self.spaces[of], self.matrix, self.profile), directive)
        if isinstance(directive, Refuse):
            return False
        self.spaces[of] = self.spaces[of].with_directive(replace(directive, recorded_at=self.at))
        return True

    def undo(self, who: str, of: str, name: str) -> bool:  # noqa: ARG002 - the rules leave that to the use case
        self.spaces[of] = self.spaces[of].without(name)
        return True

    def mark(self, who: str, document: str, *, hidden: bool) -> bool:  # noqa: ARG002 - as undo
        facts = self.facts[document]
        marks = facts.marks | Mark.MASQUE_PS if hidden else facts.marks & ~Mark.MASQUE_PS
        self.facts[document] = replace(facts, marks=marks)
        return True

    def wait(self, hours: float) -> None:
        self.at += timedelta(hours=hours)

    def _enter(self, who: str, of: str, action: Action) -> Entry | Refuse:
        return enter(self._request(who, action), self.spaces[of], self.matrix, self.profile)

    def _request(self, who: str, action: Action) -> AccessRequest:
        requester = requester_of(who)
        purpose = Purpose.TREATMENT
        if requester.kind in (RequesterKind.PATIENT, RequesterKind.RELATED):
            purpose = Purpose.PATIENT_REQUEST
        self.at += timedelta(milliseconds=1)
        return AccessRequest(requester, action, purpose, self.at)

    def _facts(self, part: DocumentPart) -> AccessFacts:
        own = part.author == "patient"
        depositor = requester_of(part.via or (part.patient if own else part.author))
        marks = Mark.MASQUE_PS if part.hidden else Mark.NONE
        for name in part.marks:
            marks |= Mark[name]
        return AccessFacts(
            part.patient,
            kind=part.type,
            marks=marks,
            sealed_until=sealed_until(START, self.profile) if marks & Mark.INVISIBLE_PATIENT else None,
            owner_person=depositor.person,
            owner_organization=depositor.organization,
            owner_client=depositor.client,
        )


class HttpWorld:
    """The real server in process, on the real store, asked over HTTP."""

    def __init__(self, stage) -> None:
        self.stage = stage
        self.demo = stage.demo
        self.asked = ("", "")

    def list(self, who: str, of: str) -> set[str] | None:
        answer = self.stage.search(who, of)
        self.asked = (of, answer.headers["X-Request-Id"])
        if answer.status_code == 403:
            return None
        assert answer.status_code == 200
        found = self.stage.keys(who, of)
        assert answer.json["total"] == len(found)
        return found

    def read(self, who: str, document: str) -> bool:
        status = self.stage.read(who, document).status_code
        assert status in (200, 404) or (who == "dana" and status == 403)
        return status == 200

    def why(self) -> str:
        of, request_id = self.asked
        path = f"AuditEvent?patient={self.demo.patients[of]}&date=ge2020-01-01&_sort=-date&_count=20"
        entries = self.stage.ask(cast.patient(of).reader, "GET", path).json["entry"]
        event = next(e["resource"] for e in entries if request_id in json.dumps(e["resource"]["entity"]))
        if event["outcome"] != "0":
            return event["outcomeDesc"]
        details = [d for entity in event["entity"] for d in entity.get("detail", ())]
        return next(d["valueString"] for d in details if d["type"] == "ground")

    def choose(self, who: str, of: str, consent: dict, name: str) -> bool:  # noqa: ARG002 - the Consent names it
        clock = self.stage.runtime.ports.clock
        clock.advance(milliseconds=1)
        consent = consent | {"dateTime": clock.now().isoformat(timespec="milliseconds")}
        answer = self.stage.ask(who, "POST", "Consent", consent)
        if answer.status_code == 403:
            return False
        assert answer.status_code == 201, answer.get_data(as_text=True)
        self.demo.consents[name] = answer.json["id"]
        return True

    def undo(self, who: str, of: str, name: str) -> bool:
        path = f"Consent/{self.demo.consents[name]}"
        resource = self.stage.ask(cast.patient(of).reader, "GET", path).json
        return self.stage.ask(who, "PUT", path, resource | {"status": "inactive"}).status_code == 200

    def mark(self, who: str, document: str, *, hidden: bool) -> bool:
        path = f"DocumentReference/{self.demo.documents[document]}"
        patch = HIDE
        if not hidden:
            labels = self.stage.ask(who, "GET", path).json["securityLabel"]
            place = next(n for n, label in enumerate(labels) if label["coding"][0]["code"] == "MASQUE_PS")
            patch = json.dumps([{"op": "remove", "path": f"/securityLabel/{place}"}])
        return self.stage.ask(who, "PATCH", path, patch, "application/json-patch+json").status_code == 200

    def wait(self, hours: float) -> None:
        self.stage.runtime.ports.clock.advance(hours=hours)
        enrolment.mint_tokens(self.stage.runtime, self.demo)


def requester_of(who: str) -> Requester:
    """Return the facts about one of the cast; references are keys instead of ids."""
    if "/" in who:
        return Requester(RequesterKind.RELATED, f"RelatedPerson/{_key(who)}", client="Device/espace")
    if any(part.key == who for part in cast.PATIENTS):
        return Requester(RequesterKind.PATIENT, f"Patient/{who}", client="Device/espace")
    if any(part.key == who for part in cast.SOFTWARE):
        place = cast.software(who).establishment
        organization = f"Organization/{place}" if place else ""
        return Requester(RequesterKind.SYSTEM, organization=organization, client=f"Device/{who}")
    if any(part.key == who for part in cast.STAFF):
        return Requester(RequesterKind.AUDITOR, f"Device/{who}")
    part = cast.professional(who)
    return Requester(
        RequesterKind.PROFESSIONAL,
        f"Practitioner/{who}",
        f"PractitionerRole/{who}",
        f"Organization/{part.establishment}",
        "Device/poste",
        part.profession,
    )


def _book_of_keys() -> Demonstration:
    demo = Demonstration("", "")
    demo.patients = {part.key: part.key for part in cast.PATIENTS}
    demo.professionals = {part.key: part.key for part in cast.PROFESSIONALS}
    demo.organizations = {part.key: part.key for part in cast.ESTABLISHMENTS}
    demo.guardians = {
        f"{key}/{part.key}": _key(f"{key}/{part.key}") for part in cast.PATIENTS for key in part.guardians
    }
    return demo


def _key(guardian: str) -> str:
    return guardian.replace("/", "-")
