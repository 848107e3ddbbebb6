"""From a query string or `_search` form to a parsed search: which patient, which criteria, which order, which page.

Source: https://hl7.org/fhir/R4/search.html; IHE MHD ITI-66 and ITI-67 for `patient.identifier` and the author names.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from consent_rules.vocabulary import PatientId
from fhir_server.application.reading.search import Wanted
from fhir_server.domain.directory.patient_numbers import names_patient
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search.criteria import Chained, Criterion, Examined, Order, Search
from fhir_server.domain.search.examined import examined, order_of
from fhir_server.domain.search.join_reading import INCLUDES, LAST_UPDATED, LIST, JoinReader, included
from fhir_server.domain.search.joins import HAS, Included, Join, is_joined
from fhir_server.domain.search.values import criterion, needs_values
from fhir_server.r4.subsets import SUMMARIES
from fhir_server.registry import PATIENT, AccessRule, ResourceType, SearchParam
from fhir_server.settings import limits

DEFAULT_COUNT = 20
MAX_COUNT = 200
MAX_IDS = 200
_DIGITS = 9
_FORMAT_PARAMS = frozenset({"_format", "_pretty"})
_RESULT_PARAMS = frozenset({"_count", "_sort", "_total", "_summary", "_page"})
_TOTALS = ("none", "estimate", "estimated", "accurate")
"""Values of `_total`; "estimated" is the spelling of HAPI."""
_ELEMENTS = "_elements"
_UNNAMED = frozenset({AccessRule.IDENTITY, AccessRule.DIRECTORY, AccessRule.PUBLIC, AccessRule.OWNER})
"""The rules of types whose searches name no patient."""
_PATIENT_PARAMS = frozenset({"patient", "subject"})
_NEVER_IGNORED = frozenset({HAS, LIST, "_security"})
"""Parameters that restrict a search: if the server ignored one, the answer would hold more than was asked for."""
_REFUSED = {
    "_text": "bodies are sealed, and there is no index of narratives",
    "_content": "bodies are sealed, and there is no index of their text",
    "_filter": "use the parameters of the type, which may be repeated and take several values",
    "_query": "this server has no named queries; its operations are in the CapabilityStatement",
    "_contained": "a contained resource is found with the resource that contains it",
    "_containedType": "a contained resource is found with the resource that contains it",
    "near": "the server computes no distances",
    "homeCommunityId": "this server is one community; a gateway would answer for others",
    "targetCommunityIdList": "this server is one community; a gateway would answer for others",
}
"""Parameters of R4 and MHD that this server does not have, each with the reason; ignoring one would change the answer.
"""


@dataclass(slots=True)
class Parsed:
    """A search as the client asked it.

    used: the (name, value) pairs that the server applies, for the self link and for binding cursors; without the page.
    ignored: names, or `name=value`, that the server does not know. cursor: the value of `_page`.
    """

    type: str
    patient: PatientId | None = None
    identifier: tuple[str, str] | None = None
    criteria: list[Criterion] = field(default_factory=list)
    chained: list[Chained] = field(default_factory=list)
    examined: list[Examined] = field(default_factory=list)
    order: tuple[Order, ...] = ()
    ids: frozenset[str] | None = None
    sort: str = "_lastUpdated"
    descending: bool = True
    count: int = DEFAULT_COUNT
    total: bool = True
    only_count: bool = False
    cursor: str = ""
    joins: list[Join] = field(default_factory=list)
    including: list[Included] = field(default_factory=list)
    used: list[tuple[str, str]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    @property
    def canonical(self) -> str:
        """Return the applied query in one spelling, to which a cursor is bound."""
        return f"{self.type}?{urlencode(sorted(self.used))}"

    def wanted(self, query: str) -> Wanted:
        """Return the search for the use case, without the page, which is in the encrypted cursor."""
        search = Search(
            type=self.type,
            criteria=tuple(self.criteria),
            chained=tuple(self.chained),
            examined=tuple(self.examined),
            order=self.order,
            ids=self.ids,
            sort=self.sort,
            descending=self.descending,
            limit=0 if self.only_count else self.count,
        )
        total = self.total or self.only_count
        including = tuple(dict.fromkeys(self.including))
        return Wanted(search, self.patient, self.identifier, total, query, including, tuple(self.joins))


def parse(row: ResourceType, pairs: Iterable[tuple[str, str]], fhir_base: str, *, strict: bool) -> Parsed:
    """Read the parameters of a search.

    Raises: Problem(MALFORMED) for a value that cannot be read; UNSUPPORTED for a modifier, and for an unknown parameter
    when `strict` or when ignoring it would widen the answer.
    """
    reader = _Reader(row, fhir_base, strict, Parsed(row.name))
    for name, value in pairs:
        if name not in _FORMAT_PARAMS and value != "":
            reader.take(name, value)
    if reader.parsed.including and ("_summary", "text") in reader.parsed.used:
        text = "`_summary=text` leaves out the references by which `_include` and `_revinclude` find more"
        raise Problem.of(Category.UNSUPPORTED, text, code="_summary")
    return reader.parsed


def demand_measure(pairs: Sequence[tuple[str, str]]) -> None:
    """Refuse a search with too many criteria before any of them is read: each one is work for the store.

    Raises: Problem(TOO_COSTLY).
    """
    allowed = limits.in_force()
    if len(pairs) > allowed.parameters:
        raise Problem.of(Category.TOO_COSTLY, f"a search has at most {allowed.parameters} parameters")
    if sum(value.count(",") + 1 for _, value in pairs) > allowed.values:
        raise Problem.of(Category.TOO_COSTLY, f"the parameters of a search have at most {allowed.values} values")
    if sum(_base(name) in INCLUDES for name, _ in pairs) > allowed.includes:
        raise Problem.of(Category.TOO_COSTLY, f"a search has at most {allowed.includes} includes")
    for name, value in pairs:
        if len(name) + len(value) > allowed.value_bytes:
            text = f"the parameter `{name[:64]}` is longer than {allowed.value_bytes} bytes"
            raise Problem.of(Category.TOO_COSTLY, text)


@dataclass(frozen=True, slots=True)
class _Reader:
    row: ResourceType
    fhir_base: str
    strict: bool
    parsed: Parsed

    def take(self, name: str, value: str) -> None:
        """Read one parameter."""
        if name == "_page":
            self.parsed.cursor = value
        elif name in _RESULT_PARAMS:
            self._result(name, value)
        elif name == _ELEMENTS:
            pass  # this parameter affects the rendering, not the search
        elif name == "_id":
            self._id(value)
        elif name == LAST_UPDATED.name:
            self.parsed.criteria.append(criterion(LAST_UPDATED, "", value, self.fhir_base))
        elif not (self._includes(name, value) or self._patient(name, value) or self._joins(name, value)):
            self._unknown(name, f"{name}={value}" if _base(name) in INCLUDES else name)
            return
        if name != "_page":
            self.parsed.used.append((name, str(self.parsed.count) if name == "_count" else value))

    def _result(self, name: str, value: str) -> None:
        if name == "_count":
            self.parsed.count = min(_whole("_count", value), MAX_COUNT)
            self.parsed.only_count |= self.parsed.count == 0
        elif name == "_sort":
            self._sort(value)
        elif name == "_total":
            self.parsed.total = _one_of("_total", value, _TOTALS) != "none"
        elif _one_of("_summary", value, SUMMARIES) == "count":
            self.parsed.only_count = True

    def _sort(self, value: str) -> None:
        order = order_of(self.row, value)
        first = order[0]
        if len(order) > 1 or not (first.name == "_lastUpdated" or (first.param and first.param.is_sorted_by_store)):
            self.parsed.order = order
        else:
            self.parsed.sort, self.parsed.descending = first.name, first.descending

    def _id(self, value: str) -> None:
        ids = frozenset(value.split(","))
        if len(ids) > MAX_IDS:
            raise Problem.of(Category.MALFORMED, f"`_id` takes at most {MAX_IDS} ids", code="_id")
        self.parsed.ids = ids if self.parsed.ids is None else self.parsed.ids & ids

    def _patient(self, name: str, value: str) -> bool:
        """Read a parameter that names the patient; return False when the parameter does not name one."""
        base, _, modifier = name.replace(f":{PATIENT}.identifier", ".identifier").partition(":")
        chained = base.removesuffix(".identifier")
        if "." in modifier:
            return False  # a chain to the patient, such as `subject:Patient.name`
        if self.row.access in _UNNAMED or chained not in _PATIENT_PARAMS:
            return False
        if base != chained or modifier == "identifier":
            self._name_by_identifier(name, value)
        elif modifier in {"", PATIENT}:
            self._name_by_id(name, value)
        else:
            raise Problem.of(Category.UNSUPPORTED, f"`{name}`: this modifier is not supported", code=base)
        return True

    def _name_by_id(self, name: str, value: str) -> None:
        id_ = value.removeprefix(f"{self.fhir_base}/").removeprefix(f"{PATIENT}/")
        if "," in id_ or "/" in id_:
            raise Problem.of(Category.MALFORMED, f"`{name}` takes one patient of this server", code=name)
        self._only_one(self.parsed.patient not in (None, id_) or self.parsed.identifier is not None)
        self.parsed.patient = PatientId(id_) if id_ else None

    def _name_by_identifier(self, name: str, value: str) -> None:
        system, found, code = value.partition("|")
        if not (found and system and code) or "," in value:
            raise Problem.of(Category.MALFORMED, f"`{name}` takes system|value of one patient", code=name)
        self._only_one(bool(self.parsed.patient) or self.parsed.identifier not in (None, (system, code)))
        self.parsed.identifier = (system, code)

    def _only_one(self, named_already: bool) -> None:  # noqa: FBT001 - reads as a sentence at its two calls
        if named_already:
            raise Problem.of(Category.MALFORMED, "name the patient once", code="patient")

    def _of_type(self, name: str, value: str) -> bool:
        base, _, modifier = name.partition(":")
        param = _find(self.row, base)
        if param is None:
            return False
        asked = None
        if needs_values(param, modifier) and not param.chain[0]:
            asked = examined(self.row, param, modifier, value, self.fhir_base)
        if asked:
            self.parsed.examined.append(asked)
        elif param.chain[0]:
            self.parsed.chained.append(JoinReader(self.fhir_base).chained(self.row, param, modifier, value))
        else:
            self.parsed.criteria.append(criterion(param, modifier, value, self.fhir_base))
        return True

    def _includes(self, name: str, value: str) -> bool:
        """Read an `_include` or `_revinclude`; return False for one that the server does not know."""
        asked = included(self.row, name, value) if _base(name) in INCLUDES else None
        if asked is not None:
            self.parsed.including.append(asked)
        return asked is not None

    def _joins(self, name: str, value: str) -> bool:
        """Read a parameter that joins other resources, or a search parameter of the type; return False for another."""
        if names_patient(name):
            return False
        if name == LIST:
            self.parsed.joins.append(JoinReader(self.fhir_base).listed(self.row, value))
        elif is_joined(self.row, name):
            self.parsed.joins.append(JoinReader(self.fhir_base).join(self.row, name, value))
        else:
            return self._of_type(name, value)
        return True

    def _unknown(self, name: str, said: str) -> None:
        """Ignore a parameter that only adds to the answer or shortens it.

        Raises: Problem(UNSUPPORTED) when ignoring it would widen the answer, or when the client wants nothing ignored.
        """
        base = name.partition(":")[0].partition(".")[0]
        if base in _REFUSED:
            raise Problem.of(Category.UNSUPPORTED, f"`{base}` is not supported: {_REFUSED[base]}", code=base)
        if names_patient(name):
            raise Problem.of(Category.UNSUPPORTED, "a number is no search parameter", code="not-supported")
        if self.strict or base in _NEVER_IGNORED | _PATIENT_PARAMS or _find(self.row, base) is not None:
            raise Problem.of(Category.UNSUPPORTED, f"`{said}` is not a search parameter of {self.row.name}", code=name)
        self.parsed.ignored.append(said)


def _base(name: str) -> str:
    return name.partition(":")[0]


def _find(row: ResourceType, name: str) -> SearchParam | None:
    return next((param for param in row.search if param.name == name), None)


def _whole(name: str, value: str) -> int:
    if not (value.isascii() and value.isdecimal() and len(value) <= _DIGITS):
        raise Problem.of(Category.MALFORMED, f"`{name}` takes a whole number from 0 to {10**_DIGITS - 1}", code=name)
    return int(value)


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise Problem.of(Category.MALFORMED, f"`{name}` takes one of: {', '.join(allowed)}", code=name)
    return value
