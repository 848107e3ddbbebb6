"""Walls checked on the source: who makes filters, builds callers, asks the rules, holds ports.

Who reads beyond the caller's filter has a check too. The import contracts have a report of their own.

Each check takes the root of a tree, so that a test can show on a copy that a planted fault is found.
"""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from consent_rules.visibility import Clause, Visibility

PACKAGES = ("consent_rules", "fhir_server", "seed")
LAYERED = ("consent_rules", "fhir_server")
"""The packages in which every folder has an exhaustive import contract."""
SYSTEM_VIEWS = "fhir_server/application/core/system_views.py"
MAKE_FILTERS = frozenset(
    {
        "consent_rules/visibility.py",  # the values themselves, and how they are narrowed
        "consent_rules/decision/document_filters.py",  # the decision: what each ground shows
        "consent_rules/model.py",  # the answer of the decision, part by part
        SYSTEM_VIEWS,  # the server's own reads, each with its reason
        "fhir_server/application/core/access.py",  # joins what is seen of documents and of traces
        "fhir_server/adapters/judging.py",  # takes a given filter apart to apply it
    }
)
SAME_NAME = {
    "fhir_server/application/core/access_notices.py": {"documents"},  # of the facts of a notice
    "fhir_server/application/documents/replacement_chain.py": {"documents"},  # of a directive
    "fhir_server/application/spaces/reindexing.py": {"documents"},  # of the facts that stay
    "fhir_server/domain/consents/directives.py": {"kinds", "categories", "documents"},  # of a directive
}
"""Where a module changes a part that is named as one of a filter, but belongs to something else."""
OPEN_SPACES = frozenset({"fhir_server/application/core/enforcement_point.py"})
"""What holds the filters of a permit is made where the rules are asked, and nowhere else."""
ASK_THE_RULES = frozenset(
    {
        "fhir_server/application/core/enforcement_point.py",
        "consent_rules/tools/cli.py",
        "consent_rules/tools/hypothetical_requesters.py",
    }
)
BUILD_CALLERS = frozenset({"fhir_server/domain/caller.py"})
EDGE = "fhir_server/http/"
EDGE_CATCHES = frozenset({"StoreUnavailable"})
"""What the edge may name of the ports: the failure that it tells."""
_FILTERS = frozenset({"Visibility", "Clause", "SystemView"})
PARTS = frozenset((*Visibility.__dataclass_fields__, *Clause._fields))
"""The parts of a filter: who changes one of them makes a filter."""
_SYSTEM_VIEWS = frozenset({"whole_space", "controlled", "recorded_by", "of_kinds", "left_open"})
_BY_COMPUTED_NAME = frozenset({"attrgetter", "vars", "eval", "exec", "globals", "import_module", "__import__"})
_INSIDES = frozenset({"ports", "__dict__", "__getattribute__"})


def made_filters(root: Path) -> list[str]:
    """Return where a filter is made or changed outside the places that may: `file:line`."""
    return [place for file, tree in modules_of(root) if file not in MAKE_FILTERS for place in _makes(file, tree)]


def built_callers(root: Path) -> list[str]:
    """Return where a caller is built by hand instead of by a named constructor of `Caller`: `file:line`."""
    built = []
    for file, tree in modules_of(root):
        names = _names(tree, frozenset({"Caller"}))
        nodes = [node for node in ast.walk(tree) if file not in BUILD_CALLERS and _builds(node, names)]
        built += [f"{file}:{node.lineno}" for node in nodes if isinstance(node, ast.stmt | ast.expr)]
    return built


def opened_spaces(root: Path) -> list[str]:
    """Return where a space is opened, or given another permit, outside the enforcement point: `file:line`."""
    opened = []
    for file, tree in modules_of(root):
        names = _names(tree, frozenset({"Opened"}))
        for node in ast.walk(tree) if file not in OPEN_SPACES else ():
            repermitted = isinstance(node, ast.Call) and _changes(node, frozenset({"permit"}))
            if isinstance(node, ast.stmt | ast.expr) and (repermitted or _builds(node, names)):
                opened.append(f"{file}:{node.lineno}")
    return opened


def asked_rules(root: Path) -> list[str]:
    """Return the modules outside the enforcement point and the tools that import the decision."""
    return sorted(
        {
            file
            for file, tree in modules_of(root)
            if file not in ASK_THE_RULES
            for node in ast.walk(tree)
            if _imports_the_decision(node)
        }
    )


def ports_at_the_edge(root: Path) -> list[str]:
    """Return where the edge reaches for a port instead of naming what it wants: `file:line`."""
    return [
        f"{file}:{node.lineno}"
        for file, tree in modules_of(root)
        if file.startswith(EDGE)
        for node in ast.walk(tree)
        if isinstance(node, ast.expr | ast.stmt) and _reaches_a_port(node)
    ]


def stated_reasons(root: Path) -> set[tuple[str, str]]:
    """Return which module states which reason for a read of the server's own: {("erasure", file), …}.

    The reason is "?" where a module hands on, computes or leaves out the reason: nobody can tell which it is.
    """
    return {
        (reason, file)
        for file, tree in modules_of(root)
        if file != SYSTEM_VIEWS
        for reason in _reasons(tree, _names(tree, frozenset({"ReadingReason"})), _names(tree, _SYSTEM_VIEWS))
    }


@dataclass(frozen=True)
class ImportReport:
    """What import-linter says of a tree.

    broken: names of contracts. unlisted: modules that a layers contract does not list. chains: "importer -> imported".
    """

    broken: frozenset[str]
    unlisted: frozenset[str]
    chains: frozenset[str]


