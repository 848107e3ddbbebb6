"""Each interaction, condition and parameter that the CapabilityStatement states is driven, and does what it says.

Source: https://hl7.org/fhir/R4/capabilitystatement.html; SMART App Launch (oauth-uris).
"""

import pytest

from fhir_server.http.fhir.capabilities import statement_of
from fhir_server.registry import REGISTRY, Interaction
from tests.world import BASE, INS, JSON_PATCH, World

STATED = {resource["type"]: resource for resource in statement_of(BASE)["rest"][0]["resource"]}
CAMILLE = f"{INS}|284039999900148"
VALUES = {
    "token": "1",
    "string": "a",
    "date": "2026-01-01",
    "uri": "urn:x",
    "reference": "11111111-2222-4333-8444-555555555555",
}
PARAMETERS = [
    (type_, param["name"], param["type"]) for type_, stated in STATED.items() for param in stated.get("searchParam", ())
]
OF_A_PATIENT = (
    "DocumentReference",
    "List",
    "Consent",
    "Encounter",
    "Communication",
    "AuditEvent",
    "RelatedPerson",
    "Provenance",
)
UNKNOWN = "11111111-2222-4333-8444-555555555555"


def value_of(type_: str, name: str, kind: str) -> str:
    """Return a value of a parameter; a composite one takes a value of each of its components."""
    if kind != "composite":
        return VALUES[kind]
    params = {param.name: param for param in REGISTRY[type_].search}
    return "$".join(VALUES[params[component].type] for component in params[name].components)


def asked(world: World, type_: str, name: str, kind: str) -> str:
    """Return a query that uses one parameter, and names the patient where the type wants one."""
    camille = world.ids["camille"]
    if name in ("patient", "subject") and type_ in OF_A_PATIENT:
        return f"{name}={camille}"
    if name.endswith(".identifier") and name.split(".", maxsplit=1)[0] in ("patient", "subject"):
        return f"{name}={CAMILLE}"
    if type_ == "Patient":
        return f"_id={camille}" if name == "_id" else f"_id={camille}&{name}={value_of(type_, name, kind)}"
    first = f"patient={camille}&" if type_ in OF_A_PATIENT else ""
    return f"{first}{name}={UNKNOWN if name == '_id' else value_of(type_, name, kind)}"


@pytest.mark.parametrize(("type_", "name", "kind"), PARAMETERS)
def test_every_stated_parameter_is_understood(shared_world: World, type_, name, kind):
    for who in ("camille", "keeper") if type_ in ("Patient", "Practitioner") else ("camille",):
        answer = shared_world.get(who, f"/{type_}?{asked(shared_world, type_, name, kind)}", Prefer="handling=strict")
        assert answer.status_code == 200, answer.get_data(as_text=True)
        if "identifier" not in name:  # persons by number stand in no link
            assert f"{name}=" in answer.get_json()["link"][0]["url"]


@pytest.mark.parametrize("type_", [name for name, row in REGISTRY.items() if Interaction.SEARCH in row.interactions])
def test_every_stated_include_is_understood_and_no_other(shared_world: World, type_):
    stated = {name: STATED[type_].get(name, []) for name in ("searchInclude", "searchRevInclude")}
    camille = shared_world.ids["camille"]
    start = f"/{type_}?patient={camille}" if type_ in OF_A_PATIENT else f"/{type_}?_id={camille}"
    strict = {"Prefer": "handling=strict"}
    for name, values in zip(("_include", "_revinclude"), stated.values(), strict=True):
        for value in values:
            answer = shared_world.get("camille", f"{start}&{name}={value}", **strict)
            assert answer.status_code == 200, answer.get_data(as_text=True)
        for value in (
            f"{type_}:identifier",
            f"{type_}:nothing",
            "Nothing:patient",
            "AuditEvent:agent" if type_ != "AuditEvent" else "x",
        ):
            assert shared_world.get("camille", f"{start}&{name}={value}", **strict).status_code == 400


@pytest.mark.parametrize("type_", OF_A_PATIENT)
def test_naming_the_patient_by_number_is_stated_where_it_is_understood(type_):
    stated = {param["name"] for param in STATED[type_]["searchParam"]}
    assert {f"{name}.identifier" for name in ("patient", "subject") if name in stated} <= stated


