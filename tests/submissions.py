"""Submissions for tests that need many: hospital reports, each with a number and bytes of its own."""

import json
from random import Random

from seed.filing import Filing, Place, submission

OID = "1.2.250.1.213.1.4.99999.7"
REPORT = ("http://loinc.org", "34112-3", "CR hospitalier (séjour)")
CLASS = ("10", "Compte rendu")


def report(number: str, content: bytes, patient: str, organization: str) -> Filing:
    """Build a hospital report. number: digits, the last arc of its identifier."""
    author = {
        "resourceType": "PractitionerRole",
        "id": "author",
        "organization": {"reference": f"Organization/{organization}"},
    }
    source = {"resourceType": "Patient", "id": "source", "name": [{"family": "Test", "given": ["Patient"]}]}
    return Filing(
        unique_id=f"{OID}.{number}",
        title="Compte rendu de séjour",
        date="2026-02-01T10:00:00+01:00",
        mime="text/plain",
        content=content,
        patient=patient,
        type_=REPORT,
        category=CLASS,
        author=author,
        source_patient=source,
        place=Place(organization, "SA01", "ETABLISSEMENT"),
    )


def publication(number: str, content: bytes, patient: str, organization: str) -> bytes:
    """Build the body of an ITI-65 request with one report."""
    bundle = submission([report(number, content, patient, organization)], f"{OID}.8.{number}")
    return json.dumps(bundle).encode()


def random_text(size: int, seed: int) -> bytes:
    """Return text that no compression and no deduplication makes smaller."""
    return Random(seed).randbytes(size // 2 + 1).hex()[:size].encode()
