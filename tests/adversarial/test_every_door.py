"""Non-interference over every door: what somebody may not know changes no answer to them, in any byte (AC01 to AC20).

Two worlds are one world before and after a secret step, and one request about a secret and about nothing. A door of the
application that no table of `doors` names fails, and so does a secret step that whoever may know it does not notice.
"""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from werkzeug.test import TestResponse

from consent_rules.vocabulary import Capacity, DirectiveKind, Purpose, RequesterKind
from fhir_server.application.identity.accounts import Account, RepresentedPatient
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.domain.consents.elements import DIRECTIVE
from fhir_server.registry import REGISTRY
from tests.adversarial import doors
from tests.adversarial.doors import SECRET_NAME, UNKNOWN, Door
from tests.conformance.project import ROOT
from tests.holds import holds
from tests.http.fhir_documents import filed
from tests.http.test_admissions import admission_system, admit
from tests.world import INS, JSON_PATCH, TRE_A07, World

_CURSOR = re.compile(rb"_page=[A-Za-z0-9_\-]+")
_ID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PLACE = "urn:oid:"
PCP = {
    "system": "https://mos.esante.gouv.fr/NOS/TRE_R259-HL7ParticipationFunction/FHIR/TRE-R259-HL7ParticipationFunction",
    "code": "PCP",
}


def told(answer: TestResponse) -> tuple[int, bytes, list[tuple[str, str]]]:
    """Return all that a caller can compare; what seals a cursor is random."""
    headers = sorted((n, v) for n, v in answer.headers if n not in ("X-Request-Id", "Date"))
    return answer.status_code, _CURSOR.sub(b"_page=", answer.get_data()), headers


@pytest.fixture
def stage(world: World) -> World:
    """Open a space that professionals of another hospital may read, a child's, and a stranger's that is closed."""
    world.patient("zora", "284039999900999")
    world.patient("lea", "216059999900111", "2016-05-01")
    world.admit()
    _represent(world, "lea", "parent")
    holder = {"reference": f"Patient/{world.ids['camille']}"}
    related = world.send("keeper", "POST", "/RelatedPerson", {"resourceType": "RelatedPerson", "patient": holder})
    world.ids["relative"] = related.get_json()["id"]
    world.in_mode("martin-btg", "martin", ("10", "other", Capacity.NONE), Purpose.BREAK_GLASS)
    world.ids["plain"], world.ids["withheld"] = world.publish(), world.publish()
    _declare(world)
    world.ids["lea-plain"] = world.publish(patient="lea")
    for who in ("martin", "zoe"):
        assert world.agree("camille", who).status_code == 201
    reason = {"resourceType": "Parameters", "parameter": [{"name": "reason", "valueString": "coma"}]}
    opened = world.send("martin-btg", "POST", f"/Patient/{world.ids['camille']}/$break-glass", reason)
    assert opened.status_code == 200, opened.get_data(as_text=True)
    return world


def _declare(world: World) -> None:
    """Declare a physician, and keep one document from that physician by name."""
    world.professional("dora", "10", "other")
    declared = world.send("camille", "POST", "/Consent", world.consent("dora", role=PCP))
    assert declared.status_code == 201, declared.get_data(as_text=True)
    kept = world.consent("dora", "deny")
    named = {"reference": f"DocumentReference/{world.ids['withheld']}"}
    kept["provision"]["data"] = [{"meaning": "instance", "reference": named}]
    assert world.send("camille", "POST", "/Consent", kept).status_code == 201


def _represent(world: World, child: str, name: str) -> None:
    """Record who represents a child, and give that person a token."""
    patient = {"reference": f"Patient/{world.ids[child]}"}
    related = world.send("keeper", "POST", "/RelatedPerson", {"resourceType": "RelatedPerson", "patient": patient})
    world.ids[name] = related.get_json()["id"]
    consent = world.consent("martin") | {"patient": patient, "performer": [patient]}
    del consent["provision"]["purpose"]
    consent["provision"]["actor"][0]["reference"] = {"reference": f"RelatedPerson/{world.ids[name]}"}
    consent["policyRule"] = {"coding": [{"system": DIRECTIVE, "code": DirectiveKind.REPRESENTATIVE.value}]}
    made = world.send("keeper", "POST", "/Consent", consent)
    assert made.status_code == 201, made.get_data(as_text=True)
    represented = RepresentedPatient(world.ids[child], f"RelatedPerson/{world.ids[name]}", child)
    account = Account(name, RequesterKind.RELATED, represented.person, name, patients=(represented,), subject=name)
    app = Client(id="app", name="app", kind=ClientKind.PATIENT_APP)
    what = {"client": app, "account": account, "scopes": "patient/*.cruds", "launch_patient": world.ids[child]}
    world.tokens[name] = world.mint(**what)


