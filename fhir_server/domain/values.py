"""Types that every part of the server shares; they say what a value is where `dict` or `str` would not.

Source: https://hl7.org/fhir/R4/json.html (the JSON representation of resources).
"""

from typing import Any, NewType

from consent_rules.vocabulary import Code

Json = dict[str, Any]
"""A JSON object, read and not yet judged: a resource, an element of one, a document of the authorization server.

Names are FHIR's or the protocol's own. Values are what orjson gives: objects as `Json`, arrays as `list`, and strings,
numbers, booleans and `None` as they are.
"""

ClientId = NewType("ClientId", str)
"""The id of an app or of software, as registered; never its name."""
GrantId = NewType("GrantId", str)
"""The id of a grant; a person's session on our pages has one too."""


class Interaction(Code):
    """What a caller does: codes of http://hl7.org/fhir/restful-interaction, then acts at the authorization server."""

    READ = "read"
    VREAD = "vread"
    HISTORY = "history-instance"
    CREATE = "create"
    UPDATE = "update"
    PATCH = "patch"
    DELETE = "delete"
    SEARCH = "search-type"
    TRANSACTION = "transaction"
    BATCH = "batch"
    OPERATION = "operation"
    LOGIN = "login"
    LOGOUT = "logout"
    AUTHORIZE = "authorize"
    TOKEN = "token"  # noqa: S105 - a token is issued
    REVOKE = "revoke"
