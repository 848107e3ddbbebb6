"""The French catalogue of the pages: `python -m tests.pages.translations` brings it up to date.

New texts are added empty (and printed); texts that no page uses any more are dropped.
"""

from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "fhir_server"
PO = SOURCE / "translations" / "fr" / "LC_MESSAGES" / "messages.po"
_ROOMS = sorted(
    each.parent.name for each in (SOURCE / "http/pages").glob("*/__init__.py") if each.parent.name != "sign_in"
)
_METHODS = [
    ("http/pages/error_pages.py", "python"),
    ("http/pages/refusals.py", "python"),
    *((f"http/pages/{room}/**.py", "python") for room in _ROOMS),
    ("http/templates/layout.html", "jinja2"),
    ("http/templates/pages/**.html", "jinja2"),
    ("http/templates/portal/**.html", "jinja2"),
]
"""The pages of the authorization server have a catalogue of their own."""
_KEYWORDS = {
    "_": None,
    "gettext": None,
    "lazy_gettext": None,
    "ngettext": (1, 2),
}
_WHEN = datetime(2026, 3, 1, tzinfo=UTC)


def texts() -> set[str | tuple[str, ...]]:
    """Return every text that the pages may show."""
    return {found[2] for found in extract_from_dir(SOURCE, _METHODS, keywords=_KEYWORDS)}


def catalogue() -> Catalog:
    """Read the French catalogue."""
    with PO.open("rb") as file:
        return read_po(file, locale="fr")


def bring_up_to_date() -> list[str]:
    """Rewrite the catalogue; return the texts that wait for their French."""
    old, new = catalogue(), Catalog("fr", header_comment="# French texts of the pages.", msgid_bugs_address="none")
    new.project, new.version, new.last_translator, new.language_team = "habilis", "1", "habilis", "fr"
    new.mime_headers = [("Plural-Forms", "nplurals=2; plural=(n > 1);")]  # what Babel says of French depends on it
    new.creation_date = new.revision_date = _WHEN
    waiting = []
    for text in texts():
        known = old.get(text if isinstance(text, str) else text[0])
        new.add(text, known.string if known else "", flags=known.flags if known else ())
        if known is None or not known.string:
            waiting.append(str(text))
    with PO.open("wb") as file:
        write_po(file, new, width=110, sort_output=True)
    return waiting


if __name__ == "__main__":
    print("\n".join(bring_up_to_date()) or "complete")  # noqa: T201 - a command prints
