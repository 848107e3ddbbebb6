"""The French texts, in their gettext catalogues; English texts are their own keys.

A catalogue (`fr/LC_MESSAGES/*.po`) is read when it is first needed. No compiled file is kept: it would be outdated
after an edit, and its bytes depend on the version of Babel.
Source: https://www.gnu.org/software/gettext/manual/html_node/PO-Files.html
"""

from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

_FOLDER = Path(__file__).parent / "translations"


@cache
def texts(language: str, name: str) -> NullTranslations:
    """Return the catalogue `name` in a language, an empty one when there is none."""
    path = _FOLDER / language / "LC_MESSAGES" / f"{name}.po"
    if not path.is_file():
        return NullTranslations()
    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return Translations(compiled)
