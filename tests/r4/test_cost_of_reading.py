"""What a body costs to read grows at most linearly with it, and is bounded before anything large is built."""

import json
import sys
import tracemalloc
from contextlib import contextmanager
from types import FrameType

import pytest

from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search.values import criterion
from fhir_server.r4 import patch as r4_patch
from fhir_server.r4.checking import check
from fhir_server.r4.parsing import load_json, parse
from fhir_server.r4.patch import apply_fhirpath_patch, apply_json_patch
from fhir_server.registry.model import SearchParam
from tests.holds import holds

XML = "application/fhir+xml"
DOCUMENT = {"resourceType": "DocumentReference", "id": "d", "status": "current", "content": []}


def refused(run) -> Problem:
    with pytest.raises(Problem) as raised:
        run()
    return raised.value


@contextmanager
def calls_into_c():
    """Count the calls of functions that are written in C: the work that a loop over members hands on."""
    counted = [0]

    def count(_frame: FrameType, event: str, _arg: object) -> None:
        counted[0] += event == "c_call"

    sys.setprofile(count)
    try:
        yield counted
    finally:
        sys.setprofile(None)


def doubled(members: int) -> bytes:
    names = [f'"m{number}":"x"' for number in range(members)]
    return ("{" + ",".join([*names, names[-1]]) + "}").encode()


def test_a_member_that_stands_twice_is_found_without_looking_at_all_for_each():
    counts = []
    for members in (100, 400):
        with calls_into_c() as counted:
            problem = refused(lambda size=members: load_json(doubled(size)))
        assert f"`m{members - 1}`" in problem.issues[0].text
        counts.append(counted[0])
    assert counts[1] <= counts[0] + 10, counts


def test_an_object_of_more_members_than_allowed_is_refused():
    problem = refused(lambda: load_json(doubled(1001)))
    assert (problem.category, problem.issues[0].code) == (Category.TOO_LARGE, "too-many-members")


def test_repeated_xml_elements_with_extensions_are_not_copied_for_each_further_one():
    given = '<given id="a" value="x"/>'
    body = f'<Patient xmlns="http://hl7.org/fhir"><name>{given * 200}</name></Patient>'.encode()
    rebuilt, last = [0], [0]

    def returned(frame: FrameType, event: str, _arg: object) -> object:
        found = frame.f_locals.get("found")
        if event == "return" and isinstance(found, dict) and "_given" in found:
            rebuilt[0] += id(found["_given"]) != last[0]
            last[0] = id(found["_given"])
        return returned

    sys.settrace(lambda frame, _event, _arg: returned if frame.f_globals["__name__"].endswith("r4.xml") else None)
    try:
        patient = parse(body, XML, "Patient")
    finally:
        sys.settrace(None)
    assert patient["name"][0]["_given"] == [{"id": "a"}] * 200
    assert rebuilt[0] == 1


def test_extensions_of_repeated_xml_elements_stay_beside_their_values():
    given = '<given value="a"/><given id="b"/><given value="c"/><given id="d" value="d"/><given value="e"/>'
    body = f'<Patient xmlns="http://hl7.org/fhir"><name>{given}</name></Patient>'.encode()
    name = parse(body, XML, "Patient")["name"][0]
    assert name["given"] == ["a", None, "c", "d", "e"]
    assert name["_given"] == [None, {"id": "b"}, None, {"id": "d"}, None]


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/fhir+json", b'{"resourceType":"Patient","name":[' + b"{}," * 200_001 + b"{}]}"),
        ("application/fhir+json", b'{"resourceType":"Patient","name":[' + b"[" * 200_001),
        ("application/fhir+json", b'{"resourceType":"Patient","a":"' + b"," * 300_000 + b'","b":[' + b"1," * 200_001),
        (XML, b'<Patient xmlns="http://hl7.org/fhir">' + b"<name/>" * 400_001 + b"</Patient>"),
    ],
)
def test_a_body_of_more_values_than_allowed_is_refused_before_it_is_built(media_type, body):
    problem = refused(lambda: parse(body, media_type, "Patient"))
    assert (problem.category, problem.issues[0].code) == (Category.TOO_LARGE, "too-many-values")


