"""The one exception of the server: a category, a text, and the element at fault.

`http/fhir/outcomes.py` holds the only table from category to HTTP status and OperationOutcome.
"""

from dataclasses import dataclass
from enum import StrEnum


class Category(StrEnum):
    """The categories of failures for a caller, a closed set."""

    MALFORMED = "malformed"
    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    INSUFFICIENT_SCOPE = "insufficient-scope"
    FORBIDDEN = "forbidden"
    CONSENT_REQUIRED = "consent-required"
    NOT_FOUND = "not-found"
    DELETED = "deleted"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    IMMUTABLE_ELEMENT = "immutable-element"
    NOT_ACCEPTABLE = "not-acceptable"
    UNSUPPORTED_MEDIA = "unsupported-media"
    UNSUPPORTED = "unsupported"
    MULTIPLE_MATCHES = "multiple-matches"
    VERSION_CONFLICT = "version-conflict"
    DUPLICATE = "duplicate"
    BUSINESS_RULE = "business-rule"
    TOO_LARGE = "too-large"
    TOO_MANY = "too-many"
    TOO_COSTLY = "too-costly"
    TOO_SLOW = "too-slow"
    URL_TOO_LONG = "url-too-long"
    HEADERS_TOO_LARGE = "headers-too-large"
    OUT_OF_TIME = "out-of-time"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Issue:
    """One fault of a request.

    text: lower case, no final stop, never an identity trait or the content of a stored resource.
    expression: FHIRPath of the element, such as "Bundle.entry[1].resource.content[0].attachment.hash"; "" when none.
    code: a machine-readable code for OperationOutcome.issue.details, "" when none.
    """

    text: str
    expression: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class RequiredLogin:
    """The login that would be enough. level: an `acr` value, None for any; max_age: seconds, None for any age."""

    level: str | None = None
    max_age: int | None = None


class Problem(Exception):
    """A request that cannot be fulfilled; it carries every fault found, not just the first.

    login: the login that the person must repeat, None when that would not help. retry_after: seconds, None when it is
    not known when the same request would be fulfilled.
    """

    def __init__(
        self,
        category: Category,
        *issues: Issue,
        login: RequiredLogin | None = None,
        retry_after: int | None = None,
    ) -> None:
        """Keep the category and the faults."""
        super().__init__(category.value)
        self.category = category
        self.issues = issues
        self.login = login
        self.retry_after = retry_after

    @classmethod
    def of(cls, category: Category, text: str, expression: str = "", code: str = "") -> "Problem":
        """Build a problem with one fault."""
        return cls(category, Issue(text, expression, code))
