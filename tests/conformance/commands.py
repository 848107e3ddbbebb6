"""The commands, queries and translators of the server, and which edges reach each, read from the source.

`python -m tests.conformance.commands` renews docs/commands.md.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from fhir_server.domain.events.kinds import EventKind
from tests.conformance.project import ROOT
from tests.conformance.walls import modules_of

MARKS = frozenset({"command", "query", "translator", "carrier"})
PAGE = ROOT / "docs" / "commands.md"
EDGES = ("fhir_server/http/", "fhir_server/cli/", "seed/")
ENDS = (*EDGES, "fhir_server/app.py")
PLANS = frozenset({"UnitOfWork", "Access", "carry_out", "HANDLERS", "Handler"})
"""What only the application works on: with these an edge could plan instead of naming what it wants."""
PURE = frozenset(
    {
        "bundles.entries.entries_of",
        "bundles.entries.with_own_urls",
        "core.smart_scopes.lets_read",
        "identity.clients.hash_secret",
        "identity.grant_replacement.in_force",
        "identity.grant_replacement.is_settled",
        "identity.passwords.weakness",
        "reading.read.not_found",
    }
)
"""Functions of the application that an edge may call though they ask for nothing: they only compute."""
SIGN_IN_EVENTS = "fhir_server.oauth.base.events."
"""The authorization server's own commands record these; an edge may only ask it who the caller is (`person`)."""
FOR_THE_SEED = frozenset(
    {
        "identity.access_tokens.mint_token",
        "identity.accounts.add_account",
        "identity.accounts.change_account",
        "identity.clients.change",
        "identity.clients.register",
    }
)
"""What only the seed may call too: invented people and software come to be without an operator's audit event."""


@dataclass(frozen=True)
class Definition:
    """A function or class of the source. name: "application.spaces.lifecycle.close". marks: how it is marked.

    causes: names of EventKind. uses: names of what it refers to.
    """

    name: str
    file: str
    is_class: bool
    marks: frozenset[str] = frozenset()
    causes: tuple[str, ...] = ()
    purpose: str = ""
    uses: frozenset[str] = field(default=frozenset())


@cache
def definitions(root: Path = ROOT) -> Mapping[str, Definition]:
    """Return every top-level function and class, and what each module refers to at its top level (`….<module>`)."""
    return {one.name: one for file, tree in modules_of(root) for one in _defined(file, tree)}


def _defined(file: str, tree: ast.Module) -> Iterator[Definition]:
    module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    imported = _imported(tree)
    own = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    tables: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            marks, causes = _marks(node)
            uses = frozenset(_uses(node, module, imported, own))
            text = (ast.get_docstring(node) or "").partition("\n")[0]
            yield Definition(f"{module}.{node.name}", file, isinstance(node, ast.ClassDef), marks, causes, text, uses)
        elif not isinstance(node, ast.Import | ast.ImportFrom):
            tables |= set(_uses(node, module, imported, own))
    yield Definition(f"{module}.<module>", file, is_class=False, uses=frozenset(tables))


def _marks(node: ast.FunctionDef | ast.ClassDef) -> tuple[frozenset[str], tuple[str, ...]]:
    found, causes = set(), []
    for decorator in node.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(called, ast.Name) and called.id in MARKS:
            found.add(called.id)
            if isinstance(decorator, ast.Call):
                causes += [arg.attr for arg in decorator.args if isinstance(arg, ast.Attribute)]
    return frozenset(found), tuple(causes)


