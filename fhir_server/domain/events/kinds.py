"""The kinds of events: what can happen to a space, a document, a choice, an account, an app, or the service.

An act has a kind of its own where a person would call it by a name of its own. Reading, searching and writing
resources has one kind for each interaction; the type of the resource is beside it.
Source: docs/adr/0073-one-row-for-each-kind-of-event.md; https://hl7.org/fhir/R4/http.html for the interactions.
"""

from consent_rules.vocabulary import Code


class EventKind(Code):
    """What happened, or what somebody wanted to do when the outcome is a refusal or a failure."""

    RESOURCE_READ = "resource-read"
    RESOURCE_VERSION_READ = "resource-version-read"
    RESOURCE_HISTORY_READ = "resource-history-read"
    RESOURCES_SEARCHED = "resources-searched"
    RESOURCE_CREATED = "resource-created"
    RESOURCE_UPDATED = "resource-updated"
    RESOURCE_PATCHED = "resource-patched"
    RESOURCE_DELETED = "resource-deleted"
    REQUESTS_SENT = "requests-sent"
    OPERATION_CALLED = "operation-called"

    DOCUMENT_OPENED = "document-opened"
    DOCUMENTS_PUBLISHED = "documents-published"
    DOCUMENT_PUBLISHED = "document-published"
    DOCUMENT_REPLACED = "document-replaced"
    DOCUMENT_CHANGED = "document-changed"
    DOCUMENT_HIDDEN = "document-hidden"
    DOCUMENT_SHOWN = "document-shown"
    DOCUMENT_RELEASED = "document-released"
    DOCUMENT_ARCHIVED = "document-archived"
    DOCUMENT_UNARCHIVED = "document-unarchived"
    DOCUMENT_WITHDRAWN = "document-withdrawn"
    DOCUMENT_AUDIENCE_READ = "document-audience-read"

    CHOICE_RECORDED = "choice-recorded"
    CHOICE_CHANGED = "choice-changed"
    CHOICE_REVOKED = "choice-revoked"
    CONSENT_GIVEN = "consent-given"
    CONSENT_REVOKED = "consent-revoked"
    PROFESSIONAL_BLOCKED = "professional-blocked"
    PROFESSIONAL_UNBLOCKED = "professional-unblocked"
    DOCUMENTS_WITHHELD = "documents-withheld"
    PHYSICIAN_DECLARED = "physician-declared"
    PHYSICIAN_UNDECLARED = "physician-undeclared"
    ADMINISTRATOR_NAMED = "administrator-named"
    ADMINISTRATOR_REMOVED = "administrator-removed"
    GUARDIAN_RECORDED = "guardian-recorded"
    GUARDIAN_REMOVED = "guardian-removed"
    CARER_NAMED = "carer-named"
    CARER_REMOVED = "carer-removed"
    SWITCH_SET = "switch-set"
    CHOICES_REPAIRED = "choices-repaired"

    SPACE_CREATED = "space-created"
    SPACE_ANNOUNCED = "space-announced"
    SPACE_OPPOSED = "space-opposed"
    SPACE_OPENED = "space-opened"
    SPACE_SUSPENDED = "space-suspended"
    SPACE_CLOSED = "space-closed"
    ERASURE_REQUESTED = "erasure-requested"
    SPACE_ERASED = "space-erased"
    DEATH_RECORDED = "death-recorded"
    SPACE_STATUS_READ = "space-status-read"

    GLASS_BROKEN = "glass-broken"
    REGULATION_OPENED = "regulation-opened"
    ACCESS_CONTESTED = "access-contested"
    ACCESS_REVIEWED = "access-reviewed"
    REVIEW_QUEUE_READ = "review-queue-read"
    REVIEW_STATUS_READ = "review-status-read"
    DECISION_EXPLAINED = "decision-explained"

    SIGNED_IN = "signed-in"
    SIGNED_OUT = "signed-out"
    SIGN_IN_LINKED = "sign-in-linked"
    APP_LET_IN = "app-let-in"
    APP_CUT = "app-cut"
    TOKEN_ISSUED = "token-issued"  # noqa: S105 - a name

    ACCOUNT_ADDED = "account-added"
    ACCOUNT_CHANGED = "account-changed"
    ACCOUNT_DISABLED = "account-disabled"
    ACCOUNT_ENABLED = "account-enabled"
    ACCOUNT_INVITED = "account-invited"
    PASSWORD_SET = "password-set"  # noqa: S105 - a name
    CODE_GENERATOR_SET = "code-generator-set"
    PASSKEY_ADDED = "passkey-added"
    PASSKEY_REMOVED = "passkey-removed"
    FACTORS_RESET = "factors-reset"
    ENROLMENT_CODE_ISSUED = "enrolment-code-issued"

    CLIENT_REGISTERED = "client-registered"
    CLIENT_CHANGED = "client-changed"
    CLIENT_REMOVED = "client-removed"
    CLIENT_DISABLED = "client-disabled"
    CLIENT_ENABLED = "client-enabled"
    CLIENT_REKEYED = "client-rekeyed"

    DATA_KEY_ROTATED = "data-key-rotated"
    SIGNING_KEY_ROTATED = "signing-key-rotated"
    SERVICE_BACKED_UP = "service-backed-up"
    SERVICE_RESTORED = "service-restored"
    MESSAGE_RETRIED = "message-retried"
    MESSAGE_DROPPED = "message-dropped"
    LOCKDOWN_BEGUN = "lockdown-begun"
    LOCKDOWN_ENDED = "lockdown-ended"
