"""Requirements 36, 37, 38 and 40 over HTTP, and who somebody may be: guardians, and professionals who are patients."""

from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest

from consent_rules.vocabulary import DirectiveKind, RequesterKind
from fhir_server.app import create_app
from fhir_server.application.identity.access_tokens import find_access
from fhir_server.application.identity.accounts import (
    Account,
    PractitionerRoleRef,
    RepresentedPatient,
    add_account,
    change_account,
    find_account,
)
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.application.identity.grants import revoke_grant
from fhir_server.domain.consents.elements import DIRECTIVE
from tests.factories import settings_in
from tests.holds import holds
from tests.oauth.conftest import BASE, PASSWORD, Person, csrf_of, query_of, redeem
from tests.world import LABORATORY, REPORT, World

UNKNOWN = "5b7f9c1e-0000-4000-8000-000000000000"


@pytest.fixture
def app(runtime, tmp_path):
    settings = settings_in(tmp_path, BASE)
    return create_app(settings, runtime)


@pytest.fixture
def world(runtime, app) -> World:
    """Open a world in which Camille and a physician of her team each see two reports and a laboratory result."""
    made = World(runtime, app.test_client()).open()
    made.ids |= {"first": made.publish(type_=REPORT), "second": made.publish(type_=REPORT)}
    made.ids["labs"] = made.publish(type_=LABORATORY)
    assert made.agree("camille", "martin").status_code == 201
    return made


def token(world: World, name: str, scopes: str, who: str = "camille") -> str:
    """Give an app of Camille's, or of another's, a token with these scopes."""
    id_ = world.ids[who]
    account = Account(who, RequesterKind.PATIENT, f"Patient/{id_}", who, subject=who)
    client = Client(id="app", name="app", kind=ClientKind.PATIENT_APP)
    world.tokens[name] = world.mint(client=client, account=account, scopes=scopes, launch_patient=id_)
    return name


def titles(bundle: dict) -> set[str]:
    return {
        entry["resource"]["id"]
        for entry in bundle.get("entry", ())
        if entry["resource"]["resourceType"] != "OperationOutcome"
    }


# --- requirement 36 ---------------------------------------------------------------------------------------------------


def binary_of(world: World, document: str) -> str:
    body = world.get("camille", f"/DocumentReference/{document}").get_json()
    return urlsplit(body["content"][0]["attachment"]["url"]).path.rpartition("/fhir")[2]


def test_36_every_resource_in_an_answer_is_judged(world):
    """A scope for reports gives no laboratory result, by whatever way it is asked."""
    who = token(world, "reports", "patient/DocumentReference.rs?type=34112-3 patient/Binary.r patient/List.rs")
    labs, first = world.ids["labs"], world.ids["first"]
    found = world.get(who, f"/DocumentReference?patient={world.ids['camille']}").get_json()
    assert titles(found) == {first, world.ids["second"]}
    assert found["total"] == 2
    for path in (
        f"/DocumentReference/{labs}",
        f"/DocumentReference/{labs}/_history",
        f"/DocumentReference/{labs}/_history/1",
    ):
        assert world.get(who, path).status_code == 404
    for path in (f"/DocumentReference/{first}", f"/DocumentReference/{first}/_history"):
        assert world.get(who, path).status_code == 200
    assert titles(world.get(who, f"/DocumentReference?_id={labs},{first}").get_json()) == {first}


def test_36_contents_are_judged_as_their_documents(world):
    who = token(world, "reports", "patient/DocumentReference.rs?type=34112-3 patient/Binary.r")
    assert world.get(who, binary_of(world, world.ids["first"])).status_code == 200
    hidden = world.get(who, binary_of(world, world.ids["labs"]))
    unknown = world.get(who, f"/Binary/{UNKNOWN}")
    assert (hidden.status_code, unknown.status_code) == (404, 404)


@pytest.mark.parametrize("scopes", ["patient/DocumentReference.cruds", "patient/DocumentReference.rs patient/List.rs"])
def test_36_no_content_is_read_without_its_own_scope(world, scopes):
    """Whoever leaves "the content of documents" out on the consent page keeps it from the app."""
    who = token(world, "titles", scopes)
    assert world.get(who, f"/DocumentReference/{world.ids['first']}").status_code == 200
    for path in (binary_of(world, world.ids["first"]), f"/Binary/{UNKNOWN}"):
        answer = world.get(who, path)
        assert (answer.status_code, "insufficient_scope" in answer.headers["WWW-Authenticate"]) == (403, True), path


