"""Limits of forms and addresses of the authorization server, checked before they are parsed."""

from flask import abort, request

from fhir_server.oauth.base.wire import PARAMETER_LIMIT
from fhir_server.settings import limits

FORM = "application/x-www-form-urlencoded"
_PAGE_FIELDS = 1000
"""Fields that a page's form may have: the consent page lists 200 documents and their kinds."""


def bound_machine_request() -> None:
    """Limit the size of a request to a machine endpoint.

    Raises: HTTPException 400, 413 or 414.
    """
    _bound(PARAMETER_LIMIT)


def bound_page_request() -> None:
    """Limit the size of a request to a page.

    Raises: HTTPException 400, 413 or 414.
    """
    _bound(_PAGE_FIELDS)


def _bound(fields: int) -> None:
    most = limits.in_force().form_bytes
    request.max_content_length = request.max_form_memory_size = most
    request.max_form_parts = fields
    if len(request.query_string) > most:
        abort(414)
    if request.query_string.count(b"&") >= fields:
        abort(400)
    if request.mimetype == FORM and request.get_data(cache=True).count(b"&") >= fields:
        abort(400)
