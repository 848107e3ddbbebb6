"""B10: a minor files one document in secret, by every way that takes a single one, and a parent is told nothing.

The same is done in two worlds, in the second one alone; what the parent is told in trail, journal, notices, lists and
totals is compared.
"""

import pytest

from tests.adversarial.two_worlds import FILLED, KINDS, SECRET, Side, sides, told
from tests.world import OF_PATIENT

KIND = next(kind for kind in KINDS if kind.by == "ines")
TOTALS = (
    "/DocumentReference?patient={space}&_summary=count",
    "/DocumentReference?patient={space}&_total=accurate&_count=1",
    "/List?patient={space}&_summary=count",
    "/AuditEvent?patient={space}&_total=accurate&_count=1",
    "/AuditEvent?patient={space}&action=C&_summary=count",
    "/Communication?patient={space}&_summary=count",
)


def document(side: Side, *marks: str):
    given = side.as_filed_by("ines") | {"type_": OF_PATIENT, "category": ("90", "Document patient")}
    return side.simplified(patient="ines", marks=marks, **given)


def simplified(side: Side, *marks: str) -> tuple[int, str]:
    """Publish by ITI-105; return the status and the address of what was filed."""
    answer = side.send("ines", "POST", "/DocumentReference", document(side, *marks))
    return answer.status_code, answer.headers.get("Location", "")


def unclaimed(side: Side, *marks: str) -> tuple[int, str]:
    """Create a DocumentReference that claims no profile."""
    resource = document(side, *marks)
    resource.pop("meta", None)
    answer = side.send("ines", "POST", "/DocumentReference", resource)
    return answer.status_code, answer.headers.get("Location", "")


def in_a_batch(side: Side, *marks: str) -> tuple[int, str]:
    entry = {"request": {"method": "POST", "url": "DocumentReference"}, "resource": document(side, *marks)}
    answer = side.send("ines", "POST", "", {"resourceType": "Bundle", "type": "batch", "entry": [entry]})
    told = answer.get_json()["entry"][0]["response"]
    return int(told["status"][:3]), told.get("location", "")


def conditional(side: Side, *marks: str) -> tuple[int, str]:
    """Create it unless there is one with its number: no document is filed in this way."""
    resource = document(side, *marks)
    number = resource["masterIdentifier"]
    condition = f"identifier={number['system']}|{number['value']}"
    answer = side.send("ines", "POST", "/DocumentReference", resource, If_None_Exist=condition)
    return answer.status_code, ""


WAYS = {way.__name__: way for way in (simplified, unclaimed, in_a_batch)}


def seen(side: Side, who: str) -> dict[str, str]:
    """Return what somebody is told of the whole space, and the totals of everything."""
    totals = {path: side.get(who, path.format(space=side.ids["ines"])).get_json()["total"] for path in TOTALS}
    return told(side, who, FILLED) | {path: str(total) for path, total in totals.items()}


@pytest.mark.parametrize("way", WAYS)
def test_a_parent_is_told_nothing_of_it(tmp_path, way):
    with sides(tmp_path, KIND) as (without, with_it):
        status, where = WAYS[way](with_it, SECRET)
        assert status == 201
        assert seen(without, "marc") == seen(with_it, "marc")
        path = f"/DocumentReference/{where.split('/DocumentReference/')[1].split('/')[0]}"
        assert [with_it.get(who, path).status_code for who in ("ines", "nour", "marc")] == [200, 200, 404]


@pytest.mark.parametrize("way", WAYS)
def test_a_filing_that_is_no_secret_is_told(tmp_path, way):
    """The control: the same comparison finds it."""
    with sides(tmp_path, KIND) as (without, with_it):
        assert WAYS[way](with_it)[0] == 201
        first, second = seen(without, "marc"), seen(with_it, "marc")
    assert {name for name in first if first[name] != second[name]} >= {"trail", "number", "page", "documents"}


@pytest.mark.parametrize("way", WAYS | {"conditional": conditional})
def test_one_that_fails_is_told_as_little(tmp_path, way):
    """The same number is filed again in secret."""
    with sides(tmp_path, KIND) as (without, with_it):
        first = (WAYS | {"conditional": conditional})[way]
        assert first(with_it, SECRET)[0] in {201, 400}
        with_it.count -= 1
        assert first(with_it, SECRET)[0] in {400, 409}
        assert seen(without, "marc") == seen(with_it, "marc")