def test_counting_values_copies_nothing():
    """A body of many short texts once made the count hold thirty times what was sent."""
    body = b'{"extension":[' + b'{"url":"x"},' * 250_000 + b"{}]}"
    tracemalloc.start()
    try:
        assert refused(lambda: load_json(body)).category is Category.TOO_LARGE
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_a_body_of_quotation_marks_is_refused_before_all_are_counted():
    body = b'"' * 2_000_000 + b"," * 200_001
    assert refused(lambda: load_json(body)).category is Category.TOO_LARGE


def test_separators_inside_a_text_are_no_values():
    text = 'a,"[{' * 100_000
    assert load_json(json.dumps({"text": text}).encode()) == {"text": text}


def test_of_many_faults_only_those_that_are_told_are_kept():
    faults = check({"resourceType": "Patient", "name": [{"unknown": 1}] * 5000})
    assert len(faults) == 100
    assert faults[0].expression == "Patient.name[0]"


def test_a_json_patch_never_measures_the_whole_resource_for_each_operation():
    large = DOCUMENT | {"content": [{"attachment": {"title": f"title {n}"}} for n in range(2000)]}
    operation = {"op": "add", "path": "/description", "value": "a"}
    counts = []
    for operations in (10, 40):
        with calls_into_c() as counted:
            apply_json_patch(large, [operation] * operations)
        counts.append(counted[0])
    assert counts[1] - counts[0] < 30 * 100, counts


COPIES = [{"op": "copy", "from": "/content", "path": "/context"}] * 200
TESTS = [{"op": "test", "path": "/content", "value": [{"attachment": {"title": "t"}}] * 2000}] * 200


@pytest.mark.parametrize("operations", [COPIES, TESTS])
def test_operations_that_each_visit_the_whole_resource_are_refused(operations):
    large = DOCUMENT | {"content": [{"attachment": {"title": "t"}}] * 2000}
    problem = refused(lambda: apply_json_patch(large, operations))
    assert problem.category is Category.MALFORMED
    assert problem.issues[0].code in ("too-much-work", "too-deep")


@pytest.mark.parametrize("source", ["/content/-", "/nowhere", "/status/0", "/~2"])
def test_a_copy_from_nowhere_is_refused_by_what_it_names(source):
    problem = refused(lambda: apply_json_patch(DOCUMENT, [{"op": "copy", "from": source, "path": "/context"}]))
    assert problem.category in (Category.BUSINESS_RULE, Category.MALFORMED)


def test_a_value_that_no_text_can_be_made_of_is_refused():
    deep = b'{"a":' * 300 + b"1" + b"}" * 300
    patch = r4_patch.of_json(b'[{"op":"add","path":"/context","value":' + deep + b"}]")
    assert refused(lambda: patch.apply(DOCUMENT)).issues[0].code == "too-deep"


def test_a_json_patch_of_more_values_than_allowed_is_refused_before_it_is_built():
    problem = refused(lambda: r4_patch.of_json(b"[" + b"[]," * 200_001 + b"[]]"))
    assert problem.category is Category.TOO_LARGE


def test_paths_of_a_fhirpath_patch_that_visit_too_many_elements_are_refused():
    large = DOCUMENT | {"content": [{"attachment": {"title": "t"}}] * 2000}
    condition = " or ".join(["attachment.title = 'x'"] * 20)
    path = {"name": "path", "valueString": f"DocumentReference.content.where({condition})"}
    operation = {"name": "operation", "part": [{"name": "type", "valueCode": "delete"}, path]}
    problem = refused(
        lambda: apply_fhirpath_patch(large, {"resourceType": "Parameters", "parameter": [operation] * 100})
    )
    assert problem.category is Category.MALFORMED
    assert "visit too many" in problem.issues[0].text


@holds("AC41")
def test_a_search_value_is_taken_apart_without_a_loop_over_its_characters():
    counts = []
    for size in (1000, 4000):
        lines = [0]

        def line(_frame: FrameType, event: str, _arg: object, lines: list[int] = lines) -> object:
            lines[0] += event == "line"
            return sys.gettrace()

        sys.settrace(line)
        try:
            criterion(SearchParam("type", "token", (), ""), "", "a" * size, "http://localhost/fhir")
        finally:
            sys.settrace(None)
        counts.append(lines[0])
    assert counts[1] <= counts[0], counts
