"""What a document says of its own confidentiality, as the rules read it (E6)."""

import pytest

from consent_rules.vocabulary import Label
from fhir_server.adapters.preparing import LABELLED, each_bit, packed, unpacked
from fhir_server.domain.documents.security_labels import CONFIDENTIALITY, labels_of
from tests.rules.builders import document

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def coding(code, system=CONFIDENTIALITY):
    return {"system": system, "code": code}


def labelled(*codings, security=()):
    made = {"resourceType": "DocumentReference", "securityLabel": [{"coding": [one]} for one in codings]}
    return made | ({"meta": {"security": list(security)}} if security else {})


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (labelled(), Label.NONE),
        ({"resourceType": "DocumentReference"}, Label.NONE),
        (labelled(coding("N")), Label.N),
        (labelled(coding("R"), coding("PSY", ACT_CODE)), Label.R | Label.PSY),
        (labelled(coding("N"), coding("R")), Label.R),
        (labelled(coding("N"), security=[coding("V")]), Label.V),
        (labelled(security=[coding("HIV", ACT_CODE)]), Label.HIV),
        (labelled({"code": " psy "}), Label.PSY),
        (labelled(coding("MASQUE_PS"), coding("L")), Label.NONE),
        (labelled({"display": "normal"}), Label.NONE),
    ],
    ids=str,
)
def test_the_highest_degree_and_every_sensitivity(resource, expected):
    assert labels_of(resource) is expected or labels_of(resource) == expected


@pytest.mark.parametrize("labels", [None, Label.NONE, Label.N, Label.R | Label.HIV])
@pytest.mark.parametrize("marks", [0, 1, 31])
def test_one_number_stands_for_marks_and_labels(marks, labels):
    number = packed(document(marks=marks, labels=labels))
    assert unpacked(number) == (marks, labels)
    assert sum(each_bit(number)) == number
    assert bool(number & LABELLED) is (labels is not None)


@pytest.mark.parametrize("marks", [0, 5, 31])
def test_what_was_stored_before_there_were_labels_is_read(marks):
    assert unpacked(marks) == (marks, None)
