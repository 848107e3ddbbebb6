"""User-access brands (SMART App Launch 2.2): one Bundle at the discovery document, for apps' lists of places."""

from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from fhir_server.r4.checking import check
from fhir_server.settings.brands import Brand
from fhir_server.settings.server import Settings, SettingsError
from tests.oauth.conftest import BASE, FHIR, serve

BRAND = Brand("Espace de démonstration", "https://www.sante.example/accueil", "https://www.sante.example/logo.svg")


@pytest.fixture
def web(runtime, options):
    return serve(runtime, replace(options, brand=BRAND)).test_client()


def discovered(web) -> dict:
    return web.get("/fhir/.well-known/smart-configuration", base_url=BASE).get_json()


def published(web) -> dict:
    where = discovered(web)["user_access_brand_bundle"]
    return web.get(urlsplit(where).path, base_url=BASE).get_json()


def test_the_discovery_document_points_at_the_bundle_and_names_the_primary_brand(web):
    document = discovered(web)
    assert document["user_access_brand_bundle"] == f"{BASE}/brands.json"
    assert document["user_access_brand_identifier"] == {"system": "urn:ietf:rfc:3986", "value": "https://sante.example"}


def test_exactly_one_organization_bears_the_identifier_and_it_names_the_endpoint(web):
    bundle = published(web)
    found = {entry["fullUrl"]: entry["resource"] for entry in bundle["entry"]}
    brands = [r for r in found.values() if discovered(web)["user_access_brand_identifier"] in r.get("identifier", ())]
    assert len(brands) == 1
    brand = brands[0]
    endpoint = next(r for r in found.values() if r["resourceType"] == "Endpoint")
    assert endpoint["address"] == FHIR
    assert {item["reference"] for item in brand["endpoint"]} == {"Endpoint/fhir"}
    assert f"{BASE}/brands/Endpoint/fhir" in found
    portal = next(item for item in brand["extension"] if item["url"].endswith("organization-portal"))
    said = {part["url"]: next(v for k, v in part.items() if k != "url") for part in portal["extension"]}
    assert said["portalEndpoint"]["reference"] == "Endpoint/fhir"
    assert said["portalUrl"] == f"{BASE}/"
    assert brand["name"] == BRAND.name


def test_the_bundle_and_its_entries_are_valid_r4(web):
    bundle = published(web)
    assert bundle["type"] == "collection"
    assert bundle["timestamp"]
    for resource in (bundle, *(entry["resource"] for entry in bundle["entry"])):
        assert list(check(resource)) == []
    for entry in bundle["entry"]:
        required = {"Organization": ("name", "identifier", "telecom"), "Endpoint": ("contact", "name", "payloadType")}
        assert all(entry["resource"].get(name) for name in required[entry["resource"]["resourceType"]])


def test_browsers_of_every_origin_read_it_and_ask_whether_it_changed(web, clock):
    first = web.get("/brands.json", base_url=BASE, headers={"Origin": "https://anywhere.example"})
    assert first.headers["Access-Control-Allow-Origin"] == "*"
    assert first.mimetype == "application/fhir+json"
    assert first.headers["ETag"].startswith('W/"')
    clock.advance(days=1)
    again = web.get("/brands.json", base_url=BASE, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert web.get("/brands.json", base_url=BASE).data == first.data


def test_a_new_name_is_a_new_bundle(runtime, options, web, clock):
    before = web.get("/brands.json", base_url=BASE)
    clock.advance(days=1)
    other = serve(runtime, replace(options, brand=replace(BRAND, name="Autre"))).test_client()
    after = other.get("/brands.json", base_url=BASE, headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert after.get_json()["timestamp"] > before.get_json()["timestamp"]


def test_without_a_logo_no_logo_is_claimed(runtime, options):
    web = serve(runtime, replace(options, brand=replace(BRAND, logo=""))).test_client()
    assert "brandLogo" not in web.get("/brands.json", base_url=BASE).text


def test_without_a_name_there_is_no_brand(runtime, options):
    web = serve(runtime, options).test_client()
    assert web.get("/brands.json", base_url=BASE).status_code == 404
    assert not [name for name in discovered(web) if name.startswith("user_access_brand")]


def test_the_brand_is_read_from_the_environment():
    known = {"HABILIS_BRAND_NAME": "Santé", "HABILIS_BRAND_WEBSITE": "https://sante.example"}
    assert Settings.from_environment(known).brand == Brand("Santé", "https://sante.example")
    assert Settings.from_environment({}).brand is None


@pytest.mark.parametrize(
    ("changes", "variable"),
    [({"HABILIS_BRAND_WEBSITE": ""}, "BRAND_WEBSITE"), ({"HABILIS_BRAND_WEBSITE": "http://a"}, "BRAND_WEBSITE"),
     ({"HABILIS_BRAND_WEBSITE": "https://[a"}, "BRAND_WEBSITE"), ({"HABILIS_BRAND_LOGO": "logo.svg"}, "BRAND_LOGO"),
     ({"HABILIS_BRAND_NAME": "x" * 201}, "BRAND_NAME")],
)  # fmt: skip
def test_a_brand_that_is_none_stops_the_start(changes, variable):
    known = {"HABILIS_BRAND_NAME": "Santé", "HABILIS_BRAND_WEBSITE": "https://sante.example"}
    with pytest.raises(SettingsError, match=variable):
        Settings.from_environment(known | changes)
