"""The habilitation matrix over HTTP: published for everybody, dated, and in force from its day on (D1 to D3)."""

from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest

from consent_rules.matrix import importing, schedule
from consent_rules.matrix.table import of_cells, published
from fhir_server.app import build_runtime, create_app
from fhir_server.settings.server import Settings, SettingsError
from tests.world import LABORATORY, World

DAY = "2026-06-01"
EVE = datetime(2026, 5, 31, 23, 59, tzinfo=UTC)


def matrix_of(day, **turned):
    """Return the published matrix of another day, with cells of the physiotherapist as said."""
    cells = (
        cell._replace(access=turned[cell.kind]) if cell.profession == "70" and cell.kind in turned else cell
        for cell in published().cells.values()
    )
    return of_cells(cells, day)


@pytest.fixture
def folder(tmp_path):
    """The operator's folder with a version that opens laboratory results to physiotherapists, approved by two."""
    place = tmp_path / "matrices"
    place.mkdir()
    wider = matrix_of(DAY, **{LABORATORY[1]: True})
    (place / f"habilitation_matrix_{DAY}.csv").write_text(importing.table(wider), "utf-8")
    approval = 'approvers = ["Dana", "Oscar"]\napproved_on = 2026-03-01\nnoticed_on = 2026-03-02\n'
    (place / f"habilitation_matrix_{DAY}.toml").write_text(approval, "utf-8")
    return place


@pytest.fixture
def dated(settings, runtime, folder):
    """A server that knows both versions."""
    served = replace(runtime, matrices=schedule.extended(schedule.packaged(), folder))
    return World(served, create_app(settings, served).test_client()).open()


class TestInForce:
    """D1, D2, P9.4: a version that was approved and announced holds from its day on, without a restart."""

    def test_a_wider_version_opens_nothing_before_its_day_and_all_of_it_from_then_on(self, dated, clock):
        clock.at = EVE
        dated.professional("paul", "70", "other")
        blood = dated.publish(type_=LABORATORY, category=("11", "Résultats"))
        assert dated.agree("camille", "paul", dateTime=EVE.isoformat()).status_code == 201
        search = f"/DocumentReference?patient={dated.ids['camille']}"
        assert dated.found("paul", search) == []
        clock.advance(minutes=1)
        assert dated.found("paul", search) == [blood]

    def test_the_trace_names_the_version_that_decided(self, dated, clock):
        clock.at = EVE
        dated.professional("paul", "70", "other")
        dated.publish()
        assert dated.agree("camille", "paul", dateTime=EVE.isoformat()).status_code == 201
        dated.found("paul", f"/DocumentReference?patient={dated.ids['camille']}")
        clock.advance(minutes=1)
        dated.found("paul", f"/DocumentReference?patient={dated.ids['camille']}")
        trail = dated.get("camille", f"/AuditEvent?patient={dated.ids['camille']}&_sort=-date&_count=2").get_json()
        newer, older = (orjson.dumps(entry["resource"]).decode() for entry in trail["entry"])
        assert DAY in newer
        assert DAY not in older
        assert published().version in older


class TestStart:
    """P9.4: a server does not start with a version that nobody approved, or that no source states."""

    def settings(self, settings, folder, **changed):
        return replace(settings, matrix_dir=folder, **changed)

    def test_with_an_approved_version(self, settings, folder, runtime):
        served = build_runtime(self.settings(settings, folder), runtime.ports)
        assert [version.version for version in served.matrices.versions] == [published().version, DAY]

    def test_is_refused_with_a_widening_that_one_person_approved(self, settings, folder, runtime):
        approval = folder / f"habilitation_matrix_{DAY}.toml"
        approval.write_text(approval.read_text("utf-8").replace(', "Oscar"', ""), "utf-8")
        with pytest.raises(SettingsError, match=r"HABILIS_MATRIX_DIR: .*2026-06-01\.csv: a widening needs a second"):
            build_runtime(self.settings(settings, folder), runtime.ports)

    def test_is_refused_where_the_folder_is_missing(self, settings, folder, runtime):
        with pytest.raises(SettingsError, match=r"HABILIS_MATRIX_DIR: .*nowhere is no folder"):
            build_runtime(self.settings(settings, folder / "nowhere"), runtime.ports)

    def test_inferred_grants_count_only_while_they_are_in_force_or_to_come(self, settings, folder, runtime):
        demanding = self.settings(settings, folder, accept_inferred_matrix=False)
        with pytest.raises(SettingsError, match=f"the matrix of {DAY} holds grants that no official source states"):
            build_runtime(demanding, runtime.ports)
        sourced = (cell for cell in published().cells.values() if cell.confidence == "sourced")
        path = folder / f"habilitation_matrix_{DAY}.csv"
        path.write_text(importing.table(of_cells(sourced, DAY)), "utf-8")
        assert build_runtime(demanding, runtime.ports).matrices.versions[-1].version == DAY

    def test_the_folder_is_a_setting(self, tmp_path):
        known = {"HABILIS_DATA_DIR": str(tmp_path)}
        assert Settings.from_environment(known).matrix_dir is None
        assert Settings.from_environment(known | {"HABILIS_MATRIX_DIR": "m"}).matrix_dir.name == "m"


