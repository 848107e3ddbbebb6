"""https://www.rfc-editor.org/rfc/rfc6902 and https://hl7.org/fhir/R4/fhirpatch.html on resources."""

from copy import deepcopy

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.domain.problem import Category, Problem
from fhir_server.r4.parsing import check, load_json
from fhir_server.r4.patch import apply_fhirpath_patch, apply_json_patch
from tests.examples import example
from tests.r4.bodies import BODIES

LABELS = [
    {"coding": [{"system": "http://example.org/c", "code": "N"}]},
    {"coding": [{"system": "http://example.org/v", "code": "MASQUE_PS"}]},
]
ARCHIVED = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-ext-is-archived"
DOCUMENT = BODIES["DocumentReference"] | {
    "securityLabel": LABELS,
    "extension": [{"url": ARCHIVED, "valueBoolean": False}, {"url": "http://example.org/e", "valueCode": "x"}],
}
PATIENT = BODIES["Patient"]
LABEL = "DocumentReference.securityLabel"
RULE, BAD = Category.BUSINESS_RULE, Category.MALFORMED


def code(value):
    return {"valueCode": value}


def text(value):
    return {"valueString": value}


def number(value):
    return {"valueInteger": value}


def fhirpath_patch(*operations):
    """Build the Parameters of a FHIRPath Patch: each operation is (type, path, {part: value[x] of it})."""
    return {
        "resourceType": "Parameters",
        "parameter": [
            {
                "name": "operation",
                "part": [
                    {"name": "type", "valueCode": type_},
                    {"name": "path", "valueString": path},
                    *({"name": name, **value} for name, value in parts.items()),
                ],
            }
            for type_, path, parts in operations
        ],
    }


def refusal(apply, resource, patch):
    before = deepcopy(resource)
    with pytest.raises(Problem) as refused:
        apply(resource, patch)
    assert resource == before
    return refused.value


