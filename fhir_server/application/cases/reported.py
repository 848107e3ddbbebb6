"""Cases that the server reports: a ceiling that was reached, declarations that were suspended.

Source: statements V11 and V13 of docs/rules.md; docs/adr/0085-breakers-and-registered-exceptions.md.
"""

import orjson

from consent_rules.vocabulary import NO_SPACE
from fhir_server.application.cases import suspensions
from fhir_server.application.cases.opening import overdue_message, writes_of
from fhir_server.application.core.ceilings.breakers import CASES_LANE, FOLLOW
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.outbox.lanes import NOTHING, Lane
from fhir_server.domain.case_files import Case, CaseKind, case_id
from fhir_server.domain.stored import instant
from fhir_server.ports.outbox import Pending
from fhir_server.ports.store import Change


def open_reported(runtime: Runtime, message: Pending) -> Change:
    """Open the case that a message reports, in no space: it carries nothing of a patient."""
    said = orjson.loads(message.body)
    if said["kind"] == FOLLOW:
        suspensions.follow(runtime, str(said["who"]))
        return NOTHING
    kind, who, rule, at = CaseKind(said["kind"]), str(said["who"]), str(said["rule"]), instant(said["at"])
    due, times = runtime.profile.case_decision.after(at), int(said.get("times", 1))
    id_ = str(said.get("case") or case_id(runtime.cursor_key, kind, who, rule, at))
    case = Case(id_, kind, NO_SPACE, at, due, rule, who, times=times)
    with runtime.ports.store.snapshot() as snapshot:
        writes = writes_of(snapshot, case, runtime.stamps.next(runtime.now()))
    return Change((), writes, outbox=(overdue_message(case, runtime.now()),))


LANE = Lane(CASES_LANE, open_reported)