def test_every_door_is_asked_or_said_where_it_is_held(stage):
    found = doors.doors_of(stage.web.application)
    asked = {door for door, _ in (*doors.by_id(), *doors.searched())} | doors.of_no_id() | doors.OF_THE_SERVER
    asked |= set(doors.histories())
    left_out = {door for door in found - asked if not doors.is_elsewhere(door)}
    assert not left_out
    assert not asked - found
    assert not {door for door in asked if doors.is_elsewhere(door)}
    assert all((ROOT / test).exists() for test in doors.ELSEWHERE.values())


# --- before and after a secret step --------------------------------------------------------------------------------


def _marked(world: World, mark: str, patient: str = "camille", who: str = "chu-ehr") -> str:
    filing = world.filing(patient=patient, unique_id=SECRET_NAME.removeprefix(_PLACE))
    bundle = world.bundle(filing)
    bundle["entry"][1]["resource"]["securityLabel"].append({"coding": [{"system": TRE_A07, "code": mark}]})
    answer = world.send(who, "POST", "", bundle)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()["entry"][1]["response"]["location"].split("/DocumentReference/")[1].split("/")[0]


def hide(world: World) -> None:
    """File a document that the patient hides from professionals, and look at it."""
    id_ = _marked(world, "MASQUE_PS")
    assert world.get("chu-ehr", f"/DocumentReference/{id_}").status_code == 200


def choose(world: World) -> None:
    """Block one professional and agree to a hospital: choices about others than whoever asks."""
    assert world.agree("camille", "nour", "deny").status_code == 201
    assert world.agree("camille", "chu").status_code == 201


def live_elsewhere(world: World) -> None:
    """Fill another patient's space."""
    _marked(world, "MASQUE_PS", "zora")
    patient = {"reference": f"Patient/{world.ids['zora']}"}
    block = world.consent("martin", "deny") | {"patient": patient, "performer": [patient]}
    assert world.send("zora", "POST", "/Consent", block).status_code == 201


def keep_from_parents(world: World) -> None:
    """File what a minor keeps from the representatives, and look at it."""
    id_ = _marked(world, "INVISIBLE_REPRESENTANTS_LEGAUX", "lea", "nour")
    assert world.get("chu-ehr", f"/DocumentReference/{id_}").status_code in (200, 404)


def seal(world: World) -> None:
    """File a result that waits for its announcement, and look at it (E9)."""
    id_ = _marked(world, "INVISIBLE_PATIENT")
    assert world.get("chu-ehr", f"/DocumentReference/{id_}").status_code == 200


def go_on_with_what_is_withheld(world: World) -> None:
    """Replace and read a document that is withheld by name from the declared physician."""
    world.publish_all("chu-ehr", world.filing(replaces=world.ids["withheld"]))
    assert world.get("martin", f"/DocumentReference/{world.ids['withheld']}").status_code == 200


Step = Callable[[World], None]
SECRETS: list[tuple[Step, str, tuple[str, ...], str, tuple[str, ...]]] = [
    (
        hide,
        "camille",
        ("martin", "martin-btg", "other-ehr"),
        "camille",
        ("DocumentReference", "List", "AuditEvent"),
    ),
    (seal, "camille", ("camille",), "chu-ehr", ("DocumentReference", "List")),
    (go_on_with_what_is_withheld, "camille", ("dora",), "camille", ("DocumentReference", "List", "AuditEvent")),
    (choose, "camille", ("martin", "dora", "other-ehr"), "camille", ("Consent", "AuditEvent")),
    (live_elsewhere, "camille", ("camille", "zoe"), "", ()),
    (keep_from_parents, "lea", ("parent",), "chu-ehr", ("DocumentReference", "List")),
]
"""A secret step, whose space is asked about, who must notice nothing, who must notice, and in which types."""