@pytest.mark.parametrize("type_", REGISTRY)
def test_conditions_of_creation_are_understood_where_they_are_stated(shared_world: World, type_):
    if Interaction.CREATE not in REGISTRY[type_].interactions:
        assert STATED[type_]["conditionalCreate"] is False
        return
    sent = {"resourceType": type_}
    if type_ == "Endpoint":
        sent |= {"status": "active", "address": "https://x.example", "payloadType": [{"text": "x"}]}
        sent["connectionType"] = {"system": "urn:x", "code": "x"}
    elif type_ == "DocumentReference":
        sent = shared_world.simplified()
    elif type_ == "Organization":
        sent["name"] = "x"
    elif type_ == "Consent":
        sent = shared_world.consent("nour")
    elif type_ == "Endpoint":
        sent |= {
            "status": "active",
            "connectionType": {"code": "x"},
            "payloadType": [{"text": "any"}],
            "address": "urn:x",
        }
    elif type_ == "RelatedPerson":
        sent["patient"] = {"reference": f"Patient/{shared_world.ids['camille']}"}
    who = {"DocumentReference": "chu-ehr", "Consent": "camille"}.get(type_, "keeper")
    answer = shared_world.send(who, "POST", f"/{type_}", sent, If_None_Exist="unheard-of=1")
    told = answer.get_json()["issue"][0]["details"]["text"]
    assert answer.status_code == 400
    assert ("`identifier=system|value`" in told) is STATED[type_]["conditionalCreate"]


def test_conditional_changes_are_stated_where_there_are_some(world: World):
    change = [{"op": "replace", "path": "/status", "value": "superseded"}]
    for type_, stated in STATED.items():
        answer = world.send("chu-ehr", "PATCH", f"/{type_}?identifier=urn:x|1", change, JSON_PATCH)
        is_offered = stated.get("conditionalUpdate", False)
        assert (answer.status_code != 405) is is_offered or type_ not in REGISTRY  # which has operations alone


@pytest.mark.parametrize("type_", REGISTRY)
def test_versions_are_stated_as_they_are_served(type_):
    offered = {one["code"] for one in STATED[type_]["interaction"]}
    assert STATED[type_]["readHistory"] is ("history-instance" in offered)
    assert STATED[type_]["versioning"] == "versioned"


def test_a_conditional_read_is_honoured_by_every_type_that_can_be_read(world: World):
    document = world.publish()
    content = world.get("camille", f"/DocumentReference/{document}").get_json()["content"][0]["attachment"]["url"]
    world.agree("camille", "martin")
    world.get("martin", f"/DocumentReference?patient={world.ids['camille']}")
    types = ("DocumentReference", "List", "Consent", "Communication", "AuditEvent", "Patient")
    paths = [f"/{type_}/{world.found('camille', f'/{type_}')[0]}" for type_ in types]
    for path in (*paths, content.split("/fhir")[1], f"/Practitioner/{world.ids['nour']}"):
        first = world.get("camille", path)
        assert first.status_code == 200
        assert STATED[path.split("/")[1]]["conditionalRead"] == "full-support"
        assert world.get("camille", path, If_None_Match=first.headers["ETag"]).status_code == 304


def test_interactions_of_the_whole_server_are_those_stated(shared_world: World):
    stated = {one["code"] for one in statement_of(BASE)["rest"][0]["interaction"]}
    assert stated == {"transaction", "batch", "search-system", "history-system"}
    assert shared_world.get("camille", "?_type=List").status_code == 200
    for kind in ("batch", "transaction"):
        assert shared_world.send("camille", "POST", "", {"resourceType": "Bundle", "type": kind}).status_code == 200
    assert shared_world.get("camille", "/_history").status_code == 200


def test_the_addresses_for_apps_are_the_ones_that_their_extension_knows():
    (stated,) = statement_of(BASE)["rest"][0]["security"]["extension"]
    assert {one["url"] for one in stated["extension"]} <= {"authorize", "token", "register", "manage"}


def test_the_guides_that_are_followed_are_named():
    statement = statement_of(BASE)
    assert any("pdsm" in guide for guide in statement["implementationGuide"])
    assert any("pdsm-simplified-publish" in claim for claim in STATED["DocumentReference"]["supportedProfile"])
    assert [one["code"] for one in STATED["OperationDefinition"]["interaction"]] == ["read", "search-type"]
