"""The name, address and logo under which people know the service: its brand in apps' lists."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from fhir_server.settings.upstream import Reader

_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Brand:
    """The primary brand. website: https address of the main web site. logo: https address, "" for none."""

    name: str
    website: str
    logo: str = ""

    @property
    def identifier(self) -> dict[str, str]:
        """The identifier by which apps recognise the brand: the website's address without `www.` and path."""
        host = str(urlsplit(self.website).hostname)
        return {"system": "urn:ietf:rfc:3986", "value": f"https://{host.removeprefix('www.')}"}


def read_brand(read: Reader) -> Brand | None:
    """Return the brand, None when none is set.

    Raises: ValueError naming the variable that is wrong.
    """
    name, website, logo = (read.text(f"BRAND_{part}", "") for part in ("NAME", "WEBSITE", "LOGO"))
    if not name:
        return None
    if len(name) > _LONGEST:
        raise ValueError(f"HABILIS_BRAND_NAME has {_LONGEST} characters at most")
    if not _is_https(website):
        raise ValueError("HABILIS_BRAND_WEBSITE must be an https address when HABILIS_BRAND_NAME is set")
    if logo and not _is_https(logo):
        raise ValueError("HABILIS_BRAND_LOGO must be an https address")
    return Brand(name, website, logo)


def _is_https(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False