def asked(world: World, who: str, patient: str) -> dict[tuple[Door, str], object]:
    """Ask all that can be searched in one space, by address and by form."""
    answers: dict[tuple[Door, str], object] = {}
    for door, row in doors.searched():
        every = list(doors.questions(row, world.ids[patient]))
        for query in every if door[0] == "GET" else every[:4]:
            path = door[1].removeprefix("/fhir")
            if door[0] == "GET":
                answer = world.get(who, f"{path}?{query}")
            else:
                form = query.encode()
                answer = world.send(who, "POST", path, form, "application/x-www-form-urlencoded")
            assert answer.status_code < 500
            answers[door, query] = told(answer)
    for door in doors.histories():
        for window in ("", "&_count=1", "&_since=2026-03-02T09:30:00Z", "&_at=2026-03-02T10:30:00Z", "&_count=0"):
            query = f"patient={world.ids[patient]}{window}"
            answers[door, query] = told(world.get(who, f"{door[1].removeprefix('/fhir')}?{query}"))
    return answers


@holds("E5", "AC10")
@pytest.mark.parametrize(("step", "patient", "who"), [(s, p, who) for s, p, blind, *_ in SECRETS for who in blind])
def test_a_secret_step_changes_no_answer(stage, clock, step, patient, who):
    """U3 of the property: the step happened an hour ago and is noticed by nobody whom it does not concern."""
    clock.advance(hours=2)
    stage.get(who, f"/DocumentReference?patient={stage.ids[patient]}")  # the first access is told, to the holder alone
    before = asked(stage, who, patient)
    clock.at -= timedelta(hours=1)
    step(stage)
    clock.advance(hours=1)
    after = asked(stage, who, patient)
    changed = [question for question, answer in before.items() if after[question] != answer]
    assert [door for door, _ in changed] == []
    assert sum(answer[0] == 200 for answer in before.values()) > 0.3 * len(before)


@pytest.mark.parametrize(("step", "patient", "who", "types"), [(s, p, who, t) for s, p, _, who, t in SECRETS if who])
def test_who_may_know_notices_the_step(stage, clock, step, patient, who, types):
    """The control: without it the test above would hold for a server that answers nothing."""
    clock.advance(hours=2)
    before = asked(stage, who, patient)
    clock.at -= timedelta(hours=1)
    step(stage)
    clock.advance(hours=1)
    after = asked(stage, who, patient)
    changed = {question[0][1].split("/")[2] for question, answer in before.items() if after[question] != answer}
    assert set(types) <= changed


# --- a secret and nothing ------------------------------------------------------------------------------------------


@pytest.fixture
def secrets(stage: World) -> World:
    """Give each type a resource that neither Dr Martin, Mrs Zoe nor another hospital's software may know."""
    hidden = _marked(stage, "MASQUE_PS")
    shown = stage.get("camille", f"/DocumentReference/{hidden}").get_json()
    lot = stage.found("camille", f"/List?item=DocumentReference/{hidden}")[0]
    block = stage.agree("camille", "nour", "deny").get_json()["id"]
    stage.get("martin", f"/DocumentReference/{hidden}")
    trace = stage.found("camille", "/AuditEvent?outcome=4")[0]
    notice = stage.found("camille", "/Communication")[0]
    assert stage.send("zora", "POST", f"/Patient/{stage.ids['zora']}/$close-space").status_code == 200
    content = shown["content"][0]["attachment"]["url"].rpartition("/")[2]
    kept = {"DocumentReference": hidden, "Binary": content, "List": lot, "Consent": block, "AuditEvent": trace}
    kept["Provenance"] = stage.found("camille", f"/Provenance?target=DocumentReference/{hidden}")[0]
    admission_system(stage)
    kept["Encounter"] = admit(stage)
    kept |= {"Communication": notice, "RelatedPerson": stage.ids["relative"], "Patient": stage.ids["zora"]}
    document, kept["Bundle"] = filed(stage)
    assert stage.hide(document).status_code == 200
    stage.ids |= {f"secret-{type_}": id_ for type_, id_ in kept.items()}
    return stage