class TestJsonPatch:
    @pytest.mark.parametrize(
        ("ops", "element", "expected"),
        [
            ([{"op": "replace", "path": "/status", "value": "superseded"}], "status", "superseded"),
            ([{"op": "add", "path": "/docStatus", "value": "final"}], "docStatus", "final"),
            (
                [{"op": "add", "path": "/securityLabel/-", "value": {"text": "x"}}],
                "securityLabel",
                [*LABELS, {"text": "x"}],
            ),
            (
                [{"op": "add", "path": "/securityLabel/0", "value": {"text": "x"}}],
                "securityLabel",
                [{"text": "x"}, *LABELS],
            ),
            ([{"op": "remove", "path": "/securityLabel/1"}], "securityLabel", LABELS[:1]),
            ([{"op": "remove", "path": "/securityLabel/0"}] * 2, "securityLabel", None),
            ([{"op": "remove", "path": "/context/period"}], "context", None),
            ([{"op": "move", "from": "/securityLabel/0", "path": "/securityLabel/1"}], "securityLabel", LABELS[::-1]),
            (
                [{"op": "copy", "from": "/type", "path": "/category/0"}],
                "category",
                [DOCUMENT["type"], *DOCUMENT["category"]],
            ),
            ([{"op": "test", "path": "/status", "value": "current", "extra": 1}], "status", "current"),
        ],
    )
    def test_operations_do_what_the_standard_says(self, ops, element, expected):
        before = deepcopy(DOCUMENT)

        patched = apply_json_patch(DOCUMENT, ops)

        assert patched.get(element) == expected
        assert before == DOCUMENT

    @pytest.mark.parametrize(
        ("ops", "category", "expression"),
        [
            ({"op": "add"}, BAD, ""),
            (["add"], BAD, ""),
            ([{"op": "insert", "path": "/status", "value": 1}], BAD, ""),
            ([{"op": "add", "path": "/status"}], BAD, ""),
            ([{"op": "add", "path": "status", "value": 1}], BAD, ""),
            ([{"op": "add", "path": 7, "value": 1}], BAD, ""),
            ([{"op": "move", "path": "/status"}], BAD, ""),
            ([{"op": "test", "path": "/status", "value": "current"}] * 201, BAD, ""),
            ([{"op": "replace", "path": "", "value": {}}], BAD, "DocumentReference.resourceType"),
            ([{"op": "replace", "path": "", "value": []}], BAD, "DocumentReference"),
            ([{"op": "replace", "path": "/id", "value": "x"}], BAD, "DocumentReference.id"),
            ([{"op": "remove", "path": "/resourceType"}], BAD, "DocumentReference.resourceType"),
            ([{"op": "test", "path": "/status", "value": "x"}], RULE, "DocumentReference.status"),
            ([{"op": "remove", "path": "/docStatus"}], RULE, "DocumentReference.docStatus"),
            ([{"op": "replace", "path": "/a~1b", "value": 1}], RULE, "DocumentReference.a/b"),
            ([{"op": "remove", "path": "/category/4"}], RULE, "DocumentReference.category[4]"),
            ([{"op": "remove", "path": "/category/-"}], RULE, "DocumentReference.category[-]"),
            (
                [{"op": "add", "path": "/category/9", "value": 1}],
                RULE,
                "DocumentReference.category[9]",
            ),
            (
                [{"op": "add", "path": "/category/00", "value": 1}],
                RULE,
                "DocumentReference.category[00]",
            ),
            ([{"op": "add", "path": "/status/x", "value": 1}], RULE, "DocumentReference.status.x"),
            (
                [{"op": "replace", "path": "/content/0/attachment[url:'x']", "value": 1}],
                RULE,
                "DocumentReference.content[0].attachment[url:'x']",
            ),
        ],
    )
    def test_what_cannot_be_carried_out_changes_nothing_and_is_named(self, ops, category, expression):
        problem = refusal(apply_json_patch, DOCUMENT, ops)

        assert (problem.category, problem.issues[0].expression) == (category, expression)

    def test_nothing_holds_when_a_later_operation_fails(self):
        ops = [{"op": "replace", "path": "/status", "value": "superseded"}, {"op": "remove", "path": "/docStatus"}]

        assert refusal(apply_json_patch, DOCUMENT, ops).category is RULE

    def test_decimals_elsewhere_keep_their_digits(self):
        body = b'{"resourceType":"Patient","extension":[{"url":"http://e.org","valueDecimal":1.00}],"active":true}'

        patched = apply_json_patch(load_json(body), [{"op": "replace", "path": "/active", "value": False}])

        assert b"1.00" in orjson.dumps(patched)

    @given(st.permutations(range(4)))
    def test_adding_and_removing_at_one_place_leaves_what_was(self, order):
        ops = [{"op": "add", "path": "/securityLabel/0", "value": {"text": str(n)}} for n in order]
        ops += [{"op": "remove", "path": "/securityLabel/0"} for _ in order]

        assert apply_json_patch(DOCUMENT, ops) == DOCUMENT


