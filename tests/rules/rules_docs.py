"""Writes docs/rules.md: each numbered statement, the rule functions that name it, the tests that hold it.

Run by `python -m tests.rules.rules_docs`. Statements come from docs/rules-index.csv; a statement that no rule names or
no test holds has its reason in tests/rules/uncovered.csv.
"""

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from consent_rules.rule_profile import Ceilings, RuleProfile
from tests.conformance import coverage_docs
from tests.conformance.coverage_docs import by_number
from tests.holds import RULES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/rules.md"
SECTIONS = {
    "A": "Life of a space",
    "B": "Representatives, minors, carers",
    "C": "Consent and care team",
    "D": "Matrix",
    "E": "Confidentiality of a document",
    "F": "Authorised and blocked professionals",
    "G": "Emergency",
    "H": "Notifications and traces",
    "I": "Who may never ask or read",
    "J": "Writing, changing, deleting",
    "K": "Order of evaluation",
    "L": "Conflicts between sources",
    "V": "Evidence of care",
}
_RULE = re.compile(r"\b(?:[A-LV][1-9]\d?|I0\d|AC\d\d)\b")
_RANGE = re.compile(r"\b(AC|[A-LV])(\d{1,2})(?:–|-|…|\.\.)(?:AC|[A-LV])?(\d{1,2})\b")


def statements():
    """Return the numbered statements of the law, in order."""
    return {number: text for number, text in RULES.items() if re.fullmatch(r"[A-HJ-LV][1-9]\d?|I[1-9]", number)}


def reasons() -> dict[str, str]:
    """Return why a statement of the law is named by no rule or held by no test."""
    known = statements()
    return {number: why for number, why in coverage_docs.reasons().items() if number in known}


def rules_in(text: str) -> set[str]:
    """Return the rule and abuse-case numbers that a text names; a range names all that it spans."""
    found = set(_RULE.findall(text))
    for prefix, first, last in _RANGE.findall(text):
        width = 2 if prefix == "AC" or first.startswith("0") else 0
        found |= {f"{prefix}{number:0{width}}" for number in range(int(first), int(last) + 1)}
    return found


def rules() -> dict[str, list[str]]:
    """Return the functions and tables of consent_rules that name each statement."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "consent_rules").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT / "consent_rules").with_suffix("").parts)
        text = path.read_text("utf-8")
        for name, node in _named(ast.parse(text)):
            for number in sorted(rules_in(ast.get_source_segment(text, node) or "")):
                found[number].append(f"{module}.{name}")
    return found


def _named(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node


def page() -> str:
    """Return docs/rules.md."""
    where, proved, why = rules(), by_number(), reasons()
    lines = [_HEAD, *_profile_table(), "", "## The statements", "", _READING]
    for letter, title in SECTIONS.items():
        lines += ["", f"### {letter}. {title}", "", "| | statement | rule | tests |", "| --- | --- | --- | --- |"]
        for number, text in statements().items():
            if number[0] == letter:
                lines.append(f"| {number} | {text} | {_code(where[number])} | {_tests(number, proved, why)} |")
    return "\n".join([*lines, ""])


def uncovered():
    """Return the statements that no rule names or no test holds."""
    where, proved = rules(), by_number()
    return [number for number in statements() if not (where[number] and proved[number])]


def _code(names: list[str]) -> str:
    return "<br>".join(f"`{name}`" for name in names[:4])


def _tests(number: str, proved: dict[str, list[str]], why: dict[str, str]) -> str:
    names = [f"`{name.rpartition('::')[2]}`" for name in sorted(proved[number])]
    return "<br>".join([*names, *([f"*{why[number]}*"] if number in why else [])])


def _profile_table() -> list[str]:
    folder = ROOT / "consent_rules/data/countries"
    fr, ehds = (tomllib.loads((folder / f"{name}.toml").read_text("utf-8")) for name in ("fr", "ehds"))
    notes = dict(
        re.findall(
            r"^(\w+) = .*?# (.*)$", (ROOT / "consent_rules/data/countries/fr.toml").read_text("utf-8"), re.MULTILINE
        )
    )
    keys = [item.name for item in fields(RuleProfile) if item.name not in {"name", "proofs", "ceilings"}]
    keys += [f"ceilings.{item.name}" for item in fields(Ceilings)]
    rows = [
        f"| `{key}` | {_value(fr, key)} | {_value(ehds, key)} | {notes.get(key.rpartition('.')[2], '')} |"
        for key in keys
    ]
    return ["| key | `fr` | `ehds` | meaning |", "| --- | --- | --- | --- |", *rows]


def _value(settled: dict[str, Any], key: str) -> str:
    table, _, name = key.rpartition(".")
    value = settled[table][name] if table else settled[key]
    return ", ".join(value) if isinstance(value, list) else str(value).lower()


_HEAD = """# The rules

`python -m tests.rules.rules_docs` generates this page, and a test compares it with the code.

`consent_rules` decides, for every request, whether the caller may read or change a patient's space, and what the
caller may see.
It is pure: it gets facts and returns a `Permit` or a `Deny`. It uses no clock, no store and no web framework, only
the standard library.

## How a decision is made

1. The rules check the preconditions (`denials`) in order; the first one that fails refuses the request.
   Facts about the caller come before the patient's choices, so that `forbidden-party`, `unidentified` and
   `not-entitled` never depend on the patient. All other refusals look alike to the caller.
2. `conditions` and `emergency` contain the legal grounds; the first ground that applies is the basis of the access.
   An emergency is a mode of its own: the purpose of the grant selects it, and ordinary grounds do not count in it.
3. `document_filters` says what the ground shows: a `Visibility`, a union of clauses over kind, category,
   marks and owner. Every query of the store takes this filter; nothing filters the results afterwards.
4. The rules refuse what is in no row of `decide.TABLE`, and an error in a rule is a refusal.

When several Consents of a patient apply, a block of a person wins over everything.
Between a permit and a deny about documents, the more specific one wins (documents by name, a class of documents, the
whole space), and a deny wins a tie; permits add up.
[consents.md](consents.md) says what a patient can choose.
When a patient lifts a block, earlier agreements stay without effect.

## Try it without a server

    python -m consent_rules explain   docs/examples/scenario.toml --language en
    python -m consent_rules simulate  docs/examples/scenario.toml --profession 50 --mode break-glass
    python -m consent_rules audience  docs/examples/scenario.toml --document report --marks MASQUE_PS
    python -m consent_rules audience  tests/rules/scenarios/p1_2_one_document_for_one.toml --document D2 --only 70
    python -m consent_rules diff      older.csv newer.csv
    python -m consent_rules import    official.json habilitation_matrix_2026-06-01.csv --version 2026-06-01
    python -m consent_rules check

## Rule profiles

A rule profile answers the questions that the law leaves open.
Each profile is a TOML file, so a new country needs no code.
"""
_READING = "Each test fails when somebody breaks the statement. Italics say why the rules or the tests do not cover it."


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
