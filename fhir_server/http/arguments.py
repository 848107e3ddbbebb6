"""One parameter or one header of a request, as every request is asked for a dozen that it does not have.

The framework raises and catches an exception for each that is missing.
"""

from flask import request


def argument(name: str) -> str:
    """Return the first value of a parameter of the URL, "" when there is none."""
    sent = request.args
    return sent[name] if name in sent else ""  # noqa: SIM401 - `get` raises inside


def header(name: str) -> str:
    """Return a header, "" when there is none; not for Content-Type and Content-Length, which WSGI keeps elsewhere."""
    value: str = request.environ.get(f"HTTP_{name.upper().replace('-', '_')}", "")
    return value