def _imported(tree: ast.Module) -> dict[str, str]:
    """Return the full name behind each imported name, imports inside functions included."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.asname or alias.name: alias.name for alias in node.names}
    return found


def _uses(node: ast.AST, module: str, imported: Mapping[str, str], own: set[str]) -> Iterator[str]:
    """Yield the full names that a piece of source refers to: `lifecycle.close`, `Hide`, `import_alias`."""
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id in imported:
            yield f"{imported[part.value.id]}.{part.attr}"
        elif isinstance(part, ast.Name) and part.id in imported:
            yield imported[part.id]
        elif isinstance(part, ast.Name) and part.id in own:
            yield f"{module}.{part.id}"
        elif isinstance(part, ast.Name):
            yield f"{module}.<module>"


def unnamed_at_the_edge(root: Path = ROOT) -> list[str]:
    """Return where an edge uses a function of the application that is marked as none of `MARKS`: `file: name`.

    An edge records no event of the authorization server either: its commands do.

    What plans is internal too, however it is marked: an edge hands over, and the application decides what is planned.
    """
    known = definitions(root)
    found = set()
    for one in known.values():
        if one.file.startswith(EDGES):
            allowed = PURE | FOR_THE_SEED if one.file.startswith("seed/") else PURE
            found |= {f"{one.file}: {name}" for name in one.uses if _is_internal(known.get(name), name, allowed)}
    return sorted(found)


def _is_internal(used: Definition | None, name: str, allowed: frozenset[str]) -> bool:
    short, own = name.removeprefix("fhir_server.application."), name.rpartition(".")[2]
    if name.startswith(SIGN_IN_EVENTS):
        return own != "person"
    if short == name or short in allowed:
        return False
    if own in PLANS or (own.startswith("plan") and "bulk" not in short):
        return True
    return used is not None and not (used.marks or used.is_class)


def reached_by(root: Path = ROOT) -> Mapping[str, frozenset[str]]:
    """Return for each command the edges that reach it, directly or through translators and other commands."""
    known = definitions(root)
    found: dict[str, set[str]] = {name: set() for name, one in known.items() if "command" in one.marks}
    for edge in sorted({one.file for one in known.values() if one.file.startswith(EDGES)}):
        for name in _reached(known, {use for one in known.values() if one.file == edge for use in one.uses}):
            if name in found:
                found[name].add(
                    edge.removeprefix("fhir_server/").removesuffix(".py") if "fhir_server" in edge else "seed"
                )
    return {name: frozenset(edges) for name, edges in found.items()}


def _reached(known: Mapping[str, Definition], names: set[str]) -> set[str]:
    """Return the names of what these names lead to; queries and edges are ends of the way."""
    seen: set[str] = set()
    left = [name for name in names if name in known]
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        one = known[name]
        if "query" not in one.marks and not one.file.startswith(ENDS):
            left += [use for use in one.uses if use in known]
    return seen


def page(root: Path = ROOT) -> str:
    """Return the text of docs/commands.md."""
    known, edges = definitions(root), reached_by(root)
    lines = [_INTRODUCTION]
    for room, names in _rooms(known).items():
        lines.append(f"\n## {room}\n\n| command | what it does | events | reached from |\n| --- | --- | --- | --- |")
        lines += [_row(known[name], edges[name]) for name in names]
    return "\n".join(lines) + "\n"


def _rooms(known: Mapping[str, Definition]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, one in sorted(known.items()):
        if "command" in one.marks:
            found.setdefault(one.file.rpartition("/")[0].removeprefix("fhir_server/"), []).append(name)
    return found


def _row(one: Definition, edges: frozenset[str]) -> str:
    events = ", ".join(f"`{EventKind[cause].value}`" for cause in one.causes) or "–"
    module, _, own = one.name.rpartition(".")
    where = ", ".join(f"`{edge}`" for edge in sorted(edges)) or "–"
    return (
        f"| `{module.rpartition('.')[2]}.{own}` | {one.purpose.partition('. ')[0].rstrip('.')} | {events} | {where} |"
    )


_INTRODUCTION = """# Commands

What a person or software can do: one command for each act, the kinds of events that it causes, who reaches it.
An edge reaches a command directly, or through a translator that reads a patch, a Consent or a Bundle.
[ADR 75](adr/0075-commands-and-translators.md) says why.
`python -m tests.conformance.commands` renews this page from the code."""


def main() -> None:
    """Renew docs/commands.md."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