@holds("AC16")
def test_36_entries_of_a_batch_are_judged_one_by_one(world):
    who = token(world, "reports", "patient/DocumentReference.rs?type=34112-3")
    wanted = [f"DocumentReference/{world.ids[name]}" for name in ("first", "labs")]
    wanted += [f"AuditEvent?patient={world.ids['camille']}", f"DocumentReference?patient={world.ids['camille']}"]
    entries = [{"request": {"method": "GET", "url": url}} for url in wanted]
    answer = world.send(who, "POST", "", {"resourceType": "Bundle", "type": "batch", "entry": entries}).get_json()
    assert [entry["response"]["status"][:3] for entry in answer["entry"]] == ["200", "404", "403", "200"]
    assert world.ids["labs"] not in str(answer["entry"][3])


def test_36_a_submission_set_names_no_document_that_the_caller_does_not_see(world):
    assert world.hide(world.ids["second"]).status_code == 200
    lists = world.get("martin", f"/List?patient={world.ids['camille']}&code=submissionset")
    assert lists.status_code == 200
    assert world.ids["first"] in lists.text
    assert world.ids["second"] not in lists.text


def test_36_traces_are_no_way_round(world):
    """What a professional did is in their own traces; what somebody else read of a hidden document is not."""
    assert world.hide(world.ids["second"]).status_code == 200
    world.get("camille", f"/DocumentReference/{world.ids['second']}")
    traces = world.get("martin", f"/AuditEvent?patient={world.ids['camille']}&_count=100")
    assert world.ids["second"] not in traces.text


# --- requirement 37 ---------------------------------------------------------------------------------------------------

CRITERIA = (
    "_id={id}", "identifier={identifier}", "type=http://loinc.org|34112-3", "_lastUpdated=gt2000",
    "related:identifier={identifier}", "related={id}", "_has:AuditEvent:entity:agent=x", "_has:List:item:_id={id}",
    "_list={id}", "_filter=id eq {id}",
    "subject.name=Camille", "custodian.name=chu", "author.family=Haddad", "_query=x", "_security=x",
    "content:contains=x", "_content=number", "_text=number", "title=number", "_summary=count&_id={id}", "_sort=-date",
    "_elements=id&_id={id}",
)  # fmt: skip


@holds("AC05")
@pytest.mark.parametrize("handling", ["strict", "lenient"])
def test_37_no_criterion_tests_what_cannot_be_read(world, handling):
    """Martin gets for a hidden document what he gets for one that does not exist, whatever he asks."""
    hidden = world.ids["second"]
    identifier = world.get("camille", f"/DocumentReference/{hidden}").get_json()["masterIdentifier"]["value"]
    assert world.hide(hidden).status_code == 200
    for criterion in CRITERIA:
        asked = (told(world, criterion, handling, hidden, identifier), told(world, criterion, handling, UNKNOWN, "1.9"))
        assert asked[0] == asked[1], criterion


def told(world: World, criterion: str, handling: str, id_: str, identifier: str) -> tuple[object, ...]:
    """Return all that a search tells Martin; a total is what he sees."""
    query = criterion.replace("{id}", id_).replace("{identifier}", identifier)
    path = f"/DocumentReference?patient={world.ids['camille']}&{query}"
    answer = world.get("martin", path, Prefer=f"handling={handling}")
    body = answer.get_json()
    if answer.status_code == 200 and "_summary" not in criterion:
        assert body.get("total") in {None, len(titles(body))}, criterion
    return answer.status_code, body.get("total"), titles(body)


@pytest.mark.parametrize(
    "path", ["/Patient/{camille}/DocumentReference", "/Patient/{camille}/*", "/Patient/{camille}/$everything"]
)
def test_37_compartments_show_nothing_hidden(world, path):
    assert world.hide(world.ids["second"]).status_code == 200
    answer = world.get("martin", path.replace("{camille}", world.ids["camille"]))
    assert world.ids["second"] not in answer.text


def test_37_totals_and_pages_count_what_is_visible(world):
    query = f"/DocumentReference?patient={world.ids['camille']}&_count=1"
    before = world.get("martin", query).get_json()["total"]
    assert world.hide(world.ids["first"]).status_code == 200
    seen, where = set(), query
    while where:
        page = world.get("martin", where).get_json()
        assert page["total"] == before - 1
        seen |= titles(page)
        where = next_of(page)
    assert len(seen) == before - 1
    assert world.ids["first"] not in seen


def next_of(page: dict) -> str:
    found = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
    parts = urlsplit(found)
    return f"{parts.path.removeprefix('/fhir')}?{parts.query}" if found else ""


# --- requirement 38 ---------------------------------------------------------------------------------------------------


