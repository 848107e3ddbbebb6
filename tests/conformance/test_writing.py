"""The code stands in modules and folders of a size that a reader can hold."""

from tests.conformance.project import PACKAGES, ROOT, modules

SMALLEST_MODULE = 25
MOST_MODULES = 16


def _named_modules():
    """Yield each module with its path from the root, without `__init__` and `__main__`."""
    for path in modules(*PACKAGES):
        if not path.name.startswith("__"):
            yield path.relative_to(ROOT).as_posix(), path


def test_no_module_is_smaller_than_a_thought():
    lines = {name: path.read_text(encoding="utf-8").count("\n") for name, path in _named_modules()}
    assert {name: count for name, count in lines.items() if count < SMALLEST_MODULE} == {}


def test_no_folder_holds_more_modules_than_a_reader_can_scan():
    held = {}
    for name, _ in _named_modules():
        folder, _, module = name.rpartition("/")
        held.setdefault(folder, []).append(module)
    assert {folder: len(names) for folder, names in held.items() if len(names) > MOST_MODULES} == {}
