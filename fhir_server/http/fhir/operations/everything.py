"""`$everything` and `$docref`: what the caller may see of a space, and its documents by date of care, in pages.

Source: https://hl7.org/fhir/R4/patient-operation-everything.html;
https://hl7.org/fhir/uv/ipa/OperationDefinition-docref.html; docs/operations.md.
"""

from flask import Response

from consent_rules.vocabulary import PatientId
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.reading import docref, everything
from fhir_server.application.reading.everything import DIRECTORY_TYPES, TYPES
from fhir_server.application.reading.search import Found
from fhir_server.domain.caller import Caller
from fhir_server.domain.problem import Category, Problem
from fhir_server.http.fhir import negotiation, rendering
from fhir_server.http.fhir.operations.model import Arguments, Operation, Parameter, outputs
from fhir_server.http.fhir.operations.walking import Pairs, count_of, interval, links, sent, step_of
from fhir_server.http.fhir.search_query import MAX_COUNT
from fhir_server.http.request_context import argument
from fhir_server.settings import limits

_NONE_ON_DEMAND = "this server makes no documents on demand"


def _everything(runtime: Runtime, caller: Caller, id_: str, given: Arguments) -> Response:
    asked = _asked_of_everything(given)
    wanted = everything.Wanted(
        start=interval(given, "start"),
        end=interval(given, "end"),
        since=interval(given, "_since"),
        types=_types(given),
        count=count_of(given, MAX_COUNT),
        step=step_of(runtime, caller, _of_patient(runtime, id_), asked, argument("_page")),
        sent=sent(asked),
    )
    found = everything.everything(runtime, caller, PatientId(id_), wanted)
    told = links(runtime, caller, _of_patient(runtime, found.patient), asked, found.next)
    page = Found(found.shown, None, None, found.patient, found.included)
    return negotiation.fhir_response(rendering.searchset(runtime.fhir_base, page, told))


def _of_patient(runtime: Runtime, id_: str) -> str:
    return f"{runtime.fhir_base}/Patient/{id_}/$everything"


def _types(given: Arguments) -> frozenset[str]:
    named = frozenset(part.strip() for text in given.get("_type", ()) for part in str(text).split(","))
    unknown = sorted(named - {*TYPES, *DIRECTORY_TYPES})
    if unknown:
        text = f"`_type` takes {', '.join((*TYPES, *DIRECTORY_TYPES))}; not `{unknown[0][:64]}`"
        raise Problem.of(Category.UNSUPPORTED, text, code="_type")
    return named


def _asked_of_everything(given: Arguments) -> Pairs:
    """Return the parameters in one spelling, for the links and to bind cursors to them."""
    types = _types(given)
    asked = [(name, str(given[name])) for name in ("start", "end", "_since") if name in given]
    asked += [("_type", ",".join(sorted(types)))] if types else []
    return [*asked, ("_count", str(count_of(given, MAX_COUNT)))]


def _docref(runtime: Runtime, caller: Caller, _id: str, given: Arguments) -> Response:
    patient = PatientId(str(given["patient"]).removeprefix(f"{runtime.fhir_base}/").removeprefix("Patient/"))
    asked = _asked_of_docref(given, patient)
    _demand_few(asked)
    url = f"{runtime.fhir_base}/DocumentReference/$docref"
    wanted = docref.Wanted(
        patient=patient,
        start=interval(given, "start"),
        end=interval(given, "end"),
        types=tuple((str(one.get("system", "")), str(one["code"])) for one in _codings(given)),
        formats=tuple(map(str, given.get("profile", ()))),
        stored=given.get("on-demand") is not True,
        count=count_of(given),
        step=step_of(runtime, caller, url, asked, argument("_page")),
        sent=sent(asked),
    )
    found = docref.docref(runtime, caller, wanted)
    page = Found(found.shown, found.total, None, patient)
    notes = () if wanted.stored else (_NONE_ON_DEMAND,)
    told = links(runtime, caller, url, asked, found.next)
    return negotiation.fhir_response(rendering.searchset(runtime.fhir_base, page, told, notes))


def _codings(given: Arguments) -> list[Arguments]:
    codings = list(given.get("type", ()))
    if any(not isinstance(one, dict) or not one.get("code") for one in codings):
        raise Problem.of(Category.MALFORMED, "`type` takes a code, with its system if wished", code="type")
    return codings


def _asked_of_docref(given: Arguments, patient: str) -> Pairs:
    asked = [("patient", patient), *((name, str(given[name])) for name in ("start", "end") if name in given)]
    asked += [("type", f"{one.get('system', '')}|{one['code']}".removeprefix("|")) for one in _codings(given)]
    asked += [("profile", str(one)) for one in given.get("profile", ())]
    asked += [("on-demand", str(given["on-demand"]).lower())] if "on-demand" in given else []
    return [*asked, ("_count", str(count_of(given)))]


def _demand_few(asked: Pairs) -> None:
    """Refuse more types and profiles than a search may have values: each is work for the store.

    Raises: Problem(TOO_COSTLY).
    """
    most = limits.in_force().values
    if len(asked) > most:
        raise Problem.of(Category.TOO_COSTLY, f"the parameters have at most {most} values", code="too-costly")


OPERATIONS = (
    Operation(
        "everything",
        "Patient",
        "Everything in a space that the caller may see",
        "The patient, documents, lists, records of deposits, choices, admissions and notices that single searches "
        "would show the caller, each through its own filter, and the directory entries to which they refer; in pages, "
        "each on one permit and one snapshot. The journal is not among them. On the type: for the patient in context. "
        "A patient whose space the caller may not enter is not found, as an unknown one.",
        _everything,
        (
            Parameter("start", "date", "care from this date on; what has no date of care is always returned"),
            Parameter("end", "date", "care until this date"),
            Parameter("_since", "instant", "only what has changed since"),
            Parameter("_type", "code", "only these types; also with commas between them", repeats=True),
            Parameter("_count", "integer", "resources of a page, 200 at most and unless fewer are asked"),
        ),
        outputs(("return", "Bundle")),
        affects_state=False,
        also_on_type=True,
    ),
    Operation(
        "docref",
        "DocumentReference",
        "The current documents of a patient",
        "By date of care, type and format; without any of them, the latest summary alone. The International Patient "
        "Access and US Core define it. The server makes no documents on demand. Whoever may not search the patient's "
        "documents gets the answer of such a search, the same for an unknown patient.",
        _docref,
        (
            Parameter("patient", "id", "whose documents", required=True),
            Parameter("start", "date", "care from this date on"),
            Parameter("end", "date", "care until this date"),
            Parameter("type", "Coding", "one of these types; by GET `system|code`", repeats=True),
            Parameter("on-demand", "boolean", "true: only documents made on demand, so none"),
            Parameter("profile", "canonical", "one of these codes of the content's format", repeats=True),
            Parameter("_count", "integer", "documents of a page, at most 200"),
        ),
        outputs(("return", "Bundle")),
        instance=False,
        affects_state=False,
    ),
)