class TestPage:
    """DESIGN 12: the same for people; a row says which cells a version turned."""

    def test_a_browser_gets_the_page_and_a_program_the_list(self, dated):
        answer = dated.web.get("/matrix", headers={"Accept": "text/html,*/*;q=0.8"})
        assert answer.content_type == "text/html; charset=utf-8"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert dated.web.get("/matrix", headers={"Accept": "*/*"}).content_type == "application/json"

    @pytest.mark.parametrize(("version", "marked"), [("2023-10-26", 0), (DAY, 1)])
    def test_marks_what_a_version_turned(self, dated, version, marked):
        address = f"/matrix?profession=70&version={version}&lang=en"
        text = dated.web.get(address, headers={"Accept": "text/html"}).get_data(as_text=True)
        assert text.count('<span class="tag">new</span>') == marked
        assert '<span class="tag">new</span></td><td>Laboratory report' in text or not marked


class TestPublicApi:
    """DESIGN 5: the matrix is served to everybody, each cell with its version and source."""

    def test_lists_the_versions_with_their_days(self, dated):
        answer = dated.web.get("/matrix")
        assert (answer.status_code, answer.content_type) == (200, "application/json")
        told = answer.get_json()
        assert told["inForce"] == published().version
        first, second = told["versions"]
        assert first == {
            "version": "2023-10-26", "from": "2023-10-26", "until": "2026-05-31",
            "cells": 4104, "grants": 1342, "sourced": 281, "inferred": 3823,
        }  # fmt: skip
        assert (second["version"], second["grants"], "until" in second) == (DAY, 1343, False)

    def test_a_version_is_json_with_the_names_of_its_codes(self, dated):
        told = dated.web.get("/matrix/2023-10-26").get_json()
        assert len(told["cells"]) == 4104
        cell = next(c for c in told["cells"] if (c["profession"], c["kind"]) == ("70", "34112-3"))
        assert (cell["access"], cell["confidence"], cell["source"]) == (True, "sourced", "SEED")
        assert {p["label"]["en"] for p in told["professions"] if p["code"] == "70"} == {"Physiotherapist"}
        assert "11502-2" in {kind["code"] for kind in told["kinds"]}

    def test_a_version_is_a_table_that_can_be_imported(self, dated):
        answer = dated.web.get("/matrix/2023-10-26", headers={"Accept": "text/csv"})
        assert answer.content_type == "text/csv; charset=utf-8"
        assert importing.read(answer.get_data(as_text=True), "2023-10-26") == published()

    def test_tells_what_a_version_changes(self, dated):
        told = dated.web.get(f"/matrix/{DAY}/changes?since=2023-10-26").get_json()
        assert told["changes"] == [{"profession": "70", "kind": LABORATORY[1], "before": False, "after": True}]

    @pytest.mark.parametrize(
        "path", ["/matrix/2019-01-01", f"/matrix/{DAY}/changes", f"/matrix/{DAY}/changes?since=../keys"]
    )
    def test_an_unknown_version_is_not_found(self, dated, path):
        assert dated.web.get(path).status_code == 404

    def test_is_asked_for_again_only_when_it_changes(self, dated):
        first = dated.web.get("/matrix/2023-10-26")
        again = dated.web.get("/matrix/2023-10-26", headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")

    def test_is_in_the_openapi_document(self, dated):
        paths = dated.web.get("/api/openapi.json").get_json()["paths"]
        assert {"/matrix", "/matrix/{version}", "/matrix/{version}/changes"} <= paths.keys()
