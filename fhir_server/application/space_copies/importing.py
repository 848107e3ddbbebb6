"""Bringing a copy of a space to this server: its documents and the patient's own choices, as brought by the patient.

The archive is checked whole before anything is stored. Then each document and each choice is recorded by the command
that an app's request reaches, in a commit of its own. What is here already stays as it is, so that an import that was
interrupted is simply repeated.
Source: GDPR article 20; docs/adr/0150-bringing-a-copy-of-a-space.md.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from urllib.parse import urlencode

from consent_rules.vocabulary import Action, PatientId
from fhir_server.application.consents import consent_requests
from fhir_server.application.core import audit_log, smart_scopes
from fhir_server.application.core.access import IN_DIRECTORY, PATIENTS_SIDE
from fhir_server.application.core.enforcement_point import open_record
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.unit_of_work import UnitOfWork, Written, carry_out
from fhir_server.application.core.write_request import WriteRequest
from fhir_server.application.directory import resources
from fhir_server.application.documents import publication
from fhir_server.application.reading import conditional
from fhir_server.application.reading.read import not_found
from fhir_server.domain.audit.interactions import AuditedInteraction, interaction_of
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import command
from fhir_server.domain.directory import identity_keys
from fhir_server.domain.documents.submission import Submission
from fhir_server.domain.documents.submission_reading import read_simplified
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search import tokens
from fhir_server.domain.space_archive import brought
from fhir_server.domain.space_archive.brought import Unbrought
from fhir_server.domain.space_archive.reading import Archive, Bounds, opened
from fhir_server.domain.values import Json
from fhir_server.r4.checking import check
from fhir_server.registry import DOCUMENT, PARTIES, PATIENT, REGISTRY, Interaction
from fhir_server.settings import limits

CONSENT = "Consent"
_TIMES_THE_BODY = 8
"""How much larger than a request body an archive may be when it is unpacked."""
_WHO = "the patient and legal representatives bring a copy of a space, nobody else"
_OF_ONE = frozenset(
    {Category.BUSINESS_RULE, Category.FORBIDDEN, Category.INVALID, Category.DUPLICATE, Category.NOT_FOUND}
)
"""Failures that concern one resource: the others are brought nevertheless."""


@dataclass(slots=True)
class Report:
    """What became of an archive. new, known: references here that were recorded now and before.

    left_out: what was not recorded, as (reference in the archive, reason).
    """

    new: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)


@command(EventKind.SPACE_BROUGHT)
def bring(
    runtime: Runtime, caller: Caller, patient: PatientId, data: bytes, before_each: Callable[[], None] = lambda: None
) -> Report:
    """Check an archive, and record its documents and choices in the space of the same person on this server.

    data: the archive. before_each: called before each resource; it waits until the caller may do one more request, or
    raises what ends the import, and what was recorded by then stays.
    Raises: Problem(INVALID) with every file that is missing, was added or changed, TOO_COSTLY, BUSINESS_RULE for the
    archive of another person, NOT_FOUND for a space that the caller may not enter, FORBIDDEN for whoever is neither
    the patient nor a representative. Nothing is stored then.
    """
    audited = interaction_of(EventKind.SPACE_BROUGHT, target=f"{PATIENT}/{patient}")
    try:
        if caller.requester.kind not in PATIENTS_SIDE:
            raise Problem.of(Category.FORBIDDEN, _WHO, code="forbidden")
        smart_scopes.demand(caller, (DOCUMENT,), "c", patient)
        smart_scopes.demand(caller, (CONSENT,), "c", patient)
        allowed = limits.in_force()
        whole = _TIMES_THE_BODY * allowed.body_bytes
        archive = opened(data, Bounds(2 * allowed.copied, allowed.body_bytes, whole))
    except Problem as problem:
        audit_log.record_refusal(runtime, caller, audited, problem)
        raise
    carry_out(runtime, caller, audited, partial(_enter, patient=patient, archive=archive))
    import_ = _Import(runtime, caller, patient, archive, before_each)
    import_.documents()
    import_.choices()
    return import_.report


def _enter(work: UnitOfWork, patient: PatientId, archive: Archive) -> None:
    """Enter the space, and check that the archive is of the same person; plan the event that says so."""
    own = work.caller.launch_patient
    if own != patient:  # the side of a patient acts in one space alone: any other one is unknown
        raise not_found()
    open_record(work, patient, Action.DEPOSIT)
    if not work.entered.is_for_patient:
        raise Problem.of(Category.FORBIDDEN, _WHO, code="forbidden")
    recorded = resources.recorded_patient(work, patient)
    archived = next(archive.resources(PATIENT), {})
    number = identity_keys.number_asked(archived)
    known = {(one.get("system"), one.get("value")) for one in recorded.get("identifier", ())}
    if number not in known or identity_keys.contradicts(archived, recorded):
        text = "the archive is that of another person, or it does not say of whom"
        raise Problem.of(Category.BUSINESS_RULE, text, code="other-person")
    work.trace(work.audited, ())


@dataclass(slots=True)
class _Import:
    """One archive on its way into a space. here: reference in this space of each document of the archive."""

    runtime: Runtime
    caller: Caller
    patient: PatientId
    archive: Archive
    before_each: Callable[[], None]
    report: Report = field(default_factory=Report)
    here: dict[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """The server that made the archive, as the archive says."""
        return str(self.archive.manifest.get("server", ""))[:200]

    def documents(self) -> None:
        """File the current documents; what they have replaced stays on the server that it comes from."""
        for resource in self.archive.resources(DOCUMENT):
            if resource.get("status") == "current":
                self._record(resource, self._file)

    def choices(self) -> None:
        """Record the choices of the patient's side that are in force."""
        own = {str(id_) for id_ in self.archive.manifest.get("choices", ())}
        self.here |= dict(self._parties())
        for resource in self.archive.resources(CONSENT):
            if resource.get("status") == "active" and str(resource.get("id")) in own:
                self._record(resource, self._choose)

    def _record(self, resource: Json, act: Callable[[Json], Written]) -> None:
        self.before_each()
        name = f"{resource['resourceType']}/{resource.get('id', '')}"
        try:
            written = act(resource)
        except Unbrought as unfit:
            self.report.left_out.append((name, str(unfit)))
        except Problem as problem:
            if problem.category not in _OF_ONE:
                raise
            self.report.left_out.append((name, "; ".join(issue.text for issue in problem.issues)))
        else:
            self.here[name] = written.shown.reference
            (self.report.new if written.created else self.report.known).append(written.shown.reference)

    def _file(self, resource: Json) -> Written:
        contents = resource.get("content") or [{}]
        url = str(contents[0].get("attachment", {}).get("url", ""))
        content = self.archive.content_of(url.rpartition("/")[2])
        if content is None:
            raise Unbrought("the archive does not hold its content")
        filed = brought.document(resource, self.patient, content, self.origin)
        _demand_sound(filed)
        submission = read_simplified(filed, refuse_wrong_size=self.runtime.refuse_wrong_size)
        plan = partial(
            _planned_document, submission=replace(submission, brought_from=self.origin), patient=self.patient
        )
        audited = AuditedInteraction(Interaction.CREATE, DOCUMENT, REGISTRY[DOCUMENT].transactions[Interaction.CREATE])
        return carry_out(self.runtime, self.caller, audited, plan)

    def _choose(self, resource: Json) -> Written:
        located = self.here.get
        made = brought.consent(resource, self.patient, self.caller.requester.person, self.origin, located)
        _demand_sound(made)
        number = f"{brought.NUMBERED}|{brought.number_of(resource, self.origin)}"
        condition = urlencode({"identifier": number})
        request = WriteRequest(Interaction.CREATE, REGISTRY[CONSENT], resource=made, condition=condition)
        plan = partial(consent_requests.plan_create, request=request)
        return carry_out(self.runtime, self.caller, AuditedInteraction(Interaction.CREATE, CONSENT), plan)

    def _parties(self) -> Iterator[tuple[str, str]]:
        """Yield, for each party of the archive whom this server knows by one of its identifiers, the reference here."""
        with self.runtime.ports.store.snapshot() as snapshot:
            for type_ in sorted(PARTIES & IN_DIRECTORY.by_type.keys()):
                for resource in self.archive.resources(type_):
                    pairs = [
                        (str(one.get("system", "")), str(one.get("value", "")))
                        for one in resource.get("identifier", ())
                    ]
                    keys = [tokens.identifier_key("identifier", *pair) for pair in pairs if all(pair)]
                    found = {id_ for key in keys for _, id_ in snapshot.compartments_with(type_, key, 2)}
                    if len(found) == 1:
                        yield f"{type_}/{resource.get('id', '')}", f"{type_}/{found.pop()}"


def _planned_document(work: UnitOfWork, submission: Submission, patient: PatientId) -> Written:
    """Plan the filing of a document, or return the one with its number that is here and that the caller sees."""
    smart_scopes.demand(work.caller, (DOCUMENT,), "c", patient)
    open_record(work, patient, Action.DEPOSIT)
    number = submission.documents[0].item.resource["masterIdentifier"]
    pair = (str(number.get("system", "")), str(number["value"]))
    for stored in conditional.with_identifier(work, DOCUMENT, pair, patient):
        found = work.read(DOCUMENT, stored.id, work.entered)
        if found is not None:
            work.trace(AuditedInteraction(Interaction.READ, DOCUMENT), (f"{DOCUMENT}/{found.id}",))
            return Written(work.shown(found, work.entered), created=False)
    return publication.file_document(work, submission)


def _demand_sound(resource: Json) -> None:
    faults = check(resource)
    if faults:
        raise Problem(Category.INVALID, *faults)
