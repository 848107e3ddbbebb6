"""One conversation with a person on the way to a grant: the request, the person, the choices.

The vault keeps it, and a cookie binds it to one browser; the server reads nothing but choices from the browser.
Sources: RFC 9700 4.7 and 4.16; SMART App Launch 2.2.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest

import msgspec
import orjson

from consent_rules.vocabulary import NO_SPACE, PatientId, RequesterKind
from fhir_server.application.core import lockdown
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.directory.professionals import situations_of
from fhir_server.application.identity import accounts, clients
from fhir_server.application.identity.accounts import Account, Grantee, PractitionerRoleRef
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.domain.caller import Login
from fhir_server.oauth.authorize.authorization import AuthorizationRequest, Refusal
from fhir_server.oauth.base.issuer import is_strong_enough
from fhir_server.oauth.base.wire import Context
from fhir_server.oauth.login import sessions, throttle
from fhir_server.ports.vault import Secret
from fhir_server.registry import PATIENT

KIND = "interaction"
EMERGENCY_LOGIN_SECONDS = 300
CROWDED = timedelta(minutes=3)
"""How long a new emergency is kept before the person signs in, when too many have begun at one address."""
SELF = "self"


@dataclass(frozen=True, slots=True)
class PendingAuthorization:
    """The state of one conversation.

    browser: SHA-256 of the cookie that binds it. login: who logged in, "" before. pending: who still has to give a
        second factor. capacity: "role:<PractitionerRole/…>" or "self". patient: id of the chosen one.
    reason: why an emergency is declared. fresh: whether the person logged in within this conversation.
    """

    id: str
    browser: str
    csrf: str
    asked: AuthorizationRequest
    login: str = ""
    proof: Login = field(default_factory=Login)
    pending: str = ""
    capacity: str = ""
    patient: PatientId = NO_SPACE
    patient_label: str = ""
    reason: str = ""
    fresh: bool = False
    revision: int = 1
    expires: datetime | None = None


_DECODER = msgspec.json.Decoder(PendingAuthorization)


def begin(context: Context, asked: AuthorizationRequest, browser: str) -> PendingAuthorization:
    """Return a conversation with the browser that has a cookie ("" for none); it is not stored yet."""
    ids, now = context.runtime.ports.ids, context.runtime.ports.clock.now()
    expires = now + context.options.interaction_lifetime
    return PendingAuthorization(
        ids.new(), hash_of(browser) if browser else "", ids.secret(), asked, patient=asked.patient, expires=expires
    )


def keep(context: Context, begun: PendingAuthorization) -> None:
    """Store a conversation that has begun; only briefly, when it is one of too many emergencies at this address.

    Raises: Refusal when too many others have begun there. Conversations of signed-in persons are not counted.
    """
    emergency = begun.asked.is_emergency
    if not begun.login and not throttle.begin(context, emergency=emergency):
        if not emergency:
            text = "too many sign-ins have begun from this address; try again in a few minutes"
            raise Refusal(begun.asked, "temporarily_unavailable", text)
        begun = replace(begun, expires=context.runtime.ports.clock.now() + CROWDED)
    context.runtime.ports.vault.add(Secret(KIND, begun.id, _dump(begun), expires=begun.expires))


def lasting(context: Context, interaction: PendingAuthorization) -> PendingAuthorization:
    """Return a conversation with its full lifetime from now on, because the person has signed in."""
    return replace(interaction, expires=context.runtime.ports.clock.now() + context.options.interaction_lifetime)


def load(runtime: Runtime, id_: str, browser: str) -> PendingAuthorization | None:
    """Return a conversation of this browser."""
    entry = runtime.ports.vault.get(KIND, id_, runtime.ports.clock.now())
    if entry is None:
        return None
    found = replace(_DECODER.decode(entry.value), revision=entry.revision)
    return found if compare_digest(found.browser, hash_of(browser)) else None


def load_unbound(runtime: Runtime, id_: str) -> PendingAuthorization | None:
    """Return a conversation that is not bound to a browser yet."""
    entry = runtime.ports.vault.get(KIND, id_, runtime.ports.clock.now())
    found = replace(_DECODER.decode(entry.value), revision=entry.revision) if entry else None
    return found if found and not found.browser else None


def bind(free: PendingAuthorization, browser: str) -> PendingAuthorization:
    """Return a conversation bound to one browser."""
    return replace(free, browser=hash_of(browser))


def save(runtime: Runtime, changed: PendingAuthorization) -> bool:
    """Store the next state; return False when another request changed it first."""
    entry = Secret(KIND, changed.id, _dump(changed), revision=changed.revision, expires=changed.expires)
    return runtime.ports.vault.replace(entry)


def finish(runtime: Runtime, interaction: PendingAuthorization) -> bool:
    """End a conversation; exactly one of several concurrent callers gets True."""
    return runtime.ports.vault.take(KIND, interaction.id, runtime.ports.clock.now()) is not None


def hash_of(browser: str) -> str:
    """Return the hash that is stored instead of the browser's cookie."""
    return sha256(browser.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class LiveState:
    """What a conversation depends on, as it is at one request. Each request looks it up once and anew.

    client: None when it is no longer in use. account: who logged in, with the practice situations that hold now and
        that the login confirms; None when nobody did, or the account has changed since. has_session: whether the
        session of the login is alive. in_lockdown: whether the server lets nothing through but emergencies.
    """

    client: Client | None
    account: Account | None
    has_session: bool
    in_lockdown: bool


def look_up(runtime: Runtime, interaction: PendingAuthorization) -> LiveState:
    """Look up what a conversation depends on. One read of the vault."""
    names = (
        clients.entry_name(interaction.asked.client_id),
        accounts.entry_name(interaction.login),
        sessions.entry_name(interaction.proof),
        lockdown.NAME,
    )
    client, account, session, stop = runtime.ports.vault.get_all(names, runtime.ports.clock.now())
    person = _confirmed(runtime, interaction.proof, accounts.of_entry(account))
    return LiveState(clients.of_entry(client), person, session is not None, stop is not None)


def _confirmed(runtime: Runtime, proof: Login, account: Account | None) -> Account | None:
    """Return an account with the practice situations that hold now and that a login confirms."""
    if account is None or account.disabled or not account.is_unchanged_since(proof):
        return None
    return replace(account, practices=situations_of(runtime, account)).as_confirmed_by(proof)


def needs_login(runtime: Runtime, interaction: PendingAuthorization, live: LiveState) -> bool:
    """Tell whether the person must log in (again): no login, a logout, or a login that is too weak or too old."""
    asked, at = interaction.asked, interaction.proof.at
    if not interaction.login or at is None or not live.has_session:
        return True
    if interaction.fresh:
        return False
    limit = EMERGENCY_LOGIN_SECONDS if asked.is_emergency else asked.max_age
    too_old = limit is not None and (runtime.ports.clock.now() - at).total_seconds() > limit
    return too_old or "login" in asked.prompt.split() or not reaches(interaction)


def is_for(asked: AuthorizationRequest, account: Account) -> bool:
    """Tell whether a request is for this person: an EHR launch names the person it was made for."""
    return not asked.launch_login or asked.launch_login in {account.login, account.national_id}


def wanted_level(interaction: PendingAuthorization) -> str:
    """Return the level to ask for: the weakest acceptable one; emergencies ask for a substantial level."""
    wanted = interaction.asked.acr_values.split()
    known = sorted(value for value in wanted if is_strong_enough(value, value))
    return known[0] if known else ""


def reaches(interaction: PendingAuthorization) -> bool:
    """Tell whether the login is strong enough for the request."""
    return is_strong_enough(interaction.proof.acr, wanted_level(interaction))


def capacities(account: Account, client: Client) -> dict[str, str]:
    """Return the capacities that a person can choose for this kind of app, key to label."""
    found: dict[str, str] = {}
    if client.kind is not ClientKind.PATIENT_APP:
        found |= {f"role:{p.role}": p.label or p.organization_display for p in account.practices}
    if client.kind is ClientKind.PATIENT_APP and (account.patients or account.person.startswith("Patient/")):
        found[SELF] = account.display
    if client.kind is ClientKind.PROFESSIONAL_APP and account.kind is RequesterKind.AUDITOR:
        found[SELF] = account.display
    return found


def practice_of(account: Account, capacity: str) -> PractitionerRoleRef | None:
    """Return the practice situation of a capacity."""
    return next((p for p in account.practices if capacity == f"role:{p.role}"), None)


def needs_patient(interaction: PendingAuthorization) -> bool:
    """Tell whether the app needs one patient in context: it asked for one, or a patient/ scope implies it."""
    words = interaction.asked.scope.split()
    return "launch/patient" in words or interaction.asked.is_emergency or any(w.startswith("patient/") for w in words)


def patients_of(account: Account) -> dict[PatientId, str]:
    """Return the patients for whom a person may act, id to label."""
    found = {represented.patient: represented.label for represented in account.patients}
    type_, _, own = account.person.partition("/")
    return {PatientId(own): account.display, **found} if type_ == PATIENT else found


def party_of(interaction: PendingAuthorization, live: LiveState) -> Grantee | None:
    """Return who will get the grant, None while it is not known."""
    if live.client is None or live.account is None:
        return None
    return Grantee(
        live.client, live.account, practice_of(live.account, interaction.capacity), interaction.patient or None
    )


def _dump(interaction: PendingAuthorization) -> bytes:
    return orjson.dumps(interaction)