@holds("E5", "AC02")
@pytest.mark.parametrize("who", ["martin", "zoe", "martin-btg", "other-ehr", "parent"])
def test_a_secret_id_is_an_unknown_id_at_every_door(secrets, who):
    """Ghosts: byte for byte the same, status and headers too."""

    def knock(door: Door, type_: str, id_: str) -> object:
        path = door[1].removeprefix("/fhir").replace("<id_>", id_).replace("<version>", "1")
        body, mime = doors.body_for(door, type_, id_)
        sent = secrets.send(who, door[0], path, body, mime) if mime else secrets.send(who, door[0], path)
        assert sent.status_code < 500
        return told(sent)

    different = [
        door
        for door, type_ in doors.by_id()
        if knock(door, type_, secrets.ids[f"secret-{type_}"]) != knock(door, type_, UNKNOWN)
        and (who, door[1]) not in doors.KNOWN
    ]
    assert different == []


@pytest.mark.parametrize("who", ["martin", "zoe", "martin-btg", "other-ehr", "parent"])
def test_criteria_that_a_secret_meets_are_met_by_nothing(secrets, who):
    """A write by criteria: by id, and with a reference of each search parameter, of a secret and of nothing."""
    patient = secrets.ids["lea" if who == "parent" else "camille"]

    def knock(door: Door, type_: str, query: str, id_: str) -> object:
        body, mime = doors.body_for(door, type_, UNKNOWN)
        if door[0] == "PUT":
            body = {name: value for name, value in body.items() if name != "id"}
        sent = secrets.send(who, door[0], f"/{type_}?{query.format(id=id_)}", body, mime or "application/fhir+json")
        assert sent.status_code < 500
        status, answer, headers = told(sent)
        return status, _anonymous(answer), _without(headers, id_)

    different = []
    for door, type_ in doors.by_number():
        kept = secrets.ids[f"secret-{type_}"]
        named = [
            p.name for p in REGISTRY[type_].search if p.type == "reference" and p.name not in ("patient", "subject")
        ]
        queries = [("_id={id}", kept), (f"patient={patient}&_id={{id}}", kept)]
        queries += [(f"patient={patient}&{p}={{id}}", secrets.ids["secret-DocumentReference"]) for p in named]
        for query, id_ in queries:
            if knock(door, type_, query, id_) != knock(door, type_, query, UNKNOWN):
                different.append((door, query))
    assert different == []


@holds("AC29")
@pytest.mark.parametrize(("who", "mark"), [("camille", "INVISIBLE_PATIENT"), ("dora", "")])
def test_what_is_kept_from_the_one_who_sees_the_most_is_unknown(stage, who, mark):
    """AC29, E9, F7: a result that waits, to the holder; a document withheld by name, to the declared physician."""
    kept = _marked(stage, mark) if mark else stage.ids["withheld"]
    shown = stage.get("chu-ehr", f"/DocumentReference/{kept}").get_json()
    lot = stage.found("chu-ehr", f"/List?patient={stage.ids['camille']}&item=DocumentReference/{kept}")[0]
    ids = {
        "DocumentReference": kept,
        "List": lot,
        "Binary": shown["content"][0]["attachment"]["url"].rpartition("/")[2],
    }
    different = []
    for door, type_ in doors.by_id():
        pair = []
        for id_ in (ids.get(type_, UNKNOWN), UNKNOWN):
            path = door[1].removeprefix("/fhir").replace("<id_>", id_).replace("<version>", "1")
            body, mime = doors.body_for(door, type_, id_)
            pair.append(told(stage.send(who, door[0], path, body, mime) if mime else stage.send(who, door[0], path)))
        different += [door] if pair[0] != pair[1] else []
    assert different == []


