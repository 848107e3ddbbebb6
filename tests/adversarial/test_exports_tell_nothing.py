"""Non-interference of exports: what is hidden changes neither what somebody exports, nor what an export leaves behind.

The same two worlds as in `test_two_worlds`, one with the secret. Whom it is kept from asks for an export in both, also
between plan and file, and reads what the exports of others have left in journal and notices.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.exports import commands
from fhir_server.application.reading import search
from fhir_server.domain.search.criteria import Search
from fhir_server.ports.surroundings import Ports
from tests.adversarial.test_two_worlds import on_mongodb, told_apart  # noqa: F401 - a fixture
from tests.adversarial.two_worlds import KINDS, Kind, Side, sides
from tests.holds import holds
from tests.http.exports import ask, exported, files, manifest, planned

HIDDEN = KINDS[-1]
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MORE = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:\d\d)|\d\d:\d\d(?::\d\d)?|jti:[A-Za-z0-9_\-]+")
_QUERY = re.compile(r'"query":"[A-Za-z0-9+/=]+"')
TYPES = ("DocumentReference", "List", "Provenance", "Consent", "Patient", "Encounter", "Communication")


def plain(text: str) -> str:
    """Return a text without what differs by chance: ids by their order, instants, random names."""
    order: dict[str, str] = {}
    return _MORE.sub("", _ID.sub(lambda found: order.setdefault(found[0], f"<{len(order)}>"), _QUERY.sub("", text)))


def of_export(side: Side, who: str, path: str) -> list[str]:
    """Return all that somebody is told by an export: the manifest, and each file, in the order of their lines."""
    place = planned(side, who, path)
    told = [plain(json.dumps(manifest(side, who, place)))]
    for type_, urls in files(side, who, place).items():
        answers = [side.get(who, url) for url in urls]
        for answer in answers:  # equal instants are sorted by id, which is chance
            lines = sorted(plain(line) for line in answer.get_data(as_text=True).splitlines())
            told += [f"{type_} {answer.status_code}", *lines]
    assert side.send(who, "DELETE", place).status_code == 202
    return told


def paths_of(side: Side) -> tuple[str, ...]:
    """Return what is asked, naming the secret where it is and an unknown document in the other world."""
    named = side.ids["secret"] if side.has_secret else side.ids["unknown"]
    of_types = f"/$export?_type={','.join(TYPES)}"
    by_id = f"/$export?_type=DocumentReference&_typeFilter=DocumentReference%3F_id%3D{named}"
    by_item = f"/$export?_type=List&_typeFilter=List%3Fitem%3DDocumentReference/{named}"
    return of_types, f"/Patient{by_id}", by_item


def enters(side: Side, who: str) -> None:
    """Let a professional read once: an export is never the first access."""
    side.get(who, f"/DocumentReference?patient={side.ids[side.space]}")


@pytest.fixture
def opened(request: pytest.FixtureRequest) -> Callable[[Path], Ports] | None:
    return request.getfixturevalue("on_mongodb") if request.param == "mongo" else None


STORES = pytest.mark.parametrize("opened", ["sqlite", pytest.param("mongo", marks=pytest.mark.mongo)], indirect=True)


@holds("AC15")
@STORES
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_whom_a_secret_is_kept_from_exports_the_same_in_both_worlds(tmp_path, kind, opened):
    with sides(tmp_path, kind, opened) as pair:
        for who in kind.blind:
            for side in pair:
                enters(side, who)
            for first, second in zip(*(paths_of(side) for side in pair), strict=True):
                assert of_export(pair[0], who, first) == of_export(pair[1], who, second)


@STORES
@pytest.mark.parametrize("kind", KINDS[:1] + KINDS[3:4] + KINDS[-1:], ids=lambda kind: kind.name)
def test_the_exports_of_those_who_know_tell_the_others_nothing(tmp_path, kind, opened):
    with sides(tmp_path, kind, opened) as pair:
        found = told_apart(pair, kind, lambda side: export_as_knowing(side, kind))
    assert {
        what: answers for what, answers in found.items() if in_no_order(answers[0]) != in_no_order(answers[1])
    } == {}


def in_no_order(text: str) -> list[str]:
    """Return the parts of an answer without their order: that of equal dates is chance."""
    return sorted(re.split(r"[{}<>,\[\]]+", re.sub(r"<\d+>", "", text)))


def export_as_knowing(side: Side, kind: Kind) -> None:
    """Let everybody who may see the secret export it, alone and with everything else."""
    for who in kind.knowing:
        for path in paths_of(side):
            exported(side, who, path)


def test_whoever_may_know_the_secret_exports_it(tmp_path):
    """The control: the same comparison finds the difference."""
    with sides(tmp_path, HIDDEN) as pair:
        first, second = ([of_export(side, "camille", path) for path in paths_of(side)] for side in pair)
    assert first != second


def test_the_leak_of_a_file_that_is_not_filtered_is_found(tmp_path, monkeypatch):
    """The fault is planted: a file holds all of a space."""

    def everything(runtime, _caller, row, wanted):
        with runtime.ports.store.snapshot() as snapshot:
            view = whole_space(ReadingReason.REGISTERED, wanted.patient)
            rows = snapshot.find(Search(row.name, limit=200), view).rows
        return search.Found(tuple(search.Shown(one, knows_marks=False) for one in rows), None, None, wanted.patient)

    with sides(tmp_path, HIDDEN) as pair:
        for side in pair:
            enters(side, "martin")
        monkeypatch.setattr(commands.search, "find", everything)
        first, second = (of_export(side, "martin", "/$export?_type=DocumentReference") for side in pair)
    assert first != second


def blocks(side: Side, who: str) -> None:
    """Let the patient block somebody, in the world of the secret alone: here the secret is the block."""
    if side.has_secret:
        own = {"reference": f"Patient/{side.ids['camille']}"}
        said = side.consent(who, "deny") | {"patient": own, "performer": [own]}
        assert side.send("camille", "POST", "/Consent", said).status_code == 201


def after_a_block(tmp_path: Path) -> list[str]:
    """Plan an export, block its reader in the second world, and return what the reader still gets there."""
    with sides(tmp_path, HIDDEN) as pair:
        side = pair[1]
        enters(side, "martin")
        place = planned(side, "martin", "/$export?_type=DocumentReference")
        (url,) = files(side, "martin", place)["DocumentReference"]
        blocks(side, "martin")
        return side.get("martin", url).get_data(as_text=True).splitlines()


def test_a_file_that_was_planned_before_a_block_holds_nothing_after_it(tmp_path):
    assert after_a_block(tmp_path) == []


def test_the_leak_of_a_permit_that_is_not_asked_again_at_the_file_is_found(tmp_path, monkeypatch):
    """The fault is planted: a file holds what the plan's permit showed, as if bodies had been kept with the plan."""
    kept: dict[str, Iterator[object]] = {}
    find = search.find

    def as_planned(runtime, caller, row, wanted):
        return kept[f"{row.name} {wanted.patient}"] if kept else find(runtime, caller, row, wanted)

    def plan(side: Side) -> None:
        runtime = side.runtime
        with runtime.ports.store.snapshot() as snapshot:
            view = whole_space(ReadingReason.REGISTERED, side.ids["camille"])
            rows = snapshot.find(Search("DocumentReference", limit=200), view).rows
        shown = tuple(search.Shown(one, knows_marks=False) for one in rows)
        kept[f"DocumentReference {side.ids['camille']}"] = search.Found(shown, None, None, side.ids["camille"])

    monkeypatch.setattr(commands.search, "find", as_planned)
    with sides(tmp_path, HIDDEN) as pair:
        side = pair[1]
        enters(side, "martin")
        place = planned(side, "martin", "/$export?_type=DocumentReference")
        (url,) = files(side, "martin", place)["DocumentReference"]
        plan(side)
        blocks(side, "martin")
        assert side.get("martin", url).get_data(as_text=True).splitlines() != []


@pytest.mark.parametrize("who", ["camille", "martin", "chu-ehr", "zoe"])
def test_a_patient_without_a_space_is_named_like_one_with_a_closed_space(tmp_path, who):
    with sides(tmp_path, HIDDEN) as pair:
        side = pair[1]
        for name in ("ines", "unknown"):
            said = {"name": "patient", "valueReference": {"reference": f"Patient/{side.ids[name]}"}}
            body = {"resourceType": "Parameters", "parameter": [said]}
            answer = ask(side, who, "/$export?_type=Consent", body)
            assert answer.status_code == 202
            place = planned(side, who, "/$export?_type=Consent", body)
            assert files(side, who, place) == {}
            side.send(who, "DELETE", place)
            side.send(who, "DELETE", answer.headers["Content-Location"].partition("/fhir")[2])
