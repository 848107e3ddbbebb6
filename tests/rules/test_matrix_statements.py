"""What public sources say of single rows of the order, each as they say it."""

import pytest

from tests.holds import holds
from tests.rules.builders import MATRIX

PHYSICIAN, DENTIST, PHARMACIST, TECHNICIAN, NURSE = "10", "40", "21", "39", "60"
PHYSIOTHERAPIST, PODIATRIST, OPTICIAN = "70", "80", "28"
TECHNICAL = {"E1762", "FEUILLE-DE-STYLE"}
"""Types that carry no statement about a patient."""
TELEMEDICINE, PSYCHIATRIC, PSYCHOLOGICAL = "75496-0", "68599-0", "83901-9"
WISHES, DELIVERY, HOSPITAL_REPORT, LABORATORY = "EXPPAT_3", "15508-5", "34112-3", "11502-2"


def denied(profession):
    return set(MATRIX.kinds) - MATRIX.kinds_for(profession)


def sourced(profession, *, access):
    cells = [cell for (who, _), cell in MATRIX.cells.items() if who == profession and cell.confidence == "sourced"]
    return {cell.kind for cell in cells if cell.access is access}


@holds("D5")
def test_physicians_read_every_type_but_the_certificate_of_residence():
    """D5."""
    assert denied(PHYSICIAN) - TECHNICAL == {"ATTEST-RESID"}


@holds("D6")
def test_opticians_read_the_types_that_the_order_lists_and_no_laboratory_result():
    """D6: prescriptions in general are one of the twelve, and two columns here."""
    named = {"EXPPAT_1", "EXPPAT_2", "DOCPAT02", "DOCPAT09", "PRESC-ORTHOPTIE", "47420-5", "57832-8", "61357-0"}
    assert sourced(OPTICIAN, access=True) == named | {"75468-9", "78513-9", "83836-7"}
    assert MATRIX.kinds_for(OPTICIAN) == sourced(OPTICIAN, access=True) | {"57828-6", "57833-6"}
    assert LABORATORY not in MATRIX.kinds_for(OPTICIAN)


@holds("D7")
@pytest.mark.parametrize("profession", [PHARMACIST, TECHNICIAN])
def test_pharmacists_and_their_technicians_are_denied_ten_named_types(profession):
    """D7."""
    assert sourced(profession, access=False) == {
        "ATTEST-RESID", "ATTEST-HEBGT", WISHES, "34842-5", PSYCHIATRIC, "68817-6", TELEMEDICINE, PSYCHOLOGICAL,
        "86531-1", "89601-9",
    }  # fmt: skip


@holds("D8")
def test_nurses_read_widely_and_are_denied_five_named_types():
    """D8."""
    named = {TELEMEDICINE, PSYCHIATRIC, PSYCHOLOGICAL, "68817-6", "89601-9"}
    assert sourced(NURSE, access=False) == named
    assert len(MATRIX.kinds_for(NURSE)) > len(MATRIX.kinds) * 3 // 4


@holds("D9")
def test_dentists_are_denied_six_named_types():
    """D9."""
    named = {"80788-3", TELEMEDICINE, "83981-1", PSYCHOLOGICAL, PSYCHIATRIC, WISHES}
    assert sourced(DENTIST, access=False) == named


@holds("D10")
def test_podiatrists_are_denied_delivery_reports():
    """D10."""
    assert sourced(PODIATRIST, access=False) == {DELIVERY}
    assert DELIVERY not in MATRIX.kinds_for(PODIATRIST)


@holds("D11")
def test_physiotherapists_read_hospital_reports():
    """D11."""
    assert HOSPITAL_REPORT in sourced(PHYSIOTHERAPIST, access=True)


@holds("D12")
def test_social_professions_read_far_fewer_types_but_for_those_who_contribute_to_care():
    """D12."""
    assert len(MATRIX.kinds_for("353")) > len(MATRIX.kinds_for("41")) == len(MATRIX.kinds_for("SOC-ENC"))
    assert len(MATRIX.kinds_for("353")) < min(len(MATRIX.kinds_for(code)) for code in ("40", "50", "21", "60", "70"))
