"""The name, address and logo under which people know the service: its brand in apps' lists."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from fhir_server.settings.reading import Reader, is_url


def _https(text: str) -> str:
    if not is_url(text, "https"):
        raise ValueError("must be an https address")
    return text


_Https = Annotated[str, AfterValidator(_https)]


@dataclass(frozen=True, slots=True)
class Brand:
    """The primary brand. website: https address of the main web site. logo: https address, "" for none."""

    name: Annotated[str, Field(max_length=200)]
    website: _Https
    logo: _Https = ""

    @property
    def identifier(self) -> dict[str, str]:
        """The identifier by which apps recognise the brand: the website's address without `www.` and path."""
        host = str(urlsplit(self.website).hostname)
        return {"system": "urn:ietf:rfc:3986", "value": f"https://{host.removeprefix('www.')}"}


READER = Reader(Brand, "BRAND_")


def read_brand(environment: Mapping[str, str]) -> Brand | None:
    """Return the brand, None when no name is set.

    Raises: ValueError naming the variable that is wrong.
    """
    texts = READER.texts(environment)
    return READER.read(texts) if "name" in texts else None
