"""docs/life-of-a-request.md names real functions, and its paths are the paths of the code."""

import inspect
import re
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "life-of-a-request.md").read_text(encoding="utf-8")
NAMES = sorted(set(re.findall(r"`([a-z_0-9]+(?:\.[a-z_0-9]+)+)`", PAGE)) - {"module.function"})
PATHS = [re.findall(r"`([a-z_0-9.]+)`", line) for line in PAGE.splitlines() if line.startswith("> ")]
HOPS = sorted({hop for path in PATHS for hop in pairwise(path)})


def found(name: str) -> tuple[object, object]:
    """Return (module, function) of a name on the page."""
    full = name if name.startswith("consent_rules.") else f"fhir_server.{name}"
    module, _, function = full.rpartition(".")
    loaded = import_module(module)
    return loaded, getattr(loaded, function)


@pytest.mark.parametrize("name", NAMES)
def test_every_function_that_is_named_exists(name):
    _, function = found(name)
    assert callable(function)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[0])
def test_no_path_is_longer_than_four_hops(path):
    assert 2 <= len(path) <= 4


@pytest.mark.parametrize(("caller", "called"), HOPS, ids=lambda name: name)
def test_each_hop_knows_the_next(caller, called):
    module, _ = found(caller)
    assert re.search(rf"\b{called.rpartition('.')[2]}\(", inspect.getsource(module).split("\ndef ", 1)[-1])


def test_the_five_flows_are_there():
    assert re.findall(r"^## (\d)\.", PAGE, re.MULTILINE) == ["1", "2", "3", "4", "5"]
    assert len(NAMES) > 40
