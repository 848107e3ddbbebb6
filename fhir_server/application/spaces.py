"""Opening, closing and re-opening a patient's space; the state is compiled, the deeds are in the trail.

Source: R.1111-28 and R.1111-36 of the French public health code (rules A1 to A10).
"""

from dataclasses import replace
from datetime import date

from consent_rules.lifecycle import may_move
from consent_rules.model import RecordState, Refuse
from consent_rules.vocabulary import Action, SpaceStatus
from fhir_server.application.runtime import Runtime
from fhir_server.application.writing import Work, carry_out
from fhir_server.domain import record_codec
from fhir_server.domain.audit import Deed
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Problem
from fhir_server.ports import SpaceWrite


def first_state(work: Work, patient: str, birth_date: str = "", *, announced: bool = False) -> SpaceWrite:
    """Return the opening of a new space.

    birth_date: FHIR date; one that is not whole counts as unknown. announced: the notice has been sent and the
    six weeks of R.1111-28 begin; otherwise the space is active at once.
    """
    status = SpaceStatus.ANNOUNCED if announced else SpaceStatus.ACTIVE
    record = RecordState(patient=patient, status=status, since=work.at, birth_date=born(birth_date))
    return SpaceWrite(patient, 0, record_codec.dump(record))


def born(birth_date: str) -> date | None:
    """Return a birth date, None when it is not known to the day."""
    try:
        return date.fromisoformat(birth_date)
    except ValueError:
        return None


def change_status(runtime: Runtime, caller: Caller, patient: str, status: SpaceStatus) -> None:
    """Oppose, close or re-open a space as its holder asks.

    Raises: Problem(FORBIDDEN) for anybody whom the rules do not let direct the space, BUSINESS_RULE when the present
    state does not allow it.
    """
    deed = Deed("update", "Patient", target=f"Patient/{patient}", choice=True)
    carry_out(runtime, caller, deed, lambda work: _plan_status(work, patient, status))


def _plan_status(work: Work, patient: str, status: SpaceStatus) -> None:
    opened = work.enter(patient, Action.DIRECT)
    record = work.record(opened)
    if isinstance(may_move(record, status, work.at, work.runtime.profile), Refuse):
        raise Problem.of(Category.BUSINESS_RULE, "the present state of the space does not allow this")
    work.decide(opened, replace(record, status=status, since=work.at))
    work.trace(work.deed, opened, patient, (f"Patient/{patient}",))
