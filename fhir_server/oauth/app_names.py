"""Names that an app which nobody verified may not take: those of the service, in whatever letters they are written.

Source: RFC 9700 4.1 and RFC 7591 5 (an app that calls itself like somebody whom people trust).
"""

from collections.abc import Iterable

from fhir_server.domain.tokens import fold

SERVICE = ("Habilis", "Mon espace santé")
_ALIKE = str.maketrans(
    {
        **dict(zip("авеёкмнорсстухһіјѕ", "abeekmhopcctyxhljs", strict=True)),
        **dict(zip("αβεηικνορτυχ", "abehlknoptyx", strict=True)),
        **dict(zip("01i|5@", "olllsa", strict=True)),
    }
)
"""Letters and digits that are read as a Latin letter; `i` is read as `l`, for both look like `1`."""


def is_taken(name: str, others: Iterable[str] = ()) -> bool:
    """Tell whether a name holds that of the service, or one of others."""
    shown = _skeleton(name)
    return any(_skeleton(own) in shown for own in (*SERVICE, *others) if own)


def _skeleton(name: str) -> str:
    return fold(name.replace("|", "l").replace("@", "a")).translate(_ALIKE).replace(" ", "")
