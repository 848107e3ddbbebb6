"""The project keeps its promises: sizes, types, licences, dependencies, no trace of the machine it was made on."""

import ast
import re
from importlib import metadata

import pytest

from tests.conformance.project import PACKAGES, ROOT, declared, make_targets, modules, normal, text_of, texts

LARGEST_MODULE = 400
LARGEST_TEST = 600
LARGEST_FUNCTION = 40


def _lines(path):
    return path.read_text(encoding="utf-8").count("\n")


def test_no_module_is_longer_than_a_reader_can_hold():
    too_long = {
        str(path.relative_to(ROOT)): _lines(path) for path in modules(*PACKAGES) if _lines(path) > LARGEST_MODULE
    }
    assert not too_long


def test_no_file_of_tests_is_longer_than_allowed():
    too_long = {str(path.relative_to(ROOT)): _lines(path) for path in modules("tests") if _lines(path) > LARGEST_TEST}
    assert not too_long


def test_no_function_is_longer_than_allowed():
    too_long = {}
    for path in modules(*PACKAGES):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _body_lines(node) > LARGEST_FUNCTION:
                too_long[f"{path.relative_to(ROOT)}:{node.name}"] = _body_lines(node)
    assert not too_long


def _body_lines(node):
    """Lines of a function without its signature and its docstring."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (body[-1].end_lineno - body[0].lineno + 1) if body else 0


def test_every_module_says_what_it_is_for():
    silent = [str(path.relative_to(ROOT)) for path in modules(*PACKAGES) if not _docstring(path)]
    assert not silent


def _docstring(path):
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("package", PACKAGES)
def test_package_says_that_it_is_typed(package):
    assert (ROOT / package / "py.typed").is_file()


@pytest.mark.parametrize("pattern", ["/" + "work/", "/" + "root/", "/" + r"home/\w", "/" + r"Users/\w"])
def test_no_path_of_a_machine_is_written_anywhere(pattern):
    found = [str(path.relative_to(ROOT)) for path in texts() if re.search(pattern, path.read_text(encoding="utf-8"))]
    assert not found


def test_unfinished_work_is_not_left_in_the_code():
    marks = re.compile(
        r"#\s*(?:TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b|pragma: no" + r" cover|pytest\.mark\.ski" + "p"
    )
    found = [
        str(path.relative_to(ROOT))
        for path in modules(*PACKAGES, "tests")
        if marks.search(path.read_text(encoding="utf-8"))
    ]
    assert not found


def test_every_dependency_is_explained():
    explained = {
        normal(name) for name in re.findall(r"^\| `([^`]+)`", text_of("docs/dependencies.md"), flags=re.MULTILINE)
    }
    assert explained == declared("test")


def test_every_import_from_outside_is_declared():
    declared_modules = {
        module for module, names in metadata.packages_distributions().items() if {normal(n) for n in names} & declared()
    } | set(PACKAGES)
    undeclared = {}
    for path in modules(*PACKAGES):
        for top in _imported(path) - declared_modules - _standard():
            undeclared.setdefault(top, str(path.relative_to(ROOT)))
    assert not undeclared


# They come with Flask, flask-smorest, fhir.resources, pymongo and jsonpatch, and are never installed without them.
_THROUGH = {
    "fhir",
    "fhir_core",
    "jinja2",
    "markupsafe",
    "apispec",
    "werkzeug",
    "bson",
    "lxml",
    "jsonpointer",
}


def _standard():
    import sys  # noqa: PLC0415 - the only use of it, next to what it is used for

    return set(sys.stdlib_module_names) | _THROUGH


def _imported(path):
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_nothing_that_the_product_needs_is_under_a_reciprocal_licence():
    bound = {name: licence for name in _closure(declared()) if re.search(r"\bA?GPL", licence := _licence(name))}
    assert not bound


def _closure(names):
    seen, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            asked = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # asked for on another platform only
        waiting.extend(normal(line) for line in asked if "extra ==" not in line)
    return seen


def _licence(name):
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ""
    classifiers = [line for line in about.get_all("Classifier") or [] if line.startswith("License")]
    expression = about.get("License-Expression") or ""
    return expression or " ".join(classifiers)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_make_command_of_a_page_exists(page):
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", "\n".join(_code(text_of(page)))))
    assert named
    assert named <= make_targets()


def _code(markdown):
    """Return what a Markdown page shows as code."""
    yield from re.findall(r"```[a-z]*\n(.*?)```", markdown, flags=re.DOTALL)
    yield from re.findall(r"`([^`\n]+)`", markdown)


def test_every_decision_record_has_the_three_parts():
    records = sorted((ROOT / "docs/adr").glob("*.md"))
    numbers = [path.name[:4] for path in records]
    assert all(number.isdecimal() for number in numbers)
    assert len(set(numbers)) == len(numbers)
    for path in records:
        headings = re.findall(r"^## (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences"], path.name


def test_the_places_where_a_change_begins_are_there():
    table = text_of("CONTRIBUTING.md").partition("## Where a change begins")[2].partition("\n## ")[0]
    named = re.findall(r"`((?:consent_rules|fhir_server|tests)/[\w/.]*)`", table)
    assert len(named) > 12
    assert [path for path in named if not (ROOT / path).exists()] == []
