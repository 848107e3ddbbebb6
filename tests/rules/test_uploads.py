"""What nobody files, in which form a patient does, and whether the holder is told of what others file."""

from dataclasses import replace

import pytest

from consent_rules.consents.uploads import Standing, Unfit, Upload, is_told, standing, unfit
from consent_rules.matrix.table import kinds, of_cells
from consent_rules.model import AccessRequest
from consent_rules.vocabulary import Action, DirectiveKind, Purpose
from tests.holds import holds
from tests.rules.builders import (
    ADULT,
    CHILD,
    EHDS,
    FR,
    HOLDER,
    HOSPITAL_REPORT,
    MARTIN,
    MATRIX,
    NOW,
    PARENT,
    SOFTWARE,
    TEEN,
    directive,
    space,
)

OWN, WILL, PDF = "DOCPAT03", "EXPPAT_3", "application/pdf"
LIMIT = 5 * 1024 * 1024


def faults(who, kind=OWN, media_type=PDF, size=1000, born=ADULT, rules=FR):
    request = AccessRequest(who, Action.DEPOSIT, Purpose.TREATMENT, NOW)
    return unfit(request, space(born=born), Upload(kind, media_type, size), MATRIX, rules)


@pytest.mark.parametrize("who", [HOLDER, PARENT])
class TestThePatientsSide:
    @holds("J6")
    def test_files_every_type_of_patients_and_no_other(self, who):
        """Rule J6."""
        allowed = {code for code in kinds() if faults(who, code) == ()}
        assert allowed == {code for code in kinds() if code.startswith(("DOCPAT", "EXPPAT_"))}
        assert faults(who, "") == (Unfit.TYPE,)

    @pytest.mark.parametrize(
        "media_type", [PDF, "text/plain", "text/plain; charset=utf-8", "Application/RTF", "image/jpeg", "image/tiff"]
    )
    def test_files_the_listed_formats(self, who, media_type):
        """Rule J7."""
        assert faults(who, media_type=media_type) == ()

    @pytest.mark.parametrize("media_type", ["text/html", "application/zip", "image/svg+xml", "application/dicom", ""])
    def test_files_no_other_format(self, who, media_type):
        """Rule J7."""
        assert faults(who, media_type=media_type) == (Unfit.FORMAT,)

    def test_files_five_megabytes_at_most(self, who):
        """Rule J7."""
        assert faults(who, size=LIMIT) == ()
        assert faults(who, size=LIMIT + 1) == (Unfit.SIZE,)
        assert faults(who, size=11, rules=replace(FR, patient_file_size=10)) == (Unfit.SIZE,)

    def test_files_no_link(self, who):
        """J7: what the server does not hold it cannot measure."""
        assert faults(who, size=None) == (Unfit.ELSEWHERE,)

    def test_is_told_all_faults_at_once(self, who):
        assert faults(who, HOSPITAL_REPORT, "text/html", LIMIT + 1) == (Unfit.TYPE, Unfit.FORMAT, Unfit.SIZE)


@pytest.mark.parametrize("who", [MARTIN, SOFTWARE])
def test_professionals_are_held_to_none_of_it(who):
    """J6, J7: a hospital files images of any size, in any format, and types that are not known here."""
    for kind in (HOSPITAL_REPORT, OWN, ""):
        assert faults(who, kind, "application/dicom", 100 * LIMIT) == ()
        assert faults(who, kind, "text/html", None) == ()


@holds("B12")
@pytest.mark.parametrize("rules", [FR, EHDS])
@pytest.mark.parametrize("who", [HOLDER, PARENT, MARTIN, SOFTWARE])
def test_a_minor_has_no_advance_directives_whoever_files_them(who, rules):
    """Rule B12."""
    for born, expected in ((CHILD, (Unfit.MINOR,)), (TEEN, (Unfit.MINOR,)), (ADULT, ()), (None, ())):
        assert faults(who, WILL, born=born, rules=rules) == expected
    assert faults(who, OWN, born=CHILD, rules=rules) == ()


WISH = directive(DirectiveKind.TOLD_OF_FILING)


class TestBeingToldOfFiling:
    """H2: a preference of the holder, about what others do."""

    def told(self, who, *said):
        return is_told(AccessRequest(who, Action.DEPOSIT, Purpose.TREATMENT, NOW), space(*said))

    @pytest.mark.parametrize(("who", "told"), [(MARTIN, True), (SOFTWARE, True), (HOLDER, False), (PARENT, False)])
    def test_of_what_professionals_and_software_do(self, who, told):
        assert self.told(who, WISH) is told

    def test_not_unless_the_holder_wishes_it_now(self):
        assert not self.told(MARTIN)
        assert not self.told(MARTIN, replace(WISH, end=NOW))
        assert not self.told(MARTIN, replace(WISH, kind=DirectiveKind.AT_ONCE))


def says(*cells):
    """Return a matrix in which each cell is (profession, whether it may file, source)."""
    good = MATRIX.cell("10", HOSPITAL_REPORT)
    said = (good._replace(profession=of, deposit=may, deposit_source=source) for of, may, source in cells)
    return of_cells(said, "2030-01-01")


@holds("V17")
@pytest.mark.parametrize(
    ("professions", "cells", "found"),
    [
        ({"70"}, [("70", False, "ORDER")], Standing.REFUSED),
        ({"70"}, [("70", False, "")], Standing.UNSTATED),
        ({"70"}, [("70", True, "")], Standing.PERMITTED),
        ({"70"}, [("10", True, "ORDER")], Standing.UNSTATED),
        ({"70", "10"}, [("70", False, "ORDER"), ("10", True, "")], Standing.PERMITTED),
        ({"70", "10"}, [("70", False, "ORDER"), ("10", False, "ORDER")], Standing.REFUSED),
        ({"70", "10"}, [("70", False, "ORDER")], Standing.UNSTATED),
        (set(), [("70", False, "ORDER")], Standing.PERMITTED),
    ],
)
def test_a_profession_files_what_the_matrix_lets_it_file(professions, cells, found):
    assert standing(professions, HOSPITAL_REPORT, says(*cells)) is found


def test_a_type_that_the_matrix_does_not_know_is_of_no_profession():
    assert standing({"70"}, "", says(("70", False, "ORDER"))) is Standing.PERMITTED


@pytest.mark.parametrize("who", [HOLDER, PARENT])
def test_a_document_that_is_brought_from_another_server_keeps_type_and_format(who):
    """A label says that the patient brought it; only the rule about the advance directives of minors still holds."""
    request = AccessRequest(who, Action.DEPOSIT, Purpose.TREATMENT, NOW)
    brought = Upload(HOSPITAL_REPORT, "text/xml", 2 * LIMIT, is_brought=True)
    assert unfit(request, space(born=ADULT), brought, MATRIX, FR) == ()
    will = replace(brought, kind=WILL)
    assert unfit(request, space(born=CHILD), will, MATRIX, FR) == (Unfit.MINOR,)
