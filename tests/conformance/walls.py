"""Walls checked on the source: who makes filters, asks the rules, holds ports; and what the import contracts report.

Each check takes the root of a tree, so that a test can show on a copy that a planted fault is found.
"""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("consent_rules", "fhir_server", "seed")
LAYERED = ("consent_rules", "fhir_server")
"""The packages in which every folder has an exhaustive import contract."""
MAKE_FILTERS = frozenset(
    {
        "consent_rules/visibility.py",  # the values themselves, and how they are narrowed
        "consent_rules/decision/document_filters.py",  # the decision: what each ground shows
        "consent_rules/model.py",  # the answer of the decision, part by part
        "fhir_server/application/core/system_views.py",  # the server's own reads, each with its reason
        "fhir_server/application/core/enforcement_point.py",  # joins what is seen of documents and of traces
        "fhir_server/adapters/judging.py",  # takes a given filter apart to apply it
    }
)
ASK_THE_RULES = frozenset(
    {
        "fhir_server/application/core/enforcement_point.py",
        "consent_rules/tools/cli.py",
        "consent_rules/tools/simulation.py",
    }
)
EDGE = "fhir_server/http/"
EDGE_CATCHES = frozenset({"StoreUnavailable"})
"""What the edge may name of the ports: the failure that it tells."""
_FILTERS = frozenset({"Visibility", "Clause", "SystemView"})
_PARTS = frozenset({"clauses", "closed_by", "owned_by", "unsealed_at", "of_seen", "within", "barred", "compartment"})


def made_filters(root: Path) -> list[str]:
    """Return where a filter is made or changed outside the places that may: `file:line`."""
    return [place for file, tree in _modules(root) if file not in MAKE_FILTERS for place in _makes(file, tree)]


def asked_rules(root: Path) -> list[str]:
    """Return the modules outside the enforcement point and the tools that import the decision."""
    return sorted(
        {
            file
            for file, tree in _modules(root)
            if file not in ASK_THE_RULES
            for node in ast.walk(tree)
            if _imports_the_decision(node)
        }
    )


def ports_at_the_edge(root: Path) -> list[str]:
    """Return where the edge reaches for a port instead of naming what it wants: `file:line`."""
    return [
        f"{file}:{node.lineno}"
        for file, tree in _modules(root)
        if file.startswith(EDGE)
        for node in ast.walk(tree)
        if isinstance(node, ast.expr | ast.stmt) and _reaches_a_port(node)
    ]


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
        return node.attr == "ports"
    if isinstance(node, ast.Constant):
        return node.value == "ports"
    if isinstance(node, ast.ImportFrom):
        whole = node.module == "fhir_server" and any(name.name == "ports" for name in node.names)
        part = (node.module or "").startswith("fhir_server.ports")
        return whole or (part and any(name.name not in EDGE_CATCHES for name in node.names))
    return isinstance(node, ast.Import) and any(name.name.startswith("fhir_server.ports") for name in node.names)


def _imports_the_decision(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        whole = node.module == "consent_rules.decision" and any(name.name == "decide" for name in node.names)
        return whole or node.module == "consent_rules.decision.decide"
    return isinstance(node, ast.Import) and any(name.name == "consent_rules.decision.decide" for name in node.names)


def _makes(file: str, tree: ast.Module) -> Iterator[str]:
    names = _FILTERS | {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name in _FILTERS and alias.asname
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(_name(base) in names for base in node.bases):
            yield f"{file}:{node.lineno}"
        if isinstance(node, ast.Call) and (_name(node.func) in names or _changes(node)):
            yield f"{file}:{node.lineno}"


def _changes(call: ast.Call) -> bool:
    """Tell whether a call makes a filter from another one: `replace(view, clauses=…)`, `clause._replace(…)`."""
    return _name(call.func) in {"replace", "_replace"} and any(word.arg in _PARTS for word in call.keywords)


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _modules(root: Path) -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            yield path.relative_to(root).as_posix(), ast.parse(path.read_text(encoding="utf-8"))
