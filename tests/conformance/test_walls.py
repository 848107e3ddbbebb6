"""The walls of the house hold, and each of them is shown to find the fault that it is there for."""

import inspect
import re
import shutil

import pytest

from fhir_server.application.core.system_views import ReadingReason
from fhir_server.ports.store import Snapshot
from tests.conformance.commands import unnamed_at_the_edge
from tests.conformance.project import ROOT, text_of
from tests.conformance.racing import browser_modules, racing_reads
from tests.conformance.type_names import conditions_on_types, needless
from tests.conformance.walls import (
    ASK_THE_RULES,
    BUILD_CALLERS,
    MAKE_FILTERS,
    OPEN_SPACES,
    PACKAGES,
    PARTS,
    SAME_NAME,
    asked_rules,
    built_callers,
    dotted,
    import_report,
    made_filters,
    opened_spaces,
    ports_at_the_edge,
    rooms,
    stated_reasons,
)

LEAK = """
from consent_rules.visibility import Clause, Visibility
from fhir_server.domain.search.criteria import Search
from fhir_server.http.request_context import runtime

def everybody(patient):
    with runtime().ports.store.snapshot() as snapshot:
        return snapshot.find(Search("DocumentReference"), Visibility(patient, (Clause(),))).rows
"""


@pytest.fixture
def copied(tmp_path):
    """A copy of the sources, into which a fault may be planted."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "static"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_only_the_decision_and_the_named_places_make_a_filter():
    assert made_filters(ROOT) == []


def test_a_caller_is_built_in_one_place():
    assert built_callers(ROOT) == []


def test_only_the_enforcement_point_opens_a_space():
    assert opened_spaces(ROOT) == []


def test_only_the_enforcement_point_and_the_tools_ask_the_rules():
    assert asked_rules(ROOT) == []


def test_the_edge_holds_no_port():
    assert ports_at_the_edge(ROOT) == []


def test_no_name_of_a_resource_type_decides_outside_the_named_places():
    assert conditions_on_types(ROOT) == []


def test_every_place_where_the_name_of_a_type_may_decide_needs_to():
    assert needless(ROOT) == []


def test_every_place_that_may_is_there_and_needs_to():
    named = MAKE_FILTERS | BUILD_CALLERS | OPEN_SPACES | ASK_THE_RULES | SAME_NAME.keys()
    assert [place for place in sorted(named) if not (ROOT / place).exists()] == []


OPENED_ELSEWHERE = (
    "from fhir_server.application.core.access import Opened\nspace = Opened(None, None, None)\n",
    "from fhir_server.application.core.access import Opened as Space\nspace = Space(None, None, None)\n",
    "from fhir_server.application.core import access\nspace = access.Opened(None, None, None)\n",
    "def wider(opened, permit):\n    return replace(opened, permit=permit)\n",
)
HAND_MADE = (
    LEAK,
    "import consent_rules.visibility as v\nview = v.Visibility('p', (v.Clause(),))\n",
    "from consent_rules.visibility import Visibility as Sight\nview = Sight('p')\n",
    "def wider(view):\n    return replace(view, clauses=())\n",
    "def wider(clause):\n    return clause._replace(closed_by=0)\n",
    "def wider(clause):\n    return clause._replace(**{'kinds': None})\n",
    "def wider(clause):\n    return type(clause)()\n",
    "def wider(view):\n    return view.__class__('p')\n",
    "from consent_rules.visibility import Clause\nclause = Clause._make(())\n",
    "from fhir_server.application.core.system_views import SystemView\nclass Mine(SystemView):\n    pass\n",
)
BUILT_BY_HAND = (
    "from fhir_server.domain.caller import Caller\ncaller = Caller(granted, scopes, 't')\n",
    "from fhir_server.domain import caller as c\nanybody = c.Caller(granted, scopes, 't')\n",
    "from fhir_server.domain.caller import Caller as Somebody\nanybody = Somebody(granted, scopes, 't')\n",
    "from fhir_server.domain.caller import Caller\nclass Mine(Caller):\n    pass\n",
)
ASKING = (
    "from consent_rules.decision.decide import decide\n",
    "import consent_rules.decision.decide\n",
    "from consent_rules.decision import decide\n",
)
REACHING = (
    LEAK,
    "from fhir_server.ports.store import Search\n",
    "import fhir_server.ports.vault\n",
    "from fhir_server import ports\n",
    "store = getattr(runtime(), 'ports').store\n",
    "store = getattr(runtime(), 'po' + 'rts').store\n",
    "name = 'po' + 'rts'\nstore = getattr(runtime(), name).store\n",
    "store = vars(runtime())\n",
    "store = runtime().__dict__\n",
    "store = operator.attrgetter('po' + 'rts')(runtime())\n",
)
STATING = (
    "view = whole_space(ReadingReason.OPERATOR, 'p')\n",
    "from fhir_server.application.core.system_views import ReadingReason as Why\nx = whole_space(Why.ERASURE, 'p')\n",
    "from fhir_server.application.core import system_views as v\nview = v.left_open(v.ReadingReason.REVIEW, 'p')\n",
    "view = whole_space(ReadingReason('operator'), 'p')\n",
    "def view(reason):\n    return whole_space(reason, 'p')\n",
    "from fhir_server.application.core.system_views import of_kinds as some\nview = some(reason=why, patient='p')\n",
)


def test_every_filter_made_by_hand_is_found(copied):
    planted = plant(copied, "fhir_server/http", HAND_MADE)
    assert {place.partition(":")[0] for place in made_filters(copied)} == planted


def test_a_change_of_any_part_of_a_filter_is_found(copied):
    changes = (f"{call}({part}=None)\n" for call in ("view._replace", "replace") for part in sorted(PARTS))
    planted = plant(copied, "fhir_server/application/reading", changes)
    assert {place.partition(":")[0] for place in made_filters(copied)} == planted


def test_every_caller_built_by_hand_is_found(copied):
    planted = plant(copied, "fhir_server/oauth", BUILT_BY_HAND)
    assert {place.partition(":")[0] for place in built_callers(copied)} == planted


def test_every_space_opened_elsewhere_is_found(copied):
    planted = plant(copied, "fhir_server/application/reading", OPENED_ELSEWHERE)
    assert {place.partition(":")[0] for place in opened_spaces(copied)} == planted


def test_every_further_place_that_asks_the_rules_is_found(copied):
    planted = plant(copied, "fhir_server/oauth", ASKING)
    assert set(asked_rules(copied)) == planted


def test_every_port_that_the_edge_reaches_for_is_found(copied):
    planted = plant(copied, "fhir_server/http", REACHING)
    assert {place.partition(":")[0] for place in ports_at_the_edge(copied)} == planted


ASKING_THE_TYPE = (
    "def shown(row):\n    return row.name == 'DocumentReference'\n",
    "def shown(type_):\n    return type_ in ('List', 'Binary')\n",
    "_KNOWN = frozenset({'Consent', 'AuditEvent'})\n",
    "WORDS = {('read', 'Consent'): 'looked at a choice'}\n",
    "def shown(type_):\n    match type_:\n        case 'Patient' | 'Consent':\n            return True\n",
    "def shown(reference):\n    return reference.startswith('DocumentReference/')\n",
    "DOCUMENT = 'DocumentReference'\n\ndef shown(type_):\n    return type_ != DOCUMENT\n",
    "from fhir_server.http.stray_6 import DOCUMENT as ONE\n\ndef shown(type_):\n    return type_ == ONE\n",
    "from fhir_server.http import stray_6\n\ndef shown(type_):\n    return type_ == stray_6.DOCUMENT\n",
)


def test_every_condition_on_the_name_of_a_type_is_found(copied):
    planted = plant(copied, "fhir_server/http", ASKING_THE_TYPE)
    assert {place.partition(":")[0] for place in conditions_on_types(copied)} == planted


PLANNING = (
    "from fhir_server.application.core.unit_of_work import carry_out\n\ndef act():\n    carry_out(1, 2, 3, 4)\n",
    "from fhir_server.application.bundles import handlers\n\nTABLE = handlers.HANDLERS\n",
    "from fhir_server.application.documents import document_requests as d\n\ndef act():\n    d.plan_patch(1, 2)\n",
    "from fhir_server.application.consents.recording import plan_choice as say\n\ndef act():\n    say(1, 2, 3)\n",
    "from fhir_server.application.spaces import lifecycle as l\n\ndef act():\n    l.change(1, 2, 3, l.OPEN)\n",
    "def act():\n    from fhir_server.application.identity.grants import revoke_grant\n    revoke_grant(1, 2)\n",
    "from fhir_server.oauth.base import events\n\ndef act():\n    events.logged_out(1, 2)\n",
)


def test_edges_name_commands_and_queries():
    assert unnamed_at_the_edge(ROOT) == []


@pytest.mark.parametrize("edge", ["fhir_server/http/pages", "fhir_server/cli", "seed"])
def test_every_edge_that_plans_or_reaches_into_the_application_is_found(copied, edge):
    planted = plant(copied, edge, PLANNING)
    assert {place.partition(":")[0] for place in unnamed_at_the_edge(copied)} == planted


UPWARD = (
    ("fhir_server.application.core.runtime", "fhir_server.application.bundles.transactions"),
    ("fhir_server.domain.problem", "fhir_server.application.core.runtime"),
    ("fhir_server.http.fhir.negotiation", "fhir_server.http.fhir.search"),
    ("consent_rules.decision.decision_context", "consent_rules.tools.cli"),
    ("consent_rules.consents.uploads", "consent_rules.consents.reviewing"),
)
"""Imports that no module may have: the importer stands below what it imports, or beside it."""
BROKEN_BY_UPWARD = {
    "layers of fhir_server.application",
    "server layers",
    "layers of fhir_server.http.fhir",
    "rules layers",
    "layers of consent_rules.consents",
}


def test_a_stray_module_in_any_room_breaks_the_contract_of_the_room(copied):
    planted = {f"{room}/stray_room.py" for room in rooms(copied)} | {"fhir_server/stray_package/__init__.py"}
    for name in planted:
        (copied / name).parent.mkdir(exist_ok=True)
        (copied / name).write_text("")
    report = import_report(copied)
    assert sorted({dotted(name.removesuffix("/__init__.py")) for name in planted} - report.unlisted) == []
    assert len(report.broken) >= len(planted) - 1  # one contract a room; the stray package breaks that of fhir_server


def test_an_import_upward_or_sideways_breaks_the_contract_that_forbids_it(copied):
    for importer, imported in UPWARD:
        with (copied / f"{importer.replace('.', '/')}.py").open("a") as module:
            module.write(f"import {imported}\n")
    report = import_report(copied)
    assert sorted(set(UPWARD) - {tuple(chain.split(" -> ")) for chain in report.chains}) == []
    assert sorted(BROKEN_BY_UPWARD - report.broken) == []


def test_the_checks_of_a_change_run_the_import_contracts():
    makefile = text_of("Makefile")
    assert "imports" in re.search(r"^check:([^#]*)", makefile, flags=re.MULTILINE)[1].split()
    assert "lint-imports" in makefile.partition("\nimports:")[2].partition("\n\n")[0]


def plant(root, folder, faults):
    """Write each fault as a module; return their names."""
    names = {f"{folder}/stray_{number}.py": fault for number, fault in enumerate(faults)}
    for name, fault in names.items():
        (root / name).write_text(fault)
    return set(names)


def test_the_threat_model_names_the_modules_that_state_each_reason_of_an_own_read():
    assert sorted(stated_reasons(ROOT)) == sorted(allowed_reasons())
    assert {reason for reason, _ in allowed_reasons()} == set(ReadingReason)


def test_every_reason_that_another_module_states_is_found(copied):
    rooms_of_others = ("fhir_server/application/reading", "fhir_server/oauth", "fhir_server/http")
    planted = {file for room in rooms_of_others for file in plant(copied, room, STATING)}
    assert {file for _, file in stated_reasons(copied) - allowed_reasons()} == planted


def test_a_module_that_states_a_further_reason_is_found(copied):
    module = "fhir_server/application/reading/read.py"
    with (copied / module).open("a") as source:
        source.write("view = whole_space(ReadingReason.OPERATOR, 'p')\n")
    assert stated_reasons(copied) - allowed_reasons() == {("operator", module)}


def allowed_reasons():
    """The pairs (reason, module) that docs/threat-model.md allows."""
    table = text_of("docs/threat-model.md").partition("## What the server reads for itself")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([a-z-]+)` \|.*\| ([^|]+) \|$", table, flags=re.MULTILINE)
    return {
        (reason, f"fhir_server/application/{module}.py")
        for reason, modules in rows
        for module in re.findall(r"`([\w/]+)`", modules)
    }


def test_the_threat_model_has_a_row_for_each_read_of_the_store_without_a_filter():
    table = text_of("docs/threat-model.md").partition("## Reads without a Visibility")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `Snapshot\.(\w+)` \|", table, flags=re.MULTILINE)
    reads = inspect.getmembers(Snapshot, lambda member: inspect.isfunction(member) and member.__name__[0] != "_")
    unfiltered = [name for name, read in reads if "filters" not in inspect.signature(read).parameters]
    assert sorted(named) == sorted(unfiltered)


def test_no_test_of_a_browser_reads_a_page_that_may_still_load():
    assert racing_reads(ROOT) == [], "look by expect(…), or by the steps of tests/pages/browsing.py"
    assert len(list(browser_modules(ROOT))) > 5


@pytest.mark.parametrize(
    "line",
    [
        "assert page.locator('h1').count() == 1",
        "assert page.get_by_role('status').inner_text() == 'x'",
        "assert page.locator('li').all_inner_texts() == []",
        "assert 'x' in page.content()",
        "if page.locator('h1').is_visible(): pass",
        "assert page.url == 'x'",
        "page.wait_for_timeout(500)",
    ],
)
def test_a_racing_read_is_found(tmp_path, line):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text(f"from playwright.sync_api import Page\n\n{line}\n", "utf-8")
    assert len(racing_reads(tmp_path)) == 1
