"""The official examples of IHE MHD, PCF, BALP and of ANS are accepted and come back as they came."""

import json

import pytest

from fhir_server.r4 import claimed_profiles
from fhir_server.r4.parsing import check, parse
from fhir_server.r4.xml import from_xml, to_xml
from tests.examples import NAMES, example

EACH = pytest.mark.parametrize("name", NAMES or ("none",))


def resources_of(resource):
    """Yield a resource, and those of its entries when it is a Bundle."""
    yield resource
    for entry in resource.get("entry", ()) if resource["resourceType"] == "Bundle" else ():
        if "resource" in entry:
            yield entry["resource"]


@EACH
def test_example_is_accepted_and_unchanged(name):
    resource = example(name)

    parsed = parse(json.dumps(resource).encode(), "application/fhir+json", resource["resourceType"])

    assert parsed == resource
    assert list(parsed) == list(resource)


@EACH
def test_every_resource_of_an_example_is_valid(name):
    assert [issue for resource in resources_of(example(name)) for issue in check(resource)] == []


@EACH
def test_every_resource_of_an_example_keeps_to_the_profiles_it_claims(name):
    assert [issue for resource in resources_of(example(name)) for issue in claimed_profiles.check(resource)] == []


@EACH
def test_example_survives_the_way_through_xml(name):
    resource = example(name)

    assert from_xml(to_xml(resource)) == resource