def test_38_a_page_is_of_the_grant_that_asked(world):
    query = f"/DocumentReference?patient={world.ids['camille']}&_count=1"
    where = next_of(world.get("martin", query).get_json())
    assert world.get("martin", where).status_code == 200
    token(world, "another app", "patient/DocumentReference.rs")
    for other in ("camille", "another app", "nour"):
        assert world.get(other, where).status_code in {400, 403}
    cursor = dict(parse_qsl(urlsplit(where).query))["_page"]
    elsewhere = f"/DocumentReference?patient={world.ids['camille']}&_count=2&_page={cursor}"
    assert world.get("martin", elsewhere).status_code in {200, 400}
    assert world.get("martin", f"/List?patient={world.ids['camille']}&_count=1&_page={cursor}").status_code == 400


@holds("AC21")
def test_38_a_page_is_judged_when_it_is_asked_for(world, runtime):
    query = f"/DocumentReference?patient={world.ids['camille']}&_count=1&_sort=_lastUpdated"
    page = world.get("martin", query).get_json()
    where, seen = next_of(page), titles(page)
    for name in {"first", "second", "labs"} - {n for n in world.ids if world.ids[n] in seen}:
        assert world.hide(world.ids[name]).status_code == 200
    after = world.get("martin", where).get_json()
    assert titles(after) == set()
    revoke_grant(runtime, find_access(runtime, world.tokens["martin"]).grant.id)
    assert world.get("martin", where).status_code == 401


# --- requirement 40 ---------------------------------------------------------------------------------------------------


def test_40_a_patient_s_token_reads_whom_fhir_user_names_and_nobody_else(world):
    world.patient("zelie", "290079999900153")
    own = f"/Patient/{world.ids['camille']}"
    named, bare = token(world, "named", "openid fhirUser"), token(world, "bare", "openid")
    assert world.get(named, own).status_code == 200
    assert world.get(named, own).get_json()["id"] == world.ids["camille"]
    for path in (f"/Patient/{world.ids['zelie']}", f"/Patient/{UNKNOWN}", f"{own}/_history", f"{own}/_history/1",
                 f"/Patient?_id={world.ids['camille']}", f"/Practitioner/{world.ids['martin']}"):  # fmt: skip
        assert world.get(named, path).status_code == 403
    assert world.get(bare, own).status_code == 403
    assert world.send(named, "PUT", own, {"resourceType": "Patient", "id": world.ids["camille"]}).status_code == 403


def test_40_a_professional_s_token_reads_whom_fhir_user_names_and_nobody_else(world):
    person = f"Practitioner/{world.ids['martin']}"
    practice = PractitionerRoleRef("", f"Organization/{world.ids['chu']}", "chu", "10")
    account = Account("n", RequesterKind.PROFESSIONAL, person, "n", practices=(practice,), subject="n")
    desk = Client(id="desk", name="desk", kind=ClientKind.PROFESSIONAL_APP)
    for name, scopes in (("named", "openid fhirUser"), ("bare", "openid user/DocumentReference.r")):
        world.tokens[name] = world.mint(client=desk, account=account, practice=practice, scopes=scopes)
    assert world.get("named", f"/{person}").status_code == 200
    assert world.get("bare", f"/{person}").status_code == 403
    assert world.get("named", f"/Practitioner/{world.ids['nour']}").status_code == 403
    assert world.get("named", f"/Organization/{world.ids['chu']}").status_code == 403


def test_40_a_guardian_s_token_reads_the_related_person_that_it_names(world, runtime):
    family = guarded(world)
    body = signed_in(
        world, runtime, family, scope="openid fhirUser patient/DocumentReference.rs", patient=family["child"]
    )
    claims = world.web.get("/oauth/userinfo", headers={"Authorization": f"Bearer {body['access_token']}"}).get_json()
    assert claims["fhirUser"] == f"{BASE}/fhir/RelatedPerson/{family['related']}"
    world.tokens["guardian"] = body["access_token"]
    assert world.get("guardian", f"/RelatedPerson/{family['related']}").status_code == 200
    assert world.get("guardian", f"/RelatedPerson/{UNKNOWN}").status_code == 403
    assert world.get("guardian", f"/Patient/{family['child']}").status_code == 403


