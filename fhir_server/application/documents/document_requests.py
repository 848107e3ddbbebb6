"""Translates PATCH and DELETE of a document into commands: a PATCH may change three elements and no other.

The document after the patch is compared with the document as the caller sees it, and each difference names a command.
Who may do what is in the commands.
Source: PDSm 3.1.1, flux 03 and 04 (https://interop.esante.gouv.fr/ig/fhir/pdsm/); ANS PDSM4DMP, TD3.3a to TD3.3d;
docs/labels.md.
"""

from collections.abc import Iterator

import orjson

from consent_rules.vocabulary import Action, Mark, PatientId, RequesterKind
from fhir_server.application.core import notices_owed, smart_scopes
from fhir_server.application.core.access import NOTHING_SEEN, Opened
from fhir_server.application.core.enforcement_point import open_unnamed
from fhir_server.application.core.minor_confidentiality import is_confidential_failure
from fhir_server.application.core.unit_of_work import UnitOfWork, Written
from fhir_server.application.core.write_request import SCOPE_LETTERS, WriteRequest, demand_match
from fhir_server.application.documents.hiding_and_withdrawal import (
    ARCHIVED,
    EXTENSIONS,
    LABELS,
    STATUS,
    WITHDRAWN,
    Archive,
    ChangeConfidentiality,
    DocumentCommand,
    Hide,
    SeenDocument,
    Show,
    Supersede,
    Unarchive,
    Withdraw,
    answer,
    other_extensions,
    plan_commands,
    seen,
    shows_it,
    space_of,
)
from fhir_server.application.reading import conditional
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome, OutcomeCode
from fhir_server.domain.commands import translator
from fhir_server.domain.documents import security_labels
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.problem import Category, Issue, Problem
from fhir_server.domain.values import Interaction, Json
from fhir_server.ports.store import Filters
from fhir_server.r4.patch import Patch, demand_valid

_DOCUMENT = ("DocumentReference",)
_CHANGEABLE = frozenset({"status", "securityLabel", "extension"})


@translator
def plan_patch(work: UnitOfWork, request: WriteRequest) -> Written:
    """Plan the commands that a patch of one document names."""
    change, id_ = request.patch, request.id
    if change.of_confidential:
        work.carries_confidential()
    patient, limits = space_of(work, id_)
    document = seen(work, id_, open_unnamed(work, patient, Action.CHANGE_MARKS), limits)
    demand_match(request.if_match, document.stored, knows_marks=document.knows_marks)
    wanted = _patched(document, change)
    _refuse_other_elements(document.seen, wanted)
    marks = _wanted_marks(document, wanted, change)
    done = plan_commands(work, document, commands_of(document, wanted, marks, work.runtime.withdrawal_status))
    if shows_it(work, done):
        notices_owed.of_reading(work, id_)
    return answer(work, document, done, str(wanted.get("status")))


def commands_of(
    document: SeenDocument, wanted: Json, marks: Mark, withdrawal: str = WITHDRAWN
) -> Iterator[DocumentCommand]:
    """Yield the commands that lead from a document to the wanted one; each is planned before the next is named.

    marks: which the document shall have. withdrawal: a further status that withdraws the document, as one place of the
    draft for the DMP says. Raises: Problem(BUSINESS_RULE) for a difference that no command makes.
    """
    if wanted.get("status") in (WITHDRAWN, withdrawal) and document.seen.get("status") != wanted.get("status"):
        yield Withdraw()
        return
    yield from _of_status(document.seen.get("status"), wanted.get("status"))
    yield from _of_archive(document.seen, wanted)
    yield from _of_confidentiality(document, wanted)
    present = document.stored.facts.access.marks
    if marks & ~present:
        yield Hide(marks & ~present)
    if present & ~marks:
        yield Show(present & ~marks)


def _of_status(before: object, after: object) -> Iterator[DocumentCommand]:
    if before == after:
        return
    if (before, after) != ("current", "superseded"):
        text = f"the status cannot change from `{before}` to `{after}`"
        raise Problem.of(Category.BUSINESS_RULE, text, STATUS, "value")
    yield Supersede()


def _of_archive(before: Json, after: Json) -> Iterator[DocumentCommand]:
    flags = _flags(after)
    values = [flag.get("valueBoolean") for flag in flags]
    if values == [flag.get("valueBoolean") for flag in _flags(before)]:
        return
    if len(values) > 1 or not all(isinstance(value, bool) for value in values):
        raise Problem.of(Category.BUSINESS_RULE, "the archive flag must be one boolean", EXTENSIONS, "value")
    flag = flags[0] if flags else None
    yield Archive(flag) if flag and flag["valueBoolean"] else Unarchive(flag)


def _flags(resource: Json) -> list[Json]:
    return [item for item in resource.get("extension", []) if item.get("url") == ARCHIVED]


