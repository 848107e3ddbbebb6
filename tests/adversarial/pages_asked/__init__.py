"""The addresses of pages that are asked in two worlds: one module for each room of pages, found by its place here.

ROLE: in which role its pages are used. PAGES: addresses to get. FORMS: pairs of an address and what its form sends.
NO_SPACE: for a page or form that shows and changes no patient's space: its endpoint, and the reason in a few words.

In an address, `{space}` stands for the id of the patient, `{plain}` and `{other}` for documents that everybody may see,
`{content}` for the content of the first, `{unknown}` for an id that nobody has. `{%s}` and `{%s-content}` stand for the
secret and its content: for unknown ids in the world without it. What a form sends may name the same.
"""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from tests.adversarial.pages_asked.model import Asked

_ROOMS = tuple(
    import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__) if module.name != "model"
)
PAGES = tuple(Asked(room.ROLE, address) for room in _ROOMS for address in room.PAGES)
FORMS = tuple(Asked(room.ROLE, address, sent) for room in _ROOMS for address, sent in room.FORMS)
NO_SPACE: Mapping[str, str] = {name: why for room in _ROOMS for name, why in room.NO_SPACE.items()}

__all__ = ["FORMS", "NO_SPACE", "PAGES", "Asked"]
