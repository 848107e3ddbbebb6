"""What a recorded search names: resources by their id or reference, and identifiers.

The audit log stores a search as it was sent. A reader gets the search without references to what that reader does not
see. Identifiers and patients' numbers are left out for every reader: only a look-up could tell what they name.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl, urlencode

from fhir_server.application.core.access import OF_THE_SPACE
from fhir_server.domain.directory.patient_numbers import names_patient
from fhir_server.domain.search.joins import is_joined, last_step
from fhir_server.registry import REGISTRY, ResourceType, SearchParam

BY_IDENTIFIER = "?/identifier"
"""The name that stands for everything that a search looks for by an identifier."""
BY_JOIN = "?/join"
"""The name that stands for everything that a search finds through something else that it names."""
_LIST = ("_list", "List")
_OF_THE_PATIENT = frozenset({"patient", "subject"})
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_OPERATION = re.compile(r"/\$[a-z\-]+$")
Pairs = list[tuple[str, str]]


def named(query: str) -> tuple[str, ...]:
    """Return what a search names in a space: references, "*/id" if the type is not given, and `BY_IDENTIFIER`."""
    row = _row(query)
    found = (name for parameter, value in _pairs(query) for name in _names(row, parameter, value))
    return tuple(dict.fromkeys(found))


def named_to_reader(query: str) -> tuple[str, ...]:
    """Return what a search names, and "*/id" for each id in a parameter that takes no id, known or not."""
    row = _row(query)
    ids = (name for parameter, value in _pairs(query) for name in _stray_ids(row, parameter, value))
    return tuple(name for name in dict.fromkeys((*named(query), *ids)) if name != BY_JOIN)


def holds_number(query: str) -> bool:
    """Tell whether a search names somebody by a patient's number."""
    return any(names_patient(value) for _, value in _pairs(query))


def without_unseen(encoded: str, is_seen: Callable[[str], bool]) -> str:
    """Return a recorded search without names for which `is_seen` is false, identifiers and patients' numbers.

    encoded: base64, as in an AuditEvent. A search from which nothing is removed is returned unchanged.
    """
    query = b64decode(encoded).decode("utf-8", "replace")
    row, pairs = _row(query), _pairs(query)
    kept: Pairs = []
    for parameter, value in pairs:
        parts = value.split(",")
        open_ = (part for part in parts if not names_patient(part))
        left = [part for part in open_ if all(map(is_seen, _all_names(row, parameter, part)))]
        if left:
            kept.append((parameter, ",".join(left)))
    if kept == pairs:
        return encoded
    line, _, rest = query.partition("\n")
    shown = f"{line.partition('?')[0]}?{urlencode(kept)}"
    return b64encode((f"{shown}\n{rest}" if rest else shown).encode()).decode()


def _pairs(query: str) -> Pairs:
    asked = query.partition("\n")[0].partition("?")[2]
    return parse_qsl(asked, keep_blank_values=True)


def _row(query: str) -> ResourceType | None:
    path = _OPERATION.sub("", query.partition("\n")[0].partition("?")[0]).removesuffix("/_search")
    return REGISTRY.get(path.rpartition("/")[2].rpartition(" ")[2])


def _all_names(row: ResourceType | None, parameter: str, value: str) -> Iterator[str]:
    yield from (name for name in _names(row, parameter, value) if name != BY_JOIN)
    yield from _stray_ids(row, parameter, value)


def _stray_ids(row: ResourceType | None, parameter: str, value: str) -> Iterator[str]:
    """Yield the ids in a parameter from which the search takes none; the id may be that of a hidden document."""
    row, parameter = _at_its_end(row, parameter)
    base = parameter.partition(":")[0]
    known = next((param.type for param in row.search if param.name == base), "") if row else ""
    if known != "reference" and base != "_id" and base.partition(".")[0] not in _OF_THE_PATIENT:
        yield from (f"*/{id_}" for id_ in _ID.findall(f"{parameter}={value}"))


def _names(row: ResourceType | None, parameter: str, value: str) -> Iterator[str]:
    """Yield what one parameter names; a value may hold several names, separated by commas."""
    last = _at_its_end(row, parameter)
    if last != (row, parameter):
        found = tuple(_names(*last, value))
        yield from (*found, BY_JOIN) if found else ()
        return
    base, _, modifier = parameter.partition(":")
    if row is None or base.partition(".")[0] in _OF_THE_PATIENT:
        return
    if base == "_id":
        if row.name in OF_THE_SPACE:
            yield from (f"{row.name}/{id_}" for id_ in value.split(","))
        return
    param = next((param for param in row.search if param.name == base), None)
    if param is None or modifier == "missing":
        return
    if param.name == "identifier" or modifier == "identifier":
        yield from (BY_IDENTIFIER,) if row.name in OF_THE_SPACE else ()  # identities are not hidden
    elif param.type == "reference":
        yield from (name for part in value.split(",") if (name := _reference(param, modifier, part)))


def _at_its_end(row: ResourceType | None, parameter: str) -> tuple[ResourceType | None, str]:
    """Return the type and parameter to which the value of a parameter belongs: in a join, those of the joined type."""
    name, type_ = _LIST
    if row is not None and parameter == name:
        return REGISTRY[type_], "_id"
    return last_step(row, parameter) if row is not None and is_joined(row, parameter) else (row, parameter)


def _reference(param: SearchParam, type_: str, value: str) -> str:
    """Return the reference in a value if it may name a resource of the space, "" for a person or a place."""
    parts = value.partition("/_history/")[0].split("/")
    named = parts[-2] if len(parts) > 1 else type_ or (param.targets[0] if len(param.targets) == 1 else "*")
    targets = frozenset(param.targets or OF_THE_SPACE)
    if named == "*":
        return f"*/{parts[-1]}" if targets & OF_THE_SPACE else ""
    return f"{named}/{parts[-1]}" if named in OF_THE_SPACE else ""
