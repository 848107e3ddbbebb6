"""The one form in which names of people and of clients are compared and counted.

Sources: RFC 6749 2.3.1 (client ids in Basic credentials are percent-encoded).
"""

from urllib.parse import unquote


def account_name(typed: str) -> str:
    """Return a login as it is stored, looked up and counted: without blanks around it, without case."""
    return typed.strip().casefold()


def client_name(claimed: str) -> str:
    """Return a client id as failures are counted under it; it is looked up as it was registered, to the letter."""
    return claimed.strip().casefold()


def decoded(part: str) -> str:
    """Return one half of Basic credentials as the client meant it; a client that encodes nothing is understood too."""
    return unquote(part)
