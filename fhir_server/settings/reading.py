"""How settings are read: a dataclass states types, bounds and defaults, and pydantic fills it from the variables.

The values are plain dataclasses: nothing is checked again after the start. No error shows a value, which may be secret.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Generic, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

PREFIX = "HABILIS_"
_WHOLE = re.compile(r"-?[0-9]+")
_Read = TypeVar("_Read")


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _digits(text: object) -> object:
    if isinstance(text, str) and not _WHOLE.fullmatch(text):
        raise ValueError(_TOLD["int_parsing"])
    return text


Whole = Annotated[int, BeforeValidator(_digits)]
"""A whole number, written with digits alone: pydantic would also read `5.0` and `1_0`."""
Number = Annotated[Whole, Field(ge=1, le=65_535)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_items)]
"""Texts separated by commas."""
LoginLevel = Annotated[Literal["eidas1", "eidas2", "eidas3"], BeforeValidator(str.lower)]

_TOLD = {
    "bool_parsing": "must be yes or no",
    "greater_than_equal": "must be at least {ge}",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number that is smaller",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "missing": "is required when {first} is set",
    "string_too_long": "has {max_length} characters at most",
    "value_error": "{error}",
}
"""What an error says after the name of the variable, by its type in pydantic."""


def is_url(text: str, *schemes: str) -> bool:
    """Return whether a text is an absolute address of one of these schemes, without a user."""
    try:
        parts = urlsplit(text)
        return parts.scheme in schemes and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False


class Reader(Generic[_Read]):
    """Reads one dataclass from the environment.

    variables: the variable of each field that has one. An error about a missing variable says that the first is set.
    """

    def __init__(self, kind: type[_Read], prefix: str = "", **named: str | None) -> None:
        """Name the variables after the fields, with `prefix`. named: other names, None for a field without variable."""
        names = {field: prefix + field.upper() for field in kind.__annotations__} | named
        self.variables = {field: f"{PREFIX}{name}" for field, name in names.items() if name}
        self._adapter = TypeAdapter(kind)

    def texts(self, environment: Mapping[str, str]) -> dict[str, Any]:
        """Return the text of each field whose variable is set; an empty variable is not set."""
        found = {field: environment.get(variable, "").strip() for field, variable in self.variables.items()}
        return {field: text for field, text in found.items() if text}

    def read(self, values: Mapping[str, Any]) -> _Read:
        """Return the dataclass with these texts and values; the others have their defaults.

        Raises: ValueError with one line that names the variable and says what it must be.
        """
        try:
            return self._adapter.validate_python(values)
        except ValidationError as problem:
            error = problem.errors(include_url=False, include_input=False)[0]
        first, context = next(iter(self.variables.values())), error.get("ctx", {})
        text = _TOLD.get(error["type"], "cannot be read").format(first=first, **context)
        raise ValueError(f"{self.variables[str(error['loc'][0])]} {text}")
