"""What the two worlds are asked: one module for each door, found by its place in this folder.

A module may have these names, all of them tuples of paths in which `{space}` stands for the patient's id, and
`{plain}`, `{other}`, `{unknown}`, `{lot}`, `{content}` and `{record}` for what is no secret:

OPEN: asked by anybody, and naming nothing secret.
BY_ID, BY_LOT, BY_RECORD: `{%s}` stands for a document, for its submission set, for its Provenance.
TOLD: pairs of a name and a path: what is compared, byte for byte after ids and instants, for whom the secret is kept
    from. `{since}` stands for the instant at which the deeds began.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

_DOORS = tuple(import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__))


def asked(name: str) -> tuple[Any, ...]:
    """Return what all doors ask under a name, in the order of the doors' names."""
    return tuple(one for door in _DOORS for one in getattr(door, name, ()))


__all__ = ["asked"]
