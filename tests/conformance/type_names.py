"""The wall about resource types: no condition on a type's name outside the registry, the handlers and a closed list.

A condition is a comparison, a membership test, a set, the key of a table, a `match`, or the beginning of a reference. A
name that stands for a literal counts like the literal, also where another module imports it. A reference that begins
with a party (`Practitioner/…`) says who acts, not what a type offers, and does not count; nor does the header
`Location` in a table of headers.
"""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeGuard

from tests.conformance.walls import LAYERED, modules_of

ROWS = "fhir_server/registry/resource_types.py"
MAY_ASK = {
    "fhir_server/conformance/": "asks other servers, and decides nothing here",
    "fhir_server/registry/": "the rows",
    "fhir_server/application/bundles/handlers.py": "the handlers",
    "fhir_server/r4/": "what R4 itself says of a type: invariants, profiles, how a patch is sent",
    "consent_rules/scopes.py": "which search parameters may limit a scope; the rules know no registry",
    "fhir_server/domain/documents/": "the parts of an MHD submission",
    "fhir_server/application/documents/submission_sets.py": "a document replaces documents alone (MHD)",
    "fhir_server/application/documents/authors.py": "whom a document may name, by what its references may lead to",
    "fhir_server/application/documents/versions.py": "the authors of a document, as MHD names them",
    "fhir_server/application/reading/document_audience.py": "the names of people and places",
    "fhir_server/application/reading/joining/chained_search.py": "a practice situation stands for its person",
    "fhir_server/application/spaces/default_consents.py": "the Consents of a new space",
    "fhir_server/domain/audit/audit_event_parts.py": "an AuditEvent names the Consents that a decision used",
}
"""Where the name of a type may decide, with the reason; a folder ends with a slash."""
_PARTIES = frozenset({"Patient", "RelatedPerson", "Practitioner", "PractitionerRole", "Organization", "CareTeam"})
_SETS = frozenset({"set", "frozenset"})
_BEGINS = frozenset({"startswith", "endswith"})
Names = Mapping[str, frozenset[str]]


def conditions_on_types(root: Path) -> list[str]:
    """Return where the name of a type decides something outside the places that may: `file:line`."""
    return [place for place in _all(root) if not place.startswith(tuple(MAY_ASK))]


def needless(root: Path) -> list[str]:
    """Return the places of the list in which no name of a type decides anything."""
    found = _all(root)
    return [
        place
        for place in MAY_ASK
        if not any(one.startswith(place) for one in found) and place != "fhir_server/registry/"
    ]


def types_of(root: Path) -> frozenset[str]:
    """Return the names of the rows of a tree."""
    calls = (
        node for node in ast.walk(ast.parse((root / ROWS).read_text(encoding="utf-8"))) if isinstance(node, ast.Call)
    )
    rows = (call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "ResourceType")
    return frozenset(str(name.value) for name in rows if isinstance(name, ast.Constant))


def _all(root: Path) -> list[str]:
    types = types_of(root)
    trees = {file: tree for file, tree in modules_of(root) if file.startswith(LAYERED)}
    constants = {_dotted(file): _constants(tree, types) for file, tree in trees.items()}
    return [
        f"{file}:{line}"
        for file, tree in trees.items()
        for line in sorted({node.lineno for node in _conditions(tree, types, _known(file, tree, constants))})
    ]


def _constants(tree: ast.Module, types: frozenset[str]) -> Names:
    """Return the names of a module that stand for literals with names of types."""
    found: dict[str, frozenset[str]] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            named = _named(node.value, types, found)
            found |= {target.id: named for target in targets if isinstance(target, ast.Name) and named}
    return found


def _known(file: str, tree: ast.Module, constants: Mapping[str, Names]) -> Names:
    """Return the constants that a module knows: its own, imported ones, and `module.NAME` of imported modules."""
    found = dict(constants[_dotted(file)])
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                here, there = alias.asname or alias.name, constants.get(node.module or "", {})
                found |= {here: there[alias.name]} if alias.name in there else {}
                inner = constants.get(f"{node.module}.{alias.name}", {})
                found |= {f"{here}.{name}": named for name, named in inner.items()}
    return found


def _conditions(tree: ast.Module, types: frozenset[str], known: Names) -> Iterator[ast.AST]:
    handed = {id(arg) for node in ast.walk(tree) if isinstance(node, ast.Call) for arg in node.args if _is_pair(arg)}
    for node in ast.walk(tree):
        decides = isinstance(node, ast.expr | ast.pattern) and any(_named(one, types, known) for one in _asked(node))
        decides = decides and id(node) not in handed
        if decides or (_begins(node) and any(_named(one, types, known) - _PARTIES for one in node.args)):
            yield node


def _asked(node: ast.expr | ast.pattern) -> list[ast.expr]:
    """Return what decides in a comparison, a table, a set or a `match`."""
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.Dict):
        return [] if _is_of_headers(node) else [key for key in node.keys if key]
    if isinstance(node, ast.MatchValue):
        return [node.value]
    return node.elts if isinstance(node, ast.Set) else []


def _is_of_headers(node: ast.Dict) -> bool:
    """Tell whether a table has headers of HTTP as keys: one of them has a hyphen."""
    return any(isinstance(key, ast.Constant) and "-" in str(key.value) for key in node.keys)


def _is_pair(node: ast.expr) -> bool:
    """Tell whether an argument is a table of one key: it says what belongs to the one type, and chooses nothing."""
    return isinstance(node, ast.Dict) and len(node.keys) == 1


def _begins(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _BEGINS


def _named(node: ast.expr, types: frozenset[str], known: Names) -> frozenset[str]:
    """Return the types that an expression names: a type, the beginning of a reference, or a collection of them."""
    parts: list[ast.expr] = []
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return frozenset({node.value.removesuffix("/")}) & types
    if isinstance(node, ast.Name | ast.Attribute):
        return known.get(ast.unparse(node), frozenset())
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        parts = node.elts
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _SETS:
        parts = node.args
    elif isinstance(node, ast.BinOp):
        parts = [node.left, node.right]
    return frozenset[str]().union(*(_named(one, types, known) for one in parts))


def _dotted(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
