"""The authenticated party of one HTTP request."""

from dataclasses import dataclass
from datetime import datetime

from consent_rules.model import Requester
from consent_rules.scopes import Scopes


@dataclass(frozen=True, slots=True)
class AppExclusions:
    """The documents that a person excludes from one of their own apps.

    documents: ids of DocumentReferences; families: the search tokens of replacement chains; kinds: kinds of documents,
    as in AccessFacts.
    """

    documents: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether anything is excluded."""
        return bool(self.documents or self.kinds)


_NOTHING = AppExclusions()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, with which scopes and in which context; built from the current state of the access token.

    token_id: random name of the token, safe for logs (never the token itself). grant_id: its grant.
    client_name, display: names for the audit log and pages. launch_patient: id of the one patient of `patient/` scopes.
    address: network address of the client. request_id: of this HTTP request.
    app_exclusions: documents that the person excludes from this app.
    level, logged_in_at: how strongly and when the person proved who they are; "" and None when nobody logged in.
    in_lockdown: whether the server was locked down to emergencies when the request began.
    """

    requester: Requester
    scopes: Scopes
    token_id: str
    grant_id: str
    client_id: str
    client_name: str = ""
    display: str = ""
    organization_display: str = ""
    launch_patient: str = ""
    purpose: str = "TREAT"
    address: str = ""
    request_id: str = ""
    level: str = ""
    logged_in_at: datetime | None = None
    app_exclusions: AppExclusions = _NOTHING
    in_lockdown: bool = False
