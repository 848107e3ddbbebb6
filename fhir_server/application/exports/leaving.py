"""Which spaces an export reads: those that the caller may enter now, without entering any of them for the first time.

An export is never a professional's first access to a space, and no emergency is a ground for one. So it reaches no
space whose patient was not told of this reader before, and it adds nothing to what the ceilings count.
Source: docs/adr/0120-exports-are-plans.md, docs/adr/0121-a-group-is-who-is-in-care.md.
"""

from consent_rules.decision.emergency import MODES
from consent_rules.model import RecordState
from consent_rules.vocabulary import Action, DirectiveKind, PatientId, Proof, RequesterKind
from fhir_server.application.core.access import Access, Opened
from fhir_server.application.core.access_notices import has_been_told
from fhir_server.application.core.ceilings import entries
from fhir_server.application.core.enforcement_point import judge
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search.criteria import Search
from fhir_server.registry import DOCUMENTS

_EXPORTING = frozenset({RequesterKind.PATIENT, RequesterKind.RELATED, RequesterKind.PROFESSIONAL, RequesterKind.SYSTEM})
_STAYS = frozenset({Proof.ADMISSION, Proof.APPOINTMENT})


def demand(caller: Caller) -> None:
    """Refuse a caller who never exports or subscribes: officers, support, and anybody in an emergency.

    Raises: Problem(FORBIDDEN), which depends on the caller alone.
    """
    if caller.requester.kind not in _EXPORTING or caller.purpose in MODES:
        text = "only patients, representatives, software and professionals in ordinary care export or subscribe"
        raise Problem.of(Category.FORBIDDEN, text, code="forbidden")


def may_leave(access: Access, opened: Opened) -> bool:
    """Tell whether an export may take anything from a space that is open to the caller."""
    if access.caller.purpose in MODES:
        return False
    if access.caller.requester.kind is not RequesterKind.PROFESSIONAL:
        return True
    enters = entries.is_on_declared(opened) and entries.is_new(access, opened.record)
    return has_been_told(access.caller, opened.record) and not enters


def is_planned(access: Access, patient: PatientId, establishment: str) -> bool:
    """Tell whether the plan of an export has a space. The caller learns nothing of it until a download is decided.

    establishment: "Organization/…" in whose care the patient must be now, "" for any.
    """
    opened = judge(access, patient, Action.CONSULT)
    if not (isinstance(opened, Opened) and may_leave(access, opened)):
        return False
    if establishment and not _is_in_care_of(access, opened.record, establishment):
        return False
    if access.caller.requester.kind is not RequesterKind.SYSTEM:
        return True
    seen = opened.within(access.caller, "s")
    return any(access.snapshot.find(Search(type_, limit=1), seen).rows for type_ in DOCUMENTS)


def _is_in_care_of(access: Access, record: RecordState, establishment: str) -> bool:
    facts = (one for one in record.directives if one.kind is DirectiveKind.CARE and one.proof in _STAYS)
    return any(establishment in fact.actors and fact.holds_at(access.at) for fact in facts)