def test_40_a_carer_s_token_reads_itself_and_no_choice_of_the_patient(world):
    """A carer sees no directive; the own RelatedPerson is no directive of the patient's."""
    patient = f"Patient/{world.ids['camille']}"
    carers = [
        world.record(n, {"resourceType": "RelatedPerson", "patient": {"reference": patient}}) for n in ("eli", "mona")
    ]
    for carer in carers:
        directive(world, world.ids["camille"], carer, DirectiveKind.CARER, "camille")
    account = Account(
        "eli",
        RequesterKind.RELATED,
        f"RelatedPerson/{carers[0]}",
        "Eli",
        subject="eli",
        patients=(RepresentedPatient(world.ids["camille"], f"RelatedPerson/{carers[0]}", "Camille"),),
    )
    client = Client(id="app", name="app", kind=ClientKind.PATIENT_APP)
    for name, scopes in (("eli", "openid fhirUser patient/*.rs"), ("eli bare", "openid patient/*.rs")):
        world.tokens[name] = world.mint(
            client=client, account=account, scopes=scopes, launch_patient=world.ids["camille"]
        )
    assert world.get("eli", f"/RelatedPerson/{carers[0]}").status_code == 200
    assert world.get("eli bare", f"/RelatedPerson/{carers[0]}").status_code == 404
    assert world.get("eli", f"/RelatedPerson/{carers[1]}").status_code == 404


# --- who somebody is --------------------------------------------------------------------------------------------------


def guarded(world: World) -> dict[str, str]:
    """Record a child with Camille as legal representative; give her an account that may act for both."""
    child = world.patient("sol", "318029999900176", "2018-02-03")
    related = world.record("camille-sol", {
        "resourceType": "RelatedPerson", "active": True, "patient": {"reference": f"Patient/{child}"},
        "relationship": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": "PRN"}]}],
        "name": [{"family": "Camille"}],
    })  # fmt: skip
    directive(world, child, related, DirectiveKind.REPRESENTATIVE)
    return {"own": world.ids["camille"], "child": child, "related": related}


def directive(world: World, child: str, related: str, kind: DirectiveKind, who: str = "keeper") -> None:
    """Record that somebody acts for a patient: the insurer tells of representatives, the patient of carers."""
    consent = world.consent("martin") | {
        "patient": {"reference": f"Patient/{child}"},
        "policyRule": {"coding": [{"system": DIRECTIVE, "code": kind.value}]},
    }
    actor = consent["provision"]["actor"][0] | {"reference": {"reference": f"RelatedPerson/{related}"}}
    consent["provision"] = {"type": "permit", "actor": [actor], "period": {"end": "2026-12-31"}}
    answer = world.send(who, "POST", "/Consent", consent)
    assert answer.status_code == 201, answer.text


def signed_in(world: World, runtime, family: dict[str, str], scope: str, **choices: str) -> dict:
    """Walk through the pages as Camille and return the token response."""
    account = find_account(runtime, "camille")
    represented_patients = (RepresentedPatient(family["child"], f"RelatedPerson/{family['related']}", "Sol"),)
    change_account(runtime, replace(account, person=f"Patient/{family['own']}", patients=represented_patients))
    person = Person(world.web.application, "camille", **choices)
    code = query_of(person.authorize(scope=scope))["code"]
    return redeem(world.web.application.test_client(), code).get_json()


def test_a_guardian_chooses_the_child_and_the_token_stays_in_the_child_s_space(world, runtime):
    family = guarded(world)
    filed = world.publish(patient="sol")
    scope = "openid fhirUser patient/DocumentReference.rs patient/Patient.r"
    body = signed_in(world, runtime, family, scope, patient=family["child"])
    assert body["patient"] == family["child"]
    world.tokens["guardian"] = body["access_token"]
    assert world.found("guardian", "/DocumentReference") == [filed]
    assert world.get("guardian", f"/DocumentReference?patient={family['own']}").status_code == 403
    assert world.get("guardian", f"/DocumentReference/{world.ids['first']}").status_code == 404
    assert world.get("guardian", f"/Patient/{family['own']}").status_code == 404


def test_a_guardian_who_chooses_the_own_space_sees_nothing_of_the_child(world, runtime):
    family = guarded(world)
    filed = world.publish(patient="sol")
    body = signed_in(world, runtime, family, "openid fhirUser patient/DocumentReference.rs", patient=family["own"])
    world.tokens["own"] = body["access_token"]
    assert find_access(runtime, body["access_token"]).grant.requester.kind is RequesterKind.PATIENT
    assert filed not in world.found("own", "/DocumentReference")
    assert world.get("own", f"/DocumentReference/{filed}").status_code == 404


def test_a_guardian_cannot_choose_a_child_of_others(world, runtime):
    family = guarded(world)
    world.patient("other child", "318029999900273", "2018-02-03")
    account = find_account(runtime, "camille")
    represented_patients = (RepresentedPatient(family["child"], f"RelatedPerson/{family['related']}", "Sol"),)
    change_account(runtime, replace(account, person=f"Patient/{family['own']}", patients=represented_patients))
    person = Person(world.web.application, "camille", patient=world.ids["other child"])
    assert person.authorize(scope="openid patient/DocumentReference.rs") == ""
    assert world.ids["other child"] not in person.pages[-1]