def import_report(root: Path) -> ImportReport:
    """Run import-linter in a tree, as `make imports` does, and return its report."""
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"]
    wide = os.environ | {"COLUMNS": "300"}  # a long name stays on one line
    done = subprocess.run(command, cwd=root, env=wide, capture_output=True, text=True, check=False)
    broken, unlisted, chains = (
        frozenset(re.findall(line, done.stdout, flags=re.MULTILINE))
        for line in (r"^(.+) BROKEN$", r"^ *- ([\w.]+)$", r"^ *- ([\w.]+ -> [\w.]+) \(l\.\d+\)$")
    )
    if (done.returncode != 0) != bool(broken):
        raise RuntimeError(done.stdout + done.stderr)
    return ImportReport(broken, unlisted, chains)


def rooms(root: Path) -> list[str]:
    """Return the folders that hold modules, below the packages that are layered: "fhir_server/domain"."""
    holding = {path.parent for package in LAYERED for path in (root / package).rglob("*.py")}
    return sorted(folder.relative_to(root).as_posix() for folder in holding)


def dotted(path: str) -> str:
    """Return the name that a file or folder is imported by."""
    return path.removesuffix(".py").replace("/", ".")


def _reaches_a_port(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in _INSIDES
    if isinstance(node, ast.Call):
        return _name(node.func) in _BY_COMPUTED_NAME or (_name(node.func) == "getattr" and not _is_literal(node))
    if isinstance(node, ast.Constant):
        return node.value == "ports"
    if isinstance(node, ast.ImportFrom):
        whole = node.module == "fhir_server" and any(name.name == "ports" for name in node.names)
        part = (node.module or "").startswith("fhir_server.ports")
        return whole or (part and any(name.name not in EDGE_CATCHES for name in node.names))
    return isinstance(node, ast.Import) and any(name.name.startswith("fhir_server.ports") for name in node.names)


def _is_literal(call: ast.Call) -> bool:
    """Tell whether the name that `getattr` is asked for stands in the source."""
    return len(call.args) > 1 and isinstance(call.args[1], ast.Constant)


def _imports_the_decision(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        whole = node.module == "consent_rules.decision" and any(name.name == "decide" for name in node.names)
        return whole or node.module == "consent_rules.decision.decide"
    return isinstance(node, ast.Import) and any(name.name == "consent_rules.decision.decide" for name in node.names)


def _makes(file: str, tree: ast.Module) -> Iterator[str]:
    names = _names(tree, _FILTERS)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(_name(base) in names for base in node.bases):
            yield f"{file}:{node.lineno}"
        if isinstance(node, ast.Call) and (
            _calls(node.func, names) or _changes(node, PARTS - SAME_NAME.get(file, set()))
        ):
            yield f"{file}:{node.lineno}"


def _builds(node: ast.AST, names: frozenset[str]) -> bool:
    """Tell whether a node calls or subclasses a class."""
    if isinstance(node, ast.ClassDef):
        return any(_name(base) in names for base in node.bases)
    return isinstance(node, ast.Call) and _name(node.func) in names


def _changes(call: ast.Call, parts: frozenset[str]) -> bool:
    """Tell whether a call makes a filter from another one: `replace(view, clauses=…)`, `clause._replace(**{…})`."""
    return _name(call.func) in {"replace", "_replace"} and any(
        word.arg in parts or (word.arg is None and _quotes(word.value, parts)) for word in call.keywords
    )


def _quotes(mapping: ast.expr, parts: frozenset[str]) -> bool:
    """Tell whether a mapping names a part: `{"clauses": …}`, `dict(clauses=…)`."""
    return any(
        (isinstance(node, ast.Constant) and node.value in parts)
        or (isinstance(node, ast.keyword) and node.arg in parts)
        for node in ast.walk(mapping)
    )


def _calls(function: ast.expr, names: frozenset[str]) -> bool:
    """Tell whether a function makes a filter: `Clause`, `Clause._make`, `type(view)`, `view.__class__`."""
    if isinstance(function, ast.Call):
        return _name(function.func) == "type"
    if isinstance(function, ast.Attribute) and function.attr == "_make":
        return _name(function.value) in names
    return _name(function) in names | {"__class__"}


def _names(tree: ast.Module, names: frozenset[str]) -> frozenset[str]:
    """Return the names, and the names under which a module imports them."""
    imported = {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name in names and alias.asname
    }
    return names | imported


def _reasons(tree: ast.Module, enum: frozenset[str], views: frozenset[str]) -> Iterator[str]:
    stated = {id(node.value): node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and _name(node) in enum:
            yield stated[id(node)].lower().replace("_", "-") if id(node) in stated else "?"
        elif isinstance(node, ast.Call) and _name(node.func) in views and not _states(node, enum):
            yield "?"


def _states(call: ast.Call, enum: frozenset[str]) -> bool:
    """Tell whether a call names its reason: `whole_space(ReadingReason.ERASURE, …)`."""
    return bool(call.args) and isinstance(call.args[0], ast.Attribute) and _name(call.args[0].value) in enum


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def modules_of(root: Path) -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            yield path.relative_to(root).as_posix(), _parsed(path.read_text(encoding="utf-8"))


@cache
def _parsed(source: str) -> ast.Module:
    """Parse a source once for all checks: a copy of the tree differs from the tree in few modules."""
    return ast.parse(source)
