"""The authenticated party of one HTTP request, and what was granted to it. Only this module builds a `Caller`."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from consent_rules.model import Requester
from consent_rules.scopes import Scopes
from consent_rules.vocabulary import NO_SPACE, PatientId, Purpose, RequesterKind
from fhir_server.domain.supervision import NO_SUPERVISION, Supervision
from fhir_server.domain.values import ClientId, GrantId

NO_GRANT = GrantId("")
"""The grant id of a caller who is only named by an event or a command, and who may read nothing."""
SERVER = ClientId("habilis")
"""Client id of this server itself: of its pages for signing in, and of its operator's commands."""


_PURPOSES = {purpose.value: purpose for purpose in Purpose}


def purpose_of(code: str) -> Purpose:
    """Return the purpose of a stored code: OTHER for one that the rules do not know, as a later version may store."""
    return _PURPOSES.get(code, Purpose.OTHER)


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


@dataclass(frozen=True, slots=True)
class Login:
    """How a person proved who they are: at which time, how strongly, in which session.

    provider: id of the upstream provider, "" for a local login. roles: the practice situations that the provider
    confirms; the person may use only those of the account. generation: of the account at the time of the login.
    """

    at: datetime | None = None
    acr: str = ""
    amr: tuple[str, ...] = ()
    session: str = ""
    provider: str = ""
    roles: tuple[str, ...] = ()
    generation: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What was granted: to whom, through which app, for which purpose and patient. Every `Grant` is one.

    id: of the grant, of the session on our pages, or NO_GRANT.
    client_name, display: names for the audit log and pages.
    launch_patient: id of the one patient of `patient/` scopes, NO_SPACE for none.
    proof: how the person logged in; empty when nobody logged in.
    withheld: app exclusions: documents that the person withholds from the app; nobody else is told, not even the app.
    """

    id: GrantId
    client_id: ClientId
    client_name: str = ""
    requester: Requester
    purpose: Purpose
    display: str = ""
    organization_display: str = ""
    launch_patient: PatientId = NO_SPACE
    proof: Login = field(default_factory=Login)
    withheld: AppExclusions = field(default_factory=AppExclusions)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one HTTP request came from: the network address of the client, and the id of the request."""

    address: str = ""
    request_id: str = ""


_NOWHERE = Origin()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, with which scopes and in which context; built from the current state of the access token.

    scopes: of the token, which may be narrower than those of the grant.
    token_id: random name of the token, safe for logs (never the token itself).
    in_lockdown: whether the server was locked down to emergencies when the request began.
    supervision: the suspensions and registered exceptions when the request began.
    """

    granted: Granted
    scopes: Scopes
    token_id: str
    origin: Origin = _NOWHERE
    in_lockdown: bool = False
    supervision: Supervision = NO_SUPERVISION

    @property
    def requester(self) -> Requester:
        """The facts about the caller on which the rules decide."""
        return self.granted.requester

    @property
    def purpose(self) -> Purpose:
        """Why the caller asks."""
        return self.granted.purpose

    @property
    def launch_patient(self) -> PatientId | None:
        """The id of the one patient of `patient/` scopes."""
        return self.granted.launch_patient or None

    @classmethod
    def of_token(
        cls, granted: Granted, token_id: str, scopes: str, origin: Origin = _NOWHERE, *, in_lockdown: bool = False
    ) -> Self:
        """Return the caller of a request with a token of a grant."""
        return cls(granted, Scopes.parse(scopes), token_id, origin, in_lockdown)

    @classmethod
    def of_page(
        cls,
        granted: Granted,
        scopes: Scopes,
        origin: Origin,
        *,
        in_lockdown: bool,
        supervision: Supervision = NO_SUPERVISION,
    ) -> Self:
        """Return a person on a page of this server, without a token: the id of the session stands for it."""
        return cls(granted, scopes, granted.id, origin, in_lockdown, supervision)

    @classmethod
    def of_event(cls, requester: Requester, client_id: ClientId, display: str, origin: Origin) -> Self:
        """Return a caller who is only named by an event of the authorization server, and may read nothing."""
        is_professional = requester.kind is RequesterKind.PROFESSIONAL
        purpose = Purpose.TREATMENT if is_professional else Purpose.PATIENT_REQUEST
        granted = Granted(id=NO_GRANT, client_id=client_id, requester=requester, purpose=purpose, display=display)
        return cls(granted, Scopes(), "", origin)

    @classmethod
    def of_server(cls) -> Self:
        """Return the server itself, as the caller for what happens by time alone."""
        return cls.of_operator("Habilis")

    @classmethod
    def of_operator(cls, by: str) -> Self:
        """Return the caller of a command. by: who runs the command, as "account@machine" or by the given name."""
        requester = Requester(RequesterKind.SYSTEM, client=f"Device/{SERVER}")
        granted = Granted(
            id=NO_GRANT,
            client_id=SERVER,
            client_name=by,
            requester=requester,
            purpose=Purpose.ADMINISTRATION,
            display=by,
        )
        return cls(granted, Scopes(), "")

    def through(self, client_id: ClientId, client_name: str) -> Self:
        """Return the same caller with another client in the audit log, as for a demonstration on our pages."""
        return replace(self, granted=replace(self.granted, client_id=client_id, client_name=client_name))
