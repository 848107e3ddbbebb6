"""Conditions of the document-sharing profiles that a resource claims in meta.profile, as a table.

A claim of an unknown profile of IHE MHD, PDSm or the EU Health Data API, or of a profile for another type, is a fault.
Profiles of other guides are not checked (ADR 0012).

Source: IHE MHD 4.2 (https://profiles.ihe.net/ITI/MHD/), PDSm 3.1.1 (https://interop.esante.gouv.fr/ig/fhir/pdsm/) and
HL7 Europe's EU Health Data API 1.0.0-ballot (http://hl7.eu/fhir/health-data-api);
the rows are in data/claimed_profiles.tsv.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from fhir_server.domain.problem import Issue
from fhir_server.domain.values import Json

MHD = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/"
EUROPEAN = "http://hl7.eu/fhir/health-data-api/StructureDefinition/"
PDSM = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/"
_ELSEWHERE = frozenset({"Bundle", "Parameters", "AuditEvent", "OperationOutcome"})
"""Types whose profiles other modules check."""

_STEP = re.compile(r"(\w+)(?:\[(\w+)=([^\]]+)\])?(?:\.|$)")
_TYPE = re.compile(r"DocumentReference|document-reference|[Ss]implified.?[Pp]ublish")


@dataclass(frozen=True, slots=True)
class _Step:
    name: str
    member: str
    value: str

    def selects(self, item: object) -> bool:
        """Tell whether an item belongs to the slice of the step; a slice by type compares the codes of the type."""
        if not self.member:
            return True
        if not isinstance(item, dict):
            return False
        if self.member == "type":
            return any(coding.get("code") == self.value for coding in item.get("type", {}).get("coding", ()))
        return bool(item.get(self.member) == self.value)

    def __str__(self) -> str:
        """Return the step as FHIRPath."""
        if not self.member:
            return self.name
        test = f"type.coding.exists(code='{self.value}')" if self.member == "type" else f"{self.member}='{self.value}'"
        return f"{self.name}.where({test})"


@dataclass(frozen=True, slots=True)
class _Condition:
    """One row: how often an element may occur below each of its parents, and which value it must have.

    below: the path of the parents. fixed: a JSON value that the element must contain, None for any. codes: the allowed
    values, empty for any. limits_values: whether there are values that breach the condition. is_met_by_any: whether any
    one item, with whatever value, meets the condition.
    """

    below: str
    parents: tuple[_Step, ...]
    step: _Step
    low: int
    high: int | None
    fixed: Any
    codes: frozenset[str]
    flag: str
    limits_values: bool
    is_met_by_any: bool


_Parent = tuple[Json, str]
"""An object that a path leads to, and its expression."""


def check(resource: Json, root: str = "") -> list[Issue]:
    """Return every breach of the profiles that a valid resource claims, in the order of the claims.

    root: the FHIRPath of the resource, such as `Bundle.entry[1].resource`; "" for the name of its type.
    """
    claims = [str(claim).partition("|")[0] for claim in resource.get("meta", {}).get("profile", ())]
    where = root or str(resource.get("resourceType"))
    issues = list(_unknown(resource, claims, where))
    known = [claim for claim in claims if is_known(claim, str(resource.get("resourceType")))]
    issues += check_against(resource, known, root)
    return list(dict.fromkeys(issues))


def check_against(resource: Json, profiles: Iterable[str], root: str = "") -> list[Issue]:
    """Return every breach of the given profiles, whether the resource claims them or not.

    profiles: canonical URLs; an unknown profile has no conditions.
    """
    where = root or str(resource.get("resourceType"))
    found: list[Issue] = []
    known: dict[str, list[_Parent]] = {"": [(resource, where)]}
    for profile in profiles:
        for condition in _conditions().get(profile, ()):
            parents = known.get(condition.below)
            if parents is None:
                parents = known[condition.below] = list(_parents(resource, condition.parents, where))
            for parent, expression in parents:
                found += _breaches(parent, condition, expression)
    return list(dict.fromkeys(found))


def is_known(profile: str, type_: str) -> bool:
    """Tell whether the server checks a profile for resources of a type."""
    return profile in _conditions() and _type_of(profile) == type_


def _type_of(profile: str) -> str:
    return "DocumentReference" if _TYPE.search(profile) else "List"


def _unknown(resource: Json, claims: list[str], where: str) -> Iterator[Issue]:
    type_ = str(resource.get("resourceType"))
    for index, claim in enumerate(claims):
        is_ours = claim.startswith((MHD, PDSM, EUROPEAN)) and type_ not in _ELSEWHERE
        if is_ours and not is_known(claim, type_):
            text = f"this is no profile of {type_} that the server knows"
            yield Issue(text, f"{where}.meta.profile[{index}]", "unknown-profile")


def _breaches(parent: Json, condition: _Condition, expression: str) -> Iterable[Issue]:
    """Return what one parent of the element breaches."""
    item = parent.get(condition.step.name)
    if item is None:
        if not condition.low:
            return ()
        return (Issue("is required by the profile", f"{expression}.{condition.step}", "profile-required"),)
    if condition.is_met_by_any and not isinstance(item, list):
        return ()
    return _breaches_of(item, condition, expression)


def _breaches_of(item: object, condition: _Condition, expression: str) -> Iterator[Issue]:
    step = condition.step
    items = [one for one in (item if isinstance(item, list) else [item]) if one is not None]
    places = [index for index, one in enumerate(items) if not step.member or step.selects(one)]
    if len(places) < condition.low:
        yield Issue("is required by the profile", f"{expression}.{step}", "profile-required")
    elif condition.high == 0 and places:
        yield Issue("is not allowed by the profile", f"{expression}.{step}", "profile-forbidden")
    elif condition.high is not None and len(places) > condition.high:
        yield Issue(f"is allowed {condition.high} times by the profile", f"{expression}.{step}", "profile-max")
    for index in places if condition.limits_values else ():
        fault = _fault(items[index], condition)
        if fault:
            suffix = f"[{index}]" if isinstance(item, list) else ""
            yield Issue(fault, f"{expression}.{step.name}{suffix}", "profile-value")


def _parents(resource: Json, steps: tuple[_Step, ...], where: str) -> Iterator[_Parent]:
    """Yield every object that steps lead to, with its expression."""
    if not steps:
        yield resource, where
        return
    item = resource.get(steps[0].name)
    for index, one in enumerate(item if isinstance(item, list) else [item]):
        if isinstance(one, dict) and steps[0].selects(one):
            suffix = f"[{index}]" if isinstance(item, list) else ""
            yield from _parents(one, steps[1:], f"{where}.{steps[0].name}{suffix}")


def _fault(value: Any, condition: _Condition) -> str:  # noqa: ANN401 - any JSON value
    """Return what is wrong with a value, "" when nothing is wrong."""
    if condition.fixed is not None and not _holds(value, condition.fixed):
        return f"must be {_shown(condition.fixed)} by the profile"
    if condition.codes and value not in condition.codes:
        return f"must be one of {', '.join(sorted(condition.codes))} by the profile"
    if condition.flag == "contained" and not str(value.get("reference", "")).startswith("#"):
        return "must refer to a contained resource by the profile"
    prefix = condition.flag.removeprefix("prefix=")
    if prefix != condition.flag and not str(value).startswith(prefix):
        return f"must start with `{prefix}` by the profile"
    return ""


def _holds(value: Any, fixed: Any) -> bool:  # noqa: ANN401 - any JSON values
    """Tell whether a value contains a pattern: all its members, and for a list an item for each item of the pattern."""
    if isinstance(fixed, dict):
        return isinstance(value, dict) and all(_holds(value.get(name), item) for name, item in fixed.items())
    if isinstance(fixed, list):
        return isinstance(value, list) and all(any(_holds(one, item) for one in value) for item in fixed)
    return bool(value == fixed)


def _shown(fixed: Any) -> str:  # noqa: ANN401 - any JSON value
    codes = [str(coding.get("code")) for coding in fixed.get("coding", ())] if isinstance(fixed, dict) else [str(fixed)]
    return f"`{', '.join(codes)}`"


@cache
def _conditions() -> dict[str, tuple[_Condition, ...]]:
    """Read the table: the conditions of each profile."""
    table = resources.files("fhir_server.r4").joinpath("data/claimed_profiles.tsv").read_text("utf-8")
    lines = (line for line in table.splitlines() if not line.startswith("#"))
    found: dict[str, list[_Condition]] = {}
    for line in csv.DictReader(lines, dialect="excel-tab", quoting=csv.QUOTE_NONE):
        found.setdefault(line["profile"], []).append(_condition(line))
    return {profile: tuple(conditions) for profile, conditions in found.items()}


def _condition(line: dict[str, str]) -> _Condition:
    steps = [_Step(match[1], match[2] or "", match[3] or "") for match in _STEP.finditer(line["path"])]
    low, high = int(line["min"]), None if line["max"] == "*" else int(line["max"])
    limits_values = high != 0 and bool(line["fixed"] or line["codes"] or line["flag"])
    return _Condition(
        below=".".join(str(step) for step in steps[:-1]),
        parents=tuple(steps[:-1]),
        step=steps[-1],
        low=low,
        high=high,
        fixed=json.loads(line["fixed"]) if line["fixed"] else None,
        codes=frozenset(line["codes"].split()),
        flag=line["flag"],
        limits_values=limits_values,
        is_met_by_any=not limits_values and not steps[-1].member and low <= 1 and high != 0,
    )
