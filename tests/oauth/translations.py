"""The French catalogue of the authorization pages, and the texts that its pages show."""

import re
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

HOME = Path(__file__).parents[2] / "fhir_server"
SOURCE = HOME / "translations/fr/LC_MESSAGES/oauth.po"
_CALL = re.compile(r'_\(\s*"([^"]+)"')


def catalogue() -> Catalog:
    """Return the source catalogue."""
    with SOURCE.open("rb") as file:
        return read_po(file)


def used() -> set[str]:
    """Return every text that the templates translate."""
    pages = sorted((HOME / "http/templates/oauth").glob("*.html"))
    return {text for page in pages for text in _CALL.findall(page.read_text())}
