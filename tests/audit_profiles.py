"""Judge AuditEvents by the profiles of IHE BALP and MHD: counts, slices, fixed and pattern values, kinds of reference.

The profiles are kept beside the repository; they are not copied into it.
"""

import json
from functools import cache
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "reference" / "fhir" / "definitions"
_HL7 = "http://hl7.org/fhir/StructureDefinition/"


@cache
def _resources():
    found = [json.loads(path.read_bytes()) for guide in ("balp", "mhd") for path in (FOLDER / guide).glob("*.json")]
    return {resource["url"]: resource for resource in found}


def demand_profiles():
    """Skip the test where the profiles are not at hand."""
    if not _resources():
        pytest.skip(f"the profiles of BALP and MHD are not at hand: {FOLDER} holds none")


@cache
def _elements(profile):
    return {element["id"]: element for element in _resources()[profile]["snapshot"]["element"]}


def faults(event, profile):
    """Return what a profile forbids in an event, as sentences."""
    return list(_faults(_elements(profile), "AuditEvent", event))


def _faults(elements, id_, value):
    element = elements[id_]
    if not _fits(element, value):
        yield f"{id_} is not as required: {value}"
    if wrong := _wrong_target(element, value):
        yield f"{id_} may not refer to {wrong}"
    for child in [name for name in elements if name.startswith(f"{id_}.") and "." not in name[len(id_) + 1 :]]:
        name = child[len(id_) + 1 :]
        if ":" not in name:
            yield from _faults_of_items(elements, child, _items(value, name))
        else:
            base = _items(value, name.partition(":")[0])
            order = elements[child.rpartition(":")[0]]["slicing"]["discriminator"]
            members = [item for item in base if all(_is_member(elements, child, one["path"], item) for one in order)]
            yield from _faults_of_items(elements, child, members)


def _faults_of_items(elements, id_, items):
    least, most = elements[id_]["min"], elements[id_]["max"]
    if len(items) < least or (most != "*" and len(items) > int(most)):
        yield f"{id_} is there {len(items)} times, allowed are {least}..{most}"
    for item in items:
        yield from _faults(elements, id_, item)


def _items(value, name):
    if not isinstance(value, dict):
        return []
    names = [key for key in value if key.startswith(name[:-3])] if name.endswith("[x]") else [name]
    found = [value[key] for key in names if key in value]
    return found[0] if found and isinstance(found[0], list) else found


def _is_member(elements, id_, path, item):
    if path == "$this":
        return _fits(elements[id_], item)
    inner = elements[f"{id_}.{path}"]
    return any(_fits(inner, value) for value in _items(item, path))


def _fits(element, value):
    wanted = [element[key] for key in element if key.startswith(("pattern", "fixed"))]
    return all(_holds(value, part) for part in wanted) and _is_bound(element, value)


def _holds(value, part):
    """Tell whether a value has all of a pattern."""
    if isinstance(part, dict):
        return isinstance(value, dict) and all(key in value and _holds(value[key], part[key]) for key in part)
    if isinstance(part, list):
        return all(any(_holds(item, one) for item in value) for one in part)
    return bool(value == part)


def _is_bound(element, value):
    binding = element.get("binding", {})
    codes = _resources().get(binding.get("valueSet", "").partition("|")[0])
    if codes is None or binding["strength"] != "required":
        return True
    codings = value.get("coding", [value])
    known = {(part["system"], one["code"]) for part in codes["compose"]["include"] for one in part["concept"]}
    return any((coding.get("system"), coding.get("code")) in known for coding in codings)


def _wrong_target(element, value):
    reference = value.get("reference", "") if isinstance(value, dict) else ""
    targets = [target for kind in element.get("type", ()) for target in kind.get("targetProfile", ())]
    allowed = {target.removeprefix(_HL7) for target in targets if target.startswith(_HL7)}
    return (
        reference
        if isinstance(reference, str) and reference and not allowed & {reference.split("/")[0], "Resource"} and allowed
        else ""
    )
