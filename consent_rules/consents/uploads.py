"""What nobody may file, in which form a patient files, what a profession files, and whether the patient is told of it.

Documents from patients have types of their own, so that every reader sees that a patient filed them (J6). The format
rules do not apply to professionals and their software, which follow the interoperability guides.

Source: ANS, DMP integration, EX_3.1-1040 (types); Mon espace santé application, published source of 27 August 2025
(formats, size, no advance directives of minors); L.1111-11 of the French public health code (persons of full age).
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from consent_rules.lifecycle import is_minor
from consent_rules.matrix.table import Matrix
from consent_rules.model import AccessRequest, RecordState
from consent_rules.rule_profile import RuleProfile
from consent_rules.vocabulary import DirectiveKind, RequesterKind

_SIDE = frozenset({RequesterKind.PATIENT, RequesterKind.RELATED})


class Unfit(StrEnum):
    """Why a document is not filed: a reason depends on the request and the patient's age, never on a directive."""

    TYPE = "type-of-professionals"
    MINOR = "advance-directives-of-a-minor"
    FORMAT = "format-not-taken"
    SIZE = "too-large"
    ELSEWHERE = "content-elsewhere"
    PROFESSION = "type-not-of-the-profession"


@dataclass(frozen=True, slots=True)
class Upload:
    """One document as it is sent. kind: "" when its type is unknown. size: in bytes, None when hosted elsewhere.

    is_brought: whether the patient brings it from another server, with the type and the format that it had there.
    """

    kind: str
    media_type: str
    size: int | None
    is_brought: bool = False


def unfit(
    request: AccessRequest, record: RecordState, upload: Upload, matrix: Matrix, profile: RuleProfile
) -> tuple[Unfit, ...]:
    """Return every reason against filing a document; empty when the document may be filed (B12, J6, J7)."""
    found = []
    if upload.kind in profile.advance_directive_kinds and is_minor(record, request.at, profile):
        found.append(Unfit.MINOR)
    if request.requester.kind in _SIDE and not upload.is_brought:
        found.extend(_unfit_of_patient(upload, matrix, profile))
    return tuple(found)


class Standing(StrEnum):
    """What the matrix says about a profession that files a kind of document."""

    PERMITTED = "permitted"
    REFUSED = "refused"
    UNSTATED = "deposit-unstated"


def standing(professions: Collection[str], kind: str, matrix: Matrix) -> Standing:
    """Return what the matrix says when somebody of these professions files a kind (V17).

    One profession that may file it is enough. A cell without a source refuses nothing: it counts as not stated.
    """
    if not (professions and kind):
        return Standing.PERMITTED
    cells = [matrix.cell(profession, kind) for profession in professions]
    if any(cell is not None and cell.deposit for cell in cells):
        return Standing.PERMITTED
    refuses = all(cell is not None and cell.deposit_source for cell in cells)
    return Standing.REFUSED if refuses else Standing.UNSTATED


def is_told(request: AccessRequest, record: RecordState) -> bool:
    """Tell whether the patient is told of this filing or change: if others act, and if the patient wishes it (H2)."""
    wished = any(d.kind is DirectiveKind.TOLD_OF_FILING and d.holds_at(request.at) for d in record.directives)
    return wished and request.requester.kind not in _SIDE


def _unfit_of_patient(upload: Upload, matrix: Matrix, profile: RuleProfile) -> list[Unfit]:
    kind = matrix.kinds.get(upload.kind)
    bare = upload.media_type.partition(";")[0].strip().lower()
    faults = {
        Unfit.TYPE: kind is None or kind.author != "patient",
        Unfit.FORMAT: bare not in profile.patient_formats,
        Unfit.ELSEWHERE: upload.size is None,
        Unfit.SIZE: (upload.size or 0) > profile.patient_file_size,
    }
    return [fault for fault, holds in faults.items() if holds]
