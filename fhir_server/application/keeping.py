"""Which software keeps the identity of a patient, and so records for the insurer what no holder writes.

Source: rules B3 and D4 (representatives and declared physicians are recorded by the insurer); docs/adr/0019.
"""

from fhir_server.application.system_views import ReadingReason, recorded_by
from fhir_server.application.writing import Work


def keeps(work: Work, patient: str) -> bool:
    """Tell whether this software has recorded the identity; by the facts alone, which outlive the keys."""
    requester = work.caller.requester
    own = frozenset({requester.client, requester.organization} - {""})
    recorded = recorded_by(ReadingReason.OWN_RECORDS, patient, own)
    return bool(work.snapshot.visible_ids("Patient", (patient,), recorded))