class TestFhirPathPatch:
    @pytest.mark.parametrize(
        ("operation", "element", "expected"),
        [
            (("replace", "DocumentReference.status", {"value": code("superseded")}), "status", "superseded"),
            (("replace", "status", {"value": code("superseded")}), "status", "superseded"),
            (
                ("replace", f"DocumentReference.extension('{ARCHIVED}').value", {"value": {"valueBoolean": True}}),
                "extension",
                [{"url": ARCHIVED, "valueBoolean": True}, DOCUMENT["extension"][1]],
            ),
            (
                ("replace", "extension.where(url='http://example.org/e').value", {"value": text("y")}),
                "extension",
                [DOCUMENT["extension"][0], {"url": "http://example.org/e", "valueString": "y"}],
            ),
            (("delete", f"{LABEL}.where(coding.code='MASQUE_PS')", {}), "securityLabel", LABELS[:1]),
            (("delete", f"{LABEL}[0]", {}), "securityLabel", LABELS[1:]),
            (("delete", f"{LABEL}.last()", {}), "securityLabel", LABELS[:1]),
            (("delete", f"{LABEL}.where(coding.exists(code = 'N'))", {}), "securityLabel", LABELS[1:]),
            (
                ("delete", f"{LABEL}.where(coding.code != 'N' and coding.exists())", {}),
                "securityLabel",
                LABELS[:1],
            ),
            (
                ("delete", "securityLabel.where(coding.where(code='x' or code='MASQUE_PS').exists())", {}),
                "securityLabel",
                LABELS[:1],
            ),
            (("delete", f"{LABEL}.where(text='none')", {}), "securityLabel", LABELS),
            (("delete", "DocumentReference.docStatus", {}), "docStatus", None),
            (
                ("add", "DocumentReference", {"name": text("docStatus"), "value": code("final")}),
                "docStatus",
                "final",
            ),
            (
                (
                    "add",
                    "DocumentReference",
                    {"name": text("securityLabel"), "value": {"valueCodeableConcept": {"text": "x"}}},
                ),
                "securityLabel",
                [*LABELS, {"text": "x"}],
            ),
            (
                (
                    "add",
                    "DocumentReference.content[0].attachment",
                    {"name": text("title"), "value": text("x")},
                ),
                "content",
                [{"attachment": DOCUMENT["content"][0]["attachment"] | {"title": "x"}}],
            ),
            (
                ("insert", LABEL, {"index": number(1), "value": {"valueCodeableConcept": {"text": "x"}}}),
                "securityLabel",
                [LABELS[0], {"text": "x"}, LABELS[1]],
            ),
            (
                ("move", LABEL, {"source": number(0), "destination": number(1)}),
                "securityLabel",
                LABELS[::-1],
            ),
        ],
    )
    def test_operations_do_what_the_standard_says(self, operation, element, expected):
        before = deepcopy(DOCUMENT)

        patched = apply_fhirpath_patch(DOCUMENT, fhirpath_patch(operation))

        assert patched.get(element) == expected
        assert before == DOCUMENT
        assert check(patched) == []

    def test_anonymous_element_is_built_of_its_parts(self):
        contact = {
            "part": [
                {"name": "name", "valueHumanName": {"family": "Durand"}},
                {"name": "telecom", "valueContactPoint": {"system": "phone", "value": "1"}},
                {"name": "relationship", "valueCodeableConcept": {"text": "sister"}},
            ]
        }
        operation = ("add", "Patient", {"name": text("contact"), "value": contact})

        added = apply_fhirpath_patch(PATIENT, fhirpath_patch(operation))["contact"][1]

        assert added == {
            "name": {"family": "Durand"},
            "telecom": [{"system": "phone", "value": "1"}],
            "relationship": [{"text": "sister"}],
        }

    def test_parts_of_a_choice_carry_their_type(self):
        extension = {"part": [{"name": "url", "valueUri": "http://example.org/n"}, {"name": "value", "valueCode": "x"}]}
        operation = ("add", "Patient", {"name": text("extension"), "value": extension})

        added = apply_fhirpath_patch(PATIENT, fhirpath_patch(operation))["extension"]

        assert added == [{"url": "http://example.org/n", "valueCode": "x"}]

    def test_contained_resource_is_added_whole(self):
        resource = {"resourceType": "Device", "id": "dv"}
        operation = (
            "add",
            "DocumentReference",
            {"name": text("contained"), "value": {"resource": resource}},
        )

        assert apply_fhirpath_patch(DOCUMENT, fhirpath_patch(operation))["contained"][1] == resource

    def test_elements_of_contained_resources_are_reached(self):
        operation = ("replace", "DocumentReference.contained[0].name.family", {"value": text("Roux")})

        patched = apply_fhirpath_patch(DOCUMENT, fhirpath_patch(operation))

        assert patched["contained"][0]["name"][0]["family"] == "Roux"

    def test_extensions_of_repeated_primitives_move_with_their_values(self):
        value = {"index": number(0), "value": text("Zoé")}
        patched = apply_fhirpath_patch(PATIENT, fhirpath_patch(("insert", "Patient.name[0].given", value)))
        name = patched["name"][0]
        assert (name["given"], name["_given"]) == (["Zoé", "Camille", None], [None, None, {"id": "g"}])

        back = apply_fhirpath_patch(patched, fhirpath_patch(("delete", "Patient.name[0].given[0]", {})))
        assert back == PATIENT

    def test_deleting_a_primitive_takes_its_extensions_along(self):
        patched = apply_fhirpath_patch(PATIENT, fhirpath_patch(("delete", "Patient.birthDate", {})))

        assert not {"birthDate", "_birthDate"} & patched.keys()

    @pytest.mark.parametrize(
        ("operation", "category"),
        [
            (("replace", "DocumentReference.docStatus", {"value": code("final")}), RULE),
            (("replace", LABEL, {"value": code("x")}), RULE),
            (("replace", "DocumentReference.nothing", {"value": code("x")}), RULE),
            (("replace", "Patient.status", {"value": code("x")}), RULE),
            (("replace", "DocumentReference", {"value": code("x")}), RULE),
            (("delete", LABEL, {}), RULE),
            (("delete", "DocumentReference", {}), RULE),
            (("add", "DocumentReference", {"name": text("status"), "value": code("x")}), RULE),
            (("add", "DocumentReference", {"name": text("nothing"), "value": code("x")}), RULE),
            (("add", "DocumentReference.status", {"name": text("x"), "value": code("x")}), RULE),
            (
                ("add", "DocumentReference", {"name": text("type"), "value": {"part": [{"name": "x"} | code("y")]}}),
                RULE,
            ),
            (("insert", "DocumentReference.status", {"index": number(0), "value": code("x")}), RULE),
            (("insert", LABEL, {"index": number(3), "value": code("x")}), RULE),
            (("insert", LABEL, {"value": code("x")}), BAD),
            (("insert", "securityLabel", {"index": number(0), "value": code("x")}), BAD),
            (
                ("move", LABEL, {"source": number(0), "destination": number(2)}),
                RULE,
            ),
            (("replace", "DocumentReference.status", {}), BAD),
            (("replace", "DocumentReference.id", {"value": {"valueId": "x"}}), BAD),
            (("rename", "DocumentReference.status", {}), BAD),
            (("delete", "", {}), BAD),
            (("delete", "DocumentReference.", {}), BAD),
            (("delete", "DocumentReference.status.trace('x')", {}), BAD),
            (("delete", f"{LABEL}[x]", {}), BAD),
            (("delete", f"{LABEL}[0", {}), BAD),
            (("delete", f"{LABEL}.where(text='x'", {}), BAD),
            (("delete", f"{LABEL}.where(text>'x')", {}), BAD),
            (("delete", f"{LABEL}.where(text=x)", {}), BAD),
            (("delete", f"{LABEL}.where(text~'x')", {}), BAD),
            (("delete", f"{LABEL}.exists()", {}), BAD),
            (("delete", "DocumentReference.status status", {}), BAD),
            (("delete", "DocumentReference" + ".status" * 200, {}), BAD),
            (("delete", "securityLabel" + ".where(coding" * 9 + ".exists()" + ")" * 9, {}), BAD),
        ],
    )
    def test_what_cannot_be_carried_out_changes_nothing_and_is_named(self, operation, category):
        problem = refusal(apply_fhirpath_patch, DOCUMENT, fhirpath_patch(operation))

        assert problem.category is category
        assert problem.issues[0].expression

    @pytest.mark.parametrize(
        "parameter",
        [
            [{"name": "op", "part": []}],
            [{"name": "operation"}],
            [{"name": "operation", "part": [{"name": "type", "valueCode": "delete"}] * 2}],
            [fhirpath_patch(("delete", "Patient.photo", {}))["parameter"][0]] * 201,
        ],
    )
    def test_parameters_that_are_no_patch_are_malformed(self, parameter):
        problem = refusal(apply_fhirpath_patch, PATIENT, {"resourceType": "Parameters", "parameter": parameter})

        assert problem.category is BAD

    def test_choice_of_one_type_is_selected_by_type(self):
        operation = ("delete", "DocumentReference.extension.where(value.ofType(boolean) = false)", {})

        assert apply_fhirpath_patch(DOCUMENT, fhirpath_patch(operation))["extension"] == DOCUMENT["extension"][1:]

    def test_numbers_and_escaped_quotes_are_literals(self):
        document = DOCUMENT | {"description": "it's"}
        by_size = ("delete", "DocumentReference.content.where(attachment.size = 12).attachment.hash", {})
        by_text = ("delete", "DocumentReference.content.where(attachment.size = 1.5).attachment.size", {})

        patched = apply_fhirpath_patch(document, fhirpath_patch(by_size, by_text))

        assert "hash" not in patched["content"][0]["attachment"]
        assert "size" in patched["content"][0]["attachment"]

    def test_the_patch_of_the_mhd_example_supersedes_a_document(self):
        parameters = example("mhd--Parameters-ex-patchParameters.json")

        assert apply_fhirpath_patch(DOCUMENT, parameters)["status"] == "superseded"
