"""A tightened matrix acts at once on live tokens, a widened one does not: over HTTP, with a physiotherapist's app."""

from dataclasses import replace

import pytest

from consent_rules.matrix.schedule import Schedule
from consent_rules.matrix.table import Matrix, of_cells, published
from fhir_server.app import create_app
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity.accounts import PractitionerRoleRef, change_account, find_account
from tests.factories import runtime_on, settings_in
from tests.oauth.conftest import Person, query_of, redeem
from tests.oauth.steps import refresh
from tests.world import LABORATORY, REPORT, World

BASE = "http://localhost:8080"
FHIR = f"{BASE}/fhir"
SCOPE = "openid online_access user/DocumentReference.rs"


def matrix_with(kind: str, *, access: bool) -> Matrix:
    """Return the published matrix with one cell of the physiotherapist turned."""
    cells = (replace_cell(cell, kind, access=access) for cell in published().cells.values())
    return of_cells(cells, "2026-01-01")


def replace_cell(cell, kind: str, *, access: bool):
    return cell._replace(access=access) if (cell.profession, cell.kind) == ("70", kind) else cell


class Practised:
    """Camille's space with a report and a laboratory result, and Paul, a physiotherapist whom she agreed to."""

    def __init__(self, app, runtime: Runtime) -> None:
        self.app, self.runtime = app, runtime
        self.world = World(runtime, app.test_client()).open()
        person = self.world.professional("paul", "70", "other")
        assert self.world.agree("camille", "paul").status_code == 201
        place = f"Organization/{self.world.ids['other']}"
        account = find_account(runtime, "paul")
        practice = PractitionerRoleRef("", place, "Cabinet", "70", label="Cabinet")
        change_account(runtime, replace(account, person=f"Practitioner/{person}", practices=(practice,)))
        self.names = {self.world.publish(): "report"}
        self.names[self.world.publish(type_=LABORATORY, category=("11", "Résultats"))] = "blood"

    def decree(self, matrix: Matrix) -> None:
        """Put another matrix in force."""
        self.app.extensions["habilis.runtime"] = replace(self.runtime, matrices=Schedule((matrix,)))

    def authorize(self) -> dict[str, str]:
        person = Person(self.app, "paul")
        person.base = BASE
        code = query_of(person.authorize(client_id="pro", scope=SCOPE, aud=FHIR))["code"]
        found: dict[str, str] = redeem(self.app.test_client(), code, client_id="pro").get_json()
        return found

    def sees(self, token: str) -> set[str]:
        """Return what a search shows, which is also what can be read."""
        self.world.tokens["app"] = token
        found = self.world.found("app", f"/DocumentReference?patient={self.world.ids['camille']}")
        for id_ in self.names:
            status = self.world.get("app", f"/DocumentReference/{id_}").status_code
            assert status == (200 if id_ in found else 404)
        return {self.names[id_] for id_ in found}


@pytest.fixture
def practised(ports, tmp_path) -> Practised:
    runtime = runtime_on(ports, BASE)
    settings = settings_in(tmp_path, BASE)
    return Practised(create_app(settings, runtime), runtime)


def test_a_tightened_matrix_acts_at_the_next_request_of_a_live_token(practised):
    token = practised.authorize()["access_token"]
    assert practised.sees(token) == {"report"}
    practised.decree(matrix_with(REPORT[1], access=False))
    assert practised.sees(token) == set()
    practised.decree(published())
    assert practised.sees(token) == {"report"}


def test_a_widened_matrix_opens_nothing_to_a_live_token_nor_to_its_renewal(practised):
    granted = practised.authorize()
    practised.decree(matrix_with(LABORATORY[1], access=True))
    assert practised.sees(granted["access_token"]) == {"report"}
    renewed = refresh(practised.app.test_client(), granted["refresh_token"], "pro").get_json()
    assert renewed["scope"] == granted["scope"]
    assert practised.sees(renewed["access_token"]) == {"report"}
    assert practised.sees(practised.world.tokens["paul"]) == {"report", "blood"}


def test_the_next_authorization_gets_the_wider_row(practised):
    before = practised.authorize()
    practised.decree(matrix_with(LABORATORY[1], access=True))
    after = practised.authorize()
    assert LABORATORY[1] not in before["scope"]
    assert LABORATORY[1] in after["scope"]
    assert practised.sees(after["access_token"]) == {"report", "blood"}
    assert (before["__habilitation"]["matrix"], after["__habilitation"]["matrix"]) == (
        published().version,
        "2026-01-01",
    )


def test_a_category_that_the_app_asks_is_met_with_the_matrix_row(practised):
    person = Person(practised.app, "paul")
    person.base = BASE
    scope = "openid user/DocumentReference.rs?category=10"
    code = query_of(person.authorize(client_id="pro", scope=scope, aud=FHIR))["code"]
    body = redeem(practised.app.test_client(), code, client_id="pro").get_json()
    assert body["scope"].startswith("openid user/DocumentReference.rs?category=10&type=")
    assert practised.sees(body["access_token"]) == {"report"}
    other = Person(practised.app, "paul")
    other.base = BASE
    scope = "openid user/DocumentReference.rs?category=11"
    code = query_of(other.authorize(client_id="pro", scope=scope, aud=FHIR))["code"]
    token = redeem(practised.app.test_client(), code, client_id="pro").get_json()["access_token"]
    assert practised.sees(token) == set()
