"""Opening and deciding cases in the tests of what opens them."""

from fhir_server.application.cases.opening import open_case
from fhir_server.application.core import audit_log
from fhir_server.application.core.unit_of_work import UnitOfWork
from fhir_server.domain.audit.interactions import AuditedInteraction
from fhir_server.domain.caller import Caller
from fhir_server.domain.case_files import Case, CaseKind, case_id
from fhir_server.domain.values import Interaction


def a_case(world, kind=CaseKind.CEILING, who="awa", of="", rule="spaces_an_hour", **more):
    """Return a case of today. of: the patient in whose space it is kept."""
    runtime, patient = world.runtime, world.ids[of] if of else ""
    now, reference = runtime.now(), f"Practitioner/{world.ids[who]}"
    due = runtime.profile.case_decision.after(now)
    id_ = case_id(runtime.cursor_key, kind, reference, rule, now, patient)
    return Case(id_, kind, patient, now, due, rule, reference, display=who, **more)


def open_as_worker(world, case):
    """Open a case as the worker does; return it as it is stored."""
    with world.runtime.ports.store.snapshot() as snapshot:
        audited = AuditedInteraction(Interaction.OPERATION, "Task")
        work = UnitOfWork(world.runtime, Caller.of_server(), audited, snapshot)
        opened = open_case(work, case)
        audit_log.commit(world.runtime, work.planned())
    return opened


def values(answer):
    """Return the first value of each parameter, by name."""
    found = {}
    for one in answer.get_json().get("parameter", ()):
        found.setdefault(one["name"], next((v for k, v in one.items() if k.startswith("value")), None))
    return found


def queued(world, who="dana", more=""):
    """Return the cases of one page of the queue, as dictionaries."""
    answer = world.get(who, f"/AuditEvent/$case-queue?count=50{more}")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    listed = [one["part"] for one in answer.get_json().get("parameter", ()) if one["name"] == "case"]
    return [{p["name"]: next(v for k, v in p.items() if k.startswith("value")) for p in parts} for parts in listed]


def look(world, id_, who="dana"):
    return world.get(who, f"/AuditEvent/$case?case={id_}")


def decide(world, id_, outcome="justified", who="dana", comment="the planning shows it"):
    given = {"case": ("valueString", id_), "outcome": ("valueCode", outcome), "comment": ("valueString", comment)}
    parts = [{"name": name, key: value} for name, (key, value) in given.items()]
    body = {"resourceType": "Parameters", "parameter": parts}
    return world.send(who, "POST", "/AuditEvent/$decide-case", body)
