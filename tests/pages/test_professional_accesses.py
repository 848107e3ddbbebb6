"""What a professional did in a space, and with whom they share access there, on pages."""

import pytest

from tests.pages.professionals import DECLARED, at_desk
from tests.pages.visitors import left


@pytest.fixture
def martin(world):
    return at_desk(world)


def test_own_acts_are_listed_with_their_ground_and_nobody_elses(world, martin):
    document = world.publish()
    nour = at_desk(world, "nour", "chu")
    nour.send(nour.of_patient(), **DECLARED)
    nour.get(nour.of_patient(f"/documents/{document}"))
    assert "You have done nothing here" in martin.get(martin.of_patient("/accesses")).text
    martin.send(martin.of_patient(), **DECLARED)
    martin.get(martin.of_patient(f"/documents/{document}"))
    page = martin.get(martin.of_patient("/accesses")).text
    assert martin.at(martin.of_patient(f"/documents/{document}")) in page
    assert page.count(f"/documents/{document}") == 1
    world.agree("camille", "martin", "deny")
    assert martin.get(martin.of_patient("/documents")).status_code == 403
    assert martin.get(martin.of_patient("/accesses")).status_code == 200


def test_the_page_asks_as_an_app_would(world, martin):
    martin.send(martin.of_patient(), **DECLARED)
    path = f"/AuditEvent?patient={world.ids['camille']}&agent=Practitioner%2F{world.ids['martin']}&_count=50"
    by_page, by_app = (
        left(world, act)
        for act in (lambda: martin.get(martin.of_patient("/accesses")), lambda: world.get("martin", path))
    )
    assert by_page == by_app


def test_the_members_of_the_own_establishment_are_named_when_an_agreement_is_for_the_team(martin):
    assert martin.get(martin.of_patient("/team")).status_code == 403
    martin.send(martin.of_patient(), **DECLARED)
    page = martin.get(martin.of_patient("/team")).text
    assert "No agreement names your establishment" in page
    assert "Haddad" not in page
    martin.send(martin.of_patient(), **(DECLARED | {"whom": "team"}))
    assert "Haddad" in martin.get(martin.of_patient("/team")).text