@holds("AC01")
@pytest.mark.parametrize("who", ["martin", "zoe", "martin-btg", "other-ehr", "parent"])
def test_a_secret_name_in_a_query_is_an_unknown_name(secrets, who):
    """Each reference of each search, and `_id`, names a secret and nothing."""
    patient = secrets.ids["lea" if who == "parent" else "camille"]
    different = []
    for door, row in doors.searched():
        if door[0] != "GET":
            continue
        path, base = door[1].removeprefix("/fhir"), f"patient={patient}"
        base += "&date=lt2026-03-02T08:59:00Z" if row.name == "AuditEvent" else ""
        params = [
            param.name for param in row.search if param.type == "reference" and param.name not in ("patient", "subject")
        ]
        for type_ in ("DocumentReference", "Binary", "List", "Consent", "AuditEvent", "Communication"):
            pair = []
            for id_ in (secrets.ids[f"secret-{type_}"], UNKNOWN):
                asked_of = [f"{path}?{base}&{name}={type_}/{id_}" for name in params]
                asked_of += [f"{path}?_id={id_}", f"{path}?{base}&_id={id_}", f"?_type={row.name}&{base}&_id={id_}"]
                answers = [told(secrets.get(who, query)) for query in asked_of]
                pair.append(
                    [
                        (status, body.replace(id_.encode(), b"?"), _without(headers, id_))
                        for status, body, headers in answers
                    ]
                )
            different += [(path, type_)] if pair[0] != pair[1] else []
    assert different == []


def _anonymous(answer: bytes) -> bytes:
    """Leave out ids and names: those that were sent, and those of what a write has made."""
    return _ID.sub(b"?", answer).replace(f"{SECRET_NAME}9".encode(), SECRET_NAME.encode())


def _without(headers: list[tuple[str, str]], id_: str) -> list[tuple[str, str]]:
    left_out = ("Content-Length", "Location")
    return [(name, value.replace(id_, "?")) for name, value in headers if name not in left_out]


def named(world: World, door: Door, target: str, name: str) -> tuple[object, str]:
    """Return a body for a writing door that refers to a document by its id or by its business identifier."""
    method, rule = door
    reference = {"reference": f"DocumentReference/{target}"}
    fhir = "application/fhir+json"
    if method in ("DELETE", "PATCH"):
        return ([{"op": "test", "path": "/status", "value": "x"}], JSON_PATCH) if method == "PATCH" else (None, fhir)
    if rule == "/fhir/DocumentReference":
        body = world.simplified(place="other")
        body["context"]["related"] = [reference]
        return body, fhir
    if rule == "/fhir/Consent":
        body = world.consent("martin")
        body["provision"]["data"] = [{"meaning": "instance", "reference": reference}]
        return body, fhir
    if rule.startswith("/fhir/Patient") or rule == "/fhir/RelatedPerson":
        patient = {"resourceType": "Patient", "identifier": [{"system": INS, "value": name}]}
        related = {"resourceType": "RelatedPerson", "patient": {"reference": f"Patient/{target}"}}
        return (related if "RelatedPerson" in rule else patient), fhir
    gets = [
        {"request": {"method": "GET", "url": url}}
        for url in (f"DocumentReference/{target}", f"List?item={target}&patient={world.ids['camille']}")
    ]
    return {"resourceType": "Bundle", "type": "batch", "entry": gets}, fhir


@holds("AC11")
@pytest.mark.parametrize("who", ["martin", "zoe", "martin-btg", "other-ehr"])
def test_a_secret_name_in_a_body_is_an_unknown_name(secrets, who):
    """AC11, AC16: what is written or sent in a batch is no oracle either."""
    different = []
    for door in sorted(doors.of_no_id()):
        if "$" in door[1] and door[0] == "GET":
            continue
        pair = []
        for target, name in ((secrets.ids["secret-DocumentReference"], SECRET_NAME), (UNKNOWN, f"{SECRET_NAME}9")):
            body, mime = named(secrets, door, target, name)
            path = door[1].removeprefix("/fhir")
            path += f"?identifier=urn:ietf:rfc:3986|{name}" if door[0] in ("PUT", "PATCH", "DELETE") else ""
            status, answer, headers = told(secrets.send(who, door[0], path, body, mime))
            pair.append((status, _anonymous(answer), _without(headers, target)))
        if pair[0] != pair[1]:
            different.append((door, pair[0][0], pair[1][0]))
    assert different == []
