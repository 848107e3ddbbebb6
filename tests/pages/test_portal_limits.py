"""What refuses a page before anything is read: too many requests of one session, and a lockdown."""

from dataclasses import replace

import pytest

from fhir_server.application.core import lockdown
from fhir_server.http import request_rates
from tests.pages.visitors import Visitor, an_account, camille_at_home

_EXTENSION = "habilis.request-rates"


@pytest.fixture
def counted(world):
    """Limit the requests of the application for one test."""
    app = world.web.application
    before = app.extensions.pop(_EXTENSION, None)
    request_rates.install(app)
    yield
    app.extensions.pop(_EXTENSION)
    if before is not None:
        app.extensions[_EXTENSION] = before


@pytest.mark.usefixtures("counted")
def test_too_many_pages_of_one_session_are_refused_and_those_of_others_are_not(world):
    profile = world.runtime.profile
    few = replace(profile, ceilings=replace(profile.ceilings, requests_a_minute=5, requests_a_second=5))
    world.web.application.extensions["habilis.runtime"] = replace(world.runtime, profile=few)
    camille = camille_at_home(world)
    answers = [camille.get("/documents") for _ in range(8)]
    assert {answer.status_code for answer in answers} == {200, 429}
    assert answers[-1].headers["Retry-After"]
    world.patient("ines", "210039999900255", "2010-06-01")
    an_account(world, "ines", "ines")
    assert Visitor(world, "ines", world.ids["ines"]).get("/documents").status_code == 200


def test_a_lockdown_closes_every_page_and_form(world):
    camille, document = camille_at_home(world), world.publish()
    csrf = camille.csrf(camille.at("/documents"))
    lockdown.switch_on(world.runtime, "oscar", "an attack")
    pages = [camille.get(path) for path in ("/documents", f"/documents/{document}", "/people")]
    forms = [camille.send(f"/documents/{document}/hide", csrf=csrf)]
    assert {answer.status_code for answer in (*pages, *forms)} == {503}