def _of_confidentiality(document: SeenDocument, wanted: Json) -> Iterator[DocumentCommand]:
    """Name the change of the labels that are no marks. A patch that changes marks need not repeat them: they stay (E6).

    Raises: Problem(BUSINESS_RULE) when the patch only removes labels: the document would have no confidentiality code.
    """
    before, after = security_labels.confidentiality(document.seen), security_labels.confidentiality(wanted)
    if not all(label in before for label in after):
        yield ChangeConfidentiality(tuple(after))
    elif len(after) < len(before) and security_labels.split_marks(wanted)[1] == _known_marks(document):
        text = "a document must have a confidentiality label; replace the label instead of removing it"
        raise Problem.of(Category.BUSINESS_RULE, text, LABELS, "required")


def _known_marks(document: SeenDocument) -> Mark:
    return document.stored.facts.access.marks if document.knows_marks else Mark.NONE


def match(work: UnitOfWork, request: WriteRequest) -> str:
    """Return the id of the document that the criteria of a patch or deletion name, "" when the caller sees none.

    Raises: Problem(MULTIPLE_MATCHES), and as `conditional_requests.read_criteria`.
    """
    letter = SCOPE_LETTERS[request.interaction]
    smart_scopes.demand(work.caller, _DOCUMENT, letter)
    if request.patch.of_confidential:
        work.carries_confidential()

    def view(patient: PatientId) -> Filters:
        return _enter_to_write(work, patient, letter)[1]

    return conditional.match(work, request.row, request.criteria(work.runtime.fhir_base), view)


def _patched(document: SeenDocument, change: Patch) -> Json:
    """Apply the patch to the document as the caller sees it; the result must still be a valid R4 resource."""
    before = orjson.dumps(document.seen)
    wanted = change.apply(orjson.loads(before))
    demand_valid(wanted, before)
    return wanted


def _refuse_other_elements(before: Json, wanted: Json) -> None:
    """Let only status, securityLabel and the archive flag change."""
    changed = [name for name in {**before, **wanted} if before.get(name) != wanted.get(name)]
    faults = [
        Issue("this element cannot be changed", f"DocumentReference.{name}", "immutable")
        for name in changed
        if name not in _CHANGEABLE
    ]
    if "extension" in changed and other_extensions(before) != other_extensions(wanted):
        faults.append(Issue("only the archive flag can be changed", EXTENSIONS, "immutable"))
    if faults:
        raise Problem(Category.IMMUTABLE_ELEMENT, *faults)


def _wanted_marks(document: SeenDocument, wanted: Json, change: Patch) -> Mark:
    """Return the marks that the document is to have; marks that the caller does not see stay.

    Raises: Problem(BUSINESS_RULE) when replacing a label by its index would drop another mark.
    """
    known = _known_marks(document)
    hidden = document.stored.facts.access.marks & ~known
    for index, concept in enumerate(wanted.get("securityLabel", [])):
        if any(security_labels.is_unknown_mark(coding) for coding in concept.get("coding", [])):
            where = f"{LABELS}[{index}]"
            raise Problem.of(Category.BUSINESS_RULE, "this visibility status is not known", where, "code-invalid")
    asked = security_labels.split_marks(wanted)[1]
    if change.by_index and known & ~asked and asked & ~known:
        text = "replacing this label would also remove a visibility mark; remove that mark by its code, then add one"
        raise Problem.of(Category.BUSINESS_RULE, text, LABELS, "other-mark")
    return asked | hidden


@translator
def plan_delete(work: UnitOfWork, request: WriteRequest) -> None:
    """Plan the withdrawal of a document; only audit it when the caller sees no such document."""
    id_ = request.id
    smart_scopes.demand(work.caller, _DOCUMENT, "d")
    work.names(f"DocumentReference/{id_}")
    location = work.snapshot.locate("DocumentReference", id_)
    opened, filters = _enter_to_write(work, location.compartment, "d") if location else (None, NOTHING_SEEN)
    before = work.read("DocumentReference", id_, filters)
    if opened is None or before is None:
        if not work.refused:
            work.trace_outcome(Outcome(OutcomeCode.REFUSED, "not-visible", confidential=is_confidential_failure(work)))
        return
    knows_marks = filters.of(before.type).knows_marks(before.facts.access)
    demand_match(request.if_match, before, knows_marks=knows_marks)
    Withdraw().plan(work, before)
    work.trace(AuditedInteraction(Interaction.DELETE, "DocumentReference"), (f"DocumentReference/{id_}",))
    notices_owed.of_documents(work, EventKind.DOCUMENT_WITHDRAWN, (work.latest(before),))


def _enter_to_write(work: UnitOfWork, patient: PatientId, letter: str) -> tuple[Opened | None, Filters]:
    """Return the space, and what may be patched ("u") or deleted ("d") there: nothing for a denied caller."""
    try:
        limits = smart_scopes.demand(work.caller, _DOCUMENT, letter, patient)
    except Problem:
        return None, NOTHING_SEEN
    # a carer may change no marks, but may delete what the carer filed (B13)
    deposits = letter == "d" and work.caller.requester.kind is RequesterKind.RELATED
    opened = open_unnamed(work, patient, Action.DEPOSIT if deposits else Action.CHANGE_MARKS)
    return opened, opened.within(work.caller, letter, {"DocumentReference": limits}) if opened else NOTHING_SEEN