@pytest.fixture
def both(world, runtime) -> Account:
    """Add a physician who is a patient too, under one login."""
    world.patient("nadia", "290079999900153")
    practice = PractitionerRoleRef("PractitionerRole/n", f"Organization/{world.ids['chu']}", "chu", "10", label="CHU")
    own = world.ids["nadia"]
    account = Account(
        "nadia", RequesterKind.PROFESSIONAL, f"Practitioner/{world.ids['martin']}", "Nadia", (practice,),
        (RepresentedPatient(own, f"Patient/{own}", "Nadia"),),
    )  # fmt: skip
    return add_account(runtime, account, PASSWORD)


@pytest.mark.parametrize(
    ("client", "scope", "kind"),
    [("pro", "openid fhirUser user/DocumentReference.rs", RequesterKind.PROFESSIONAL),
     ("app", "openid fhirUser patient/DocumentReference.rs", RequesterKind.PATIENT)],
)  # fmt: skip
def test_a_professional_who_is_a_patient_acts_in_one_role_for_one_app(world, runtime, both, client, scope, kind):
    """The kind of app decides the role, and the token never mixes both."""
    person = Person(world.web.application, both.login)
    code = query_of(person.authorize(client_id=client, scope=scope))["code"]
    body = redeem(world.web.application.test_client(), code, client_id=client).get_json()
    requester = find_access(runtime, body["access_token"]).grant.requester
    assert requester.kind is kind
    assert bool(requester.profession) is (kind is RequesterKind.PROFESSIONAL)
    assert requester.person.startswith("Patient/" if kind is RequesterKind.PATIENT else "Practitioner/")


def test_the_role_of_a_patient_opens_no_patient_of_the_practice(world, both):
    person = Person(world.web.application, both.login)
    code = query_of(person.authorize(scope="openid patient/DocumentReference.rs user/DocumentReference.rs"))["code"]
    world.tokens["private"] = redeem(world.web.application.test_client(), code).get_json()["access_token"]
    assert world.get("private", f"/DocumentReference?patient={world.ids['camille']}").status_code == 403
    assert world.get("private", f"/DocumentReference/{world.ids['first']}").status_code == 404


def test_the_role_of_a_professional_is_no_key_to_the_own_space(world, both):
    """Whoever works as a physician does not read the own record by being its holder."""
    world.publish(patient="nadia")
    person = Person(world.web.application, both.login)
    scope = "openid user/DocumentReference.rs user/Consent.rs"
    code = query_of(person.authorize(client_id="pro", scope=scope))["code"]
    body = redeem(world.web.application.test_client(), code, client_id="pro").get_json()
    world.tokens["work"] = body["access_token"]
    assert world.get("work", f"/DocumentReference?patient={world.ids['nadia']}").status_code == 403


def test_an_app_for_patients_is_no_way_for_a_professional_without_a_space(world):
    where = Person(world.web.application, "paul").authorize(scope="openid patient/DocumentReference.rs")
    assert query_of(where)["error"] == "access_denied"


def test_the_choices_of_one_person_are_not_those_of_the_next_at_the_same_browser(world, both):
    """Whoever signs in anew in the same conversation chooses anew."""
    person = Person(world.web.application, both.login)
    person.authorize(client_id="pro", scope="openid user/DocumentReference.rs")
    page = person.get("/account/apps").text
    person.post("/logout", {"csrf": csrf_of(page)})
    person.login = "martin"
    person.choices = {"capacity": "role:PractitionerRole/martin-2"}
    where = person.authorize(client_id="pro", scope="openid user/DocumentReference.rs")
    assert query_of(where)["code"]
    assert any('name="capacity"' in shown for shown in person.pages)


def test_one_grant_never_mixes_two_people(world, both):
    """Tokens of both roles of one login, at once: each opens its own and no more."""
    person = Person(world.web.application, both.login)
    for name, client, scope in (("work", "pro", "openid user/*.rs"), ("private", "app", "openid patient/*.rs")):
        code = query_of(person.authorize(client_id=client, scope=scope))["code"]
        body = redeem(world.web.application.test_client(), code, client_id=client).get_json()
        world.tokens[name] = body["access_token"]
    assert world.get("private", f"/Patient/{world.ids['nadia']}").status_code == 200
    assert world.get("work", f"/DocumentReference?patient={world.ids['nadia']}").status_code == 403
