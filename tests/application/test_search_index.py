"""https://hl7.org/fhir/R4/search.html: what each search parameter finds in a resource."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_rules.visibility import AccessFacts
from fhir_server.application.core import search_index
from fhir_server.application.core.search_index import facts_of
from fhir_server.domain.search import dates
from fhir_server.domain.search.values import criterion
from fhir_server.r4.structure import shape_of
from fhir_server.registry import REGISTRY
from tests.holds import holds
from tests.r4.bodies import BODIES

ACCESS = AccessFacts("p1")
BASE = "https://habilis.example/fhir"
MHD = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/"
DOCUMENT = BODIES["DocumentReference"] | {
    "extension": [
        {
            "url": "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-ext-is-archived",
            "valueBoolean": True,
        }
    ],
    "authenticator": {"reference": "Organization/o1"},
    "custodian": {"identifier": {"system": "urn:finess", "value": "010000001"}},
    "description": "Compte rendu d'échographie",
}
SUBMISSION = BODIES["List"] | {
    "contained": [
        {"resourceType": "PractitionerRole", "id": "r", "practitioner": {"reference": "#p"}},
        {"resourceType": "Practitioner", "id": "p", "name": [{"family": "Roux", "given": ["Zoé"]}]},
    ],
    "source": {
        "reference": "#r",
        "extension": [{"url": f"{MHD}ihe-authorOrg", "valueReference": {"reference": "Organization/o1"}}],
    },
    "extension": [
        {"url": f"{MHD}ihe-sourceId", "valueIdentifier": {"value": "urn:oid:1.2.3"}},
        {"url": f"{MHD}ihe-designationType", "valueCodeableConcept": {"coding": [{"system": "urn:d", "code": "A"}]}},
    ],
    "entry": [
        {"item": {"reference": "DocumentReference/d2"}},
        {"item": {"reference": "List/f1"}},
        {"item": {"reference": "https://other.example/DocumentReference/x"}},
        {"item": {"reference": "DocumentReference/d1/_history/2"}},
    ],
}


def finds(resource, query):
    """Tell whether a search of one parameter finds a resource."""
    name, _, value = query.partition("=")
    name, _, modifier = name.partition(":")
    row = REGISTRY[resource["resourceType"]]
    param = next(param for param in row.search if param.name == name)
    return criterion(param, modifier, value, BASE).matches(facts_of(resource, ACCESS, row))


@pytest.mark.parametrize(
    "query",
    [
        "identifier=urn:ietf:rfc:3986|urn:oid:1.2.3",
        "identifier=urn:uuid:1",
        "status=current",
        "status=http://hl7.org/fhir/document-reference-status|current",
        "type=http://loinc.org|11502-2",
        "type=http://loinc.org|",
        "category=55107-7",
        "patient=p1",
        "patient=Patient/p1",
        f"patient={BASE}/Patient/p1",
        "subject=Patient/p1",
        "author.family=martin",
        "author.given=An",
        "authenticator=Organization/o1",
        "custodian:identifier=urn:finess|010000001",
        "date=2026-01-05",
        "date=ge2026-01-05T08:00:00Z",
        "creation=2026-01-05",
        "period=2026",
        "period=ap2026-01-04",
        "period-start=2026-01-04",
        "period-end=2026-01-05",
        "period=sa2026-01-03",
        "security-label=N",
        "contenttype=text/xml; charset=utf-8",
        "language=fr-FR",
        "location=Binary/b1",
        "relatesto=DocumentReference/d0",
        "description=compte rendu d echo",
        "isArchived=true",
        "_profile=http://example.org/any",
        "event:missing=true",
        "type:missing=false",
        "type:not=nothing",
    ],
)
def test_document_is_found(query):
    assert finds(DOCUMENT, query)


@pytest.mark.parametrize(
    "query",
    [
        "status=superseded",
        "patient=p2",
        "patient=https://other.example/fhir/Patient/p1",
        "author=Practitioner/pr",
        "author.family=artin",
        "date=2026-01-06",
        "period=sa2026-01-04",
        "type:not=11502-2",
        "isArchived=false",
        "description=echographie",
        "event:missing=false",
        "security-label=MASQUE_PS",
    ],
)
def test_document_is_not_found(query):
    assert not finds(DOCUMENT, query)


@pytest.mark.parametrize(
    "query",
    [
        "source.family=Roux",
        "source.given=zoe",
        "sourceId=urn:oid:1.2.3",
        "designationType=urn:d|A",
        "authorOrg=Organization/o1",
        "item=DocumentReference/d1",
        "item=List/f1",
        "status=http://hl7.org/fhir/list-status|current",
    ],
)
def test_submission_set_is_found(query):
    assert finds(SUBMISSION, query)


@pytest.mark.parametrize(
    ("type_", "query"),
    [
        ("Patient", "name=durand"),
        ("Patient", "family=DURAND"),
        ("Patient", "given=cam"),
        ("Patient", "phone=+33100000000"),
        ("Patient", "telecom=+33100000000"),
        ("Patient", "email:missing=true"),
        ("Patient", "address=brest"),
        ("Patient", "address-city=Brest"),
        ("Patient", "birthdate=1979-03-05"),
        ("Patient", "active=true"),
        ("Patient", "gender=http://hl7.org/fhir/administrative-gender|female"),
        ("Patient", "link=Patient/p2"),
        ("PractitionerRole", "practitioner=Practitioner/pr1"),
        ("Organization", "name=chu"),
        ("Consent", "patient=p1"),
        ("Consent", "consentor=Patient/p1"),
        ("Consent", "status=active"),
    ],
)
def test_other_types_are_found(type_, query):
    assert finds(BODIES[type_], query)


def test_marks_are_never_indexed():
    marked = DOCUMENT | {
        "securityLabel": [{"coding": [{"system": "urn:any", "code": "masque_ps"}]}],
        "meta": {"security": [{"code": "INVISIBLE_PATIENT"}]},
    }

    found = facts_of(marked, ACCESS, REGISTRY["DocumentReference"]).tokens

    assert not [token for token in found if token.startswith(("security-label", "_security"))]


def test_documents_of_a_list_come_in_order_and_from_this_server_only():
    assert facts_of(SUBMISSION, ACCESS, REGISTRY["List"]).documents == ("d2", "d1")


def test_only_exact_identifiers_are_found_without_naming_a_patient():
    found = facts_of(BODIES["Patient"], ACCESS, REGISTRY["Patient"])

    of_match = {token for token in found.lookup if token.startswith("match:")}  # for `$match` alone
    assert len(of_match) == 3
    assert found.lookup - of_match == {"identifier|urn:oid:1.2.250.1.213.1.4.10|279035121518989"}
    assert found.lookup - of_match <= found.tokens


def test_several_values_of_a_date_become_one_interval_and_unreadable_ones_none():
    contents = [{"attachment": {"creation": text}} for text in ("2025-05-01", "2026-01-05", "unknown")]

    found = facts_of(DOCUMENT | {"content": contents}, ACCESS, REGISTRY["DocumentReference"])

    assert found.dates["creation"] == (dates.interval_of("2025-05-01")[0], dates.interval_of("2026-01-05")[1])


def test_access_is_kept_as_it_was_decided():
    assert facts_of(DOCUMENT, ACCESS, REGISTRY["DocumentReference"]).access is ACCESS


JSON = st.recursive(
    st.none() | st.booleans() | st.text("abc", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=12,
)


def values_at(resource, path):
    tree, found = [], {}
    search_index._branch_at(tree, search_index._steps(path)).params.append("p")
    search_index._gather(found, [resource], tree, {})
    return found.get("p", [])


def naive(value, names):
    """Walk a path the slow and obvious way: lists are gone through, nothing else is interpreted."""
    if isinstance(value, list):
        return [found for item in value if not isinstance(item, list) for found in naive(item, names)]
    if not names:
        return [] if value is None else [value]
    return naive(value[names[0]], names[1:]) if isinstance(value, dict) and names[0] in value else []


@given(
    st.dictionaries(st.sampled_from("abcd"), JSON, max_size=4),
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=4),
)
def test_walk_equals_the_naive_walk(resource, names):
    def flat(value):
        """FHIR has no list directly inside a list."""
        if isinstance(value, list):
            return [flat(item) for item in value if not isinstance(item, list)]
        return {name: flat(item) for name, item in value.items()} if isinstance(value, dict) else value

    resource = flat(resource)

    assert values_at(resource, ".".join(names)) == naive(resource, names)


def test_a_path_that_cannot_be_read_is_an_error():
    with pytest.raises(ValueError, match="not a search path"):
        values_at({}, "a[b")


@pytest.mark.parametrize("row", REGISTRY.values(), ids=list(REGISTRY))
def test_every_path_of_the_registry_starts_at_an_element_of_its_type(row):
    elements = shape_of(row.name).elements

    for param in row.search:
        assert param.paths
        assert param.definition.startswith(("http://hl7.org/fhir/", "https://"))
        assert {path.partition(".")[0].partition("[")[0] for path in param.paths} <= elements.keys()
        assert values_at({}, param.paths[0]) == []


def test_parameters_of_a_type_have_different_names():
    for row in REGISTRY.values():
        names = [param.name for param in row.search]
        assert len(names) == len(set(names))


ITI_67 = (
    "author.given author.family category creation date event facility format identifier patient period related "
    "security-label setting status type"
)
ITI_66 = "code date designationType identifier patient source.given source.family sourceId status"


@holds("ITI-66", "ITI-67")
@pytest.mark.parametrize(("type_", "names"), [("DocumentReference", ITI_67), ("List", ITI_66)])
def test_every_parameter_that_mhd_demands_is_there(type_, names):
    assert set(names.split()) <= {param.name for param in REGISTRY[type_].search}
