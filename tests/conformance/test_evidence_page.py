"""The numbers in bold on the page about evidence are those of the French rule profile, and each names its key.

Source: docs/evidence.md; consent_rules/data/countries/fr.toml.
"""

import re
import tomllib

import pytest

from tests.conformance.project import ROOT

PAGE = (ROOT / "docs/evidence.md").read_text(encoding="utf-8")
UNITS = {"h": "hours", "min": "minutes", "d": "days", "w": "weeks", "mo": "months", "y": "years"}
NAMED = re.compile(r"\*\*([0-9]+(?: [a-z]+)?)\*\*(?:th)?<!-- ([a-z_.-]+) -->")


def profile() -> dict[str, object]:
    text = (ROOT / "consent_rules/data/countries/fr.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def said(value: object) -> str:
    """Return a value of the profile in the words of the page."""
    length = re.fullmatch(r"(\d+)([a-z]+)", str(value))
    return f"{length[1]} {UNITS[length[2]]}" if length else str(value)


def value_of(key: str) -> object:
    found: object = profile()
    for part in key.split("."):
        assert isinstance(found, dict)
        found = found[part]
    return found


@pytest.mark.parametrize(("told", "key"), NAMED.findall(PAGE))
def test_a_number_of_the_page_is_that_of_the_profile(told, key):
    assert told == said(value_of(key))


def test_every_number_in_bold_names_its_key():
    assert len(re.findall(r"\*\*[0-9]", PAGE)) == len(NAMED.findall(PAGE)) > 20


def test_every_ceiling_that_holds_is_on_the_page():
    """Keys whose rule the page words otherwise are named here."""
    otherwise = {"doubled", "doublings_a_day", "failed_codes_an_hour_in_all"}
    ceilings = profile()["ceilings"]
    assert isinstance(ceilings, dict)
    named = {key.partition(".")[2] for _, key in NAMED.findall(PAGE)}
    assert set(ceilings) - named == otherwise
    assert (ceilings["doubled"], ceilings["doublings_a_day"]) == (2, 1)  # "twice as high for a day"
