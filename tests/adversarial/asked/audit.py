"""The audit log by what its events say of themselves, and as the French platform reads it."""

_TYPES = "http://hl7.org/fhir/resource-types"
_ROLES = "http://terminology.hl7.org/CodeSystem/object-role"
_TDE = "https://interop.esante.gouv.fr/ig/fhir/tde/StructureDefinition/tde-auditevent"

OPEN = (
    "/AuditEvent?patient={space}&address=127&_summary=count",
    "/AuditEvent?patient={space}&agent-role=10&_summary=count",
    f"/AuditEvent?patient={{space}}&_profile={_TDE}&_summary=count", "/AuditEvent?date=ge2026-01-01&_summary=count",
    f"/AuditEvent?patient={{space}}&entity-type={_TYPES}|DocumentReference&_summary=count",
)  # fmt: skip

TOLD = (
    ("types of entities", f"/AuditEvent?patient={{space}}&entity-type={_TYPES}|&_summary=count"),
    ("subjects", f"/AuditEvent?patient={{space}}&entity-role={_ROLES}|4,{_ROLES}|20&_summary=count"),
    ("queries", f"/AuditEvent?patient={{space}}&entity-role={_ROLES}|24&_summary=count"),
    ("professions", "/AuditEvent?patient={space}&agent-role=10&_summary=count"),
    ("addresses", "/AuditEvent?patient={space}&address=127&_summary=count"),
    ("software", "/AuditEvent?patient={space}&agent.identifier=desk&_summary=count"),
    ("for tde", f"/AuditEvent?patient={{space}}&_profile={_TDE}&_lastUpdated=ge{{since}}&_count=200"),
    ("everywhere", "/AuditEvent?date=ge2026-03-01&date=lt2026-03-31&_count=3"),
)
