"""What a person is asked next, and what each answer does.

Steps: login, second-factor, capacity, patient, emergency, consent. Each is a page of http/pages_oauth.py.
Sources: SMART App Launch 2.2 (patient selection); RFC 9470 (levels); rules G1 to G8 for emergencies.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate

from fhir_server.application import finding
from fhir_server.application.accounts import Account, authenticate, find_account
from fhir_server.application.parties import Login
from fhir_server.application.runtime import Runtime
from fhir_server.domain.patient_numbers import INS_SYSTEMS
from fhir_server.oauth import events, interactions, passkeys, sessions, throttle, totp
from fhir_server.oauth.authorization import Refusal
from fhir_server.oauth.interactions import SELF, Interaction
from fhir_server.oauth.issuer import LEVELS, is_strong_enough
from fhir_server.oauth.throttle import Attempt
from fhir_server.oauth.wire import Context

_GROUPS = (1, 2, 2, 2, 3, 3, 2)
"""Digits in the groups of a national health identity number: sex, year, month, department, commune, order, key."""
REASON_LIMIT = 500
Proven = tuple[Account, tuple[str, ...]]
"""An account, and by which means the person has proven to be its owner."""
REASONS = ("unconscious", "life-threatening", "no-consent-possible")


@dataclass(frozen=True, slots=True)
class Turn:
    """The outcome of one answer. cookie: of a new session, "" for none. complaint: what the page says is wrong."""

    interaction: Interaction
    cookie: str = ""
    complaint: str = ""


def next_step(runtime: Runtime, interaction: Interaction) -> tuple[str, Interaction]:
    """Return the step to show, after making the choices that leave no choice.

    Raises: Refusal when the conversation cannot end in a grant.
    """
    if interaction.pending:
        waiting = find_account(runtime, interaction.pending)
        if waiting and not waiting.disabled and interaction.proof.is_of(waiting):
            return "second-factor", interaction
        interaction = replace(interaction, pending="", proof=Login())  # changed since: they begin again
    if interactions.needs_login(runtime, interaction):
        return "login", interaction
    account, client = interactions.account_of(runtime, interaction), interactions.client_of(runtime, interaction)
    if account is None or client is None:
        raise Refusal(interaction.asked, "access_denied")
    _demand_level(interaction)
    settled = _settle_capacity(interaction, account, interactions.capacities(account, client))
    settled = _settle_patient(settled, account)
    return _choice_left(settled), settled


def _choice_left(settled: Interaction) -> str:
    if not settled.capacity:
        return "capacity"
    if interactions.needs_patient(settled) and not settled.patient:
        return "patient"
    return "emergency" if settled.asked.is_emergency and not settled.reason else "consent"


def _demand_level(interaction: Interaction) -> None:
    wanted = LEVELS[1] if interaction.asked.is_emergency else interactions.wanted_level(interaction)
    if not is_strong_enough(interaction.proof.acr, wanted):
        raise Refusal(interaction.asked, "unmet_authentication_requirements")


def _settle_capacity(interaction: Interaction, account: Account, choices: Mapping[str, str]) -> Interaction:
    asked = interaction.asked
    if not choices or not interactions.is_for(asked, account):
        raise Refusal(asked, "access_denied", "this app is not for this person")
    if asked.is_emergency and SELF in choices:
        raise Refusal(asked, "access_denied", "this app is not for this person")
    if interaction.capacity in choices:
        return interaction
    return replace(interaction, capacity=next(iter(choices)) if len(choices) == 1 else "")


def _settle_patient(interaction: Interaction, account: Account) -> Interaction:
    """Take the only patient of a person who acts for nobody else."""
    if interaction.patient or interaction.capacity != SELF or not interactions.needs_patient(interaction):
        return interaction
    choices = interactions.patients_of(account)
    if len(choices) != 1:
        return interaction
    only = next(iter(choices))
    return replace(interaction, patient=only, patient_label=choices[only])


def with_session(context: Context, interaction: Interaction, cookie: str) -> Interaction:
    """Let a live login session stand for a login."""
    session = sessions.find_session(context.runtime, context.options, cookie)
    if session is None:
        return interaction
    return replace(interaction, login=session.account.login, proof=session.proof)


def answer(context: Context, interaction: Interaction, step: str, form: Mapping[str, str]) -> Turn:
    """Take a person's answer to the step that is being shown; anything else changes nothing."""
    act = _ANSWERS.get(step)
    return act(context, interaction, form) if act else Turn(interaction)


def log_in(context: Context, login: str, password: str, client_id: str, *, emergency: bool = False) -> Account | None:
    """Check a password, count failures and leave a trace.

    emergency: the login is on the way to an emergency access, which has a budget of failures of its own.
    Raises: TooManyFailuresError.
    """
    attempt = Attempt(throttle.ACCOUNT, login, emergency)
    throttle.check(context, attempt)
    account = authenticate(context.runtime, login, password)
    if account is None:
        throttle.failed(context, attempt)
        events.login_failed(context, client_id, "bad-credentials")
    return account


def prove_second(
    context: Context, attempt: Attempt, form: Mapping[str, str], place: str, client_id: str
) -> Proven | None:
    """Check a second factor, count failures and leave a trace.

    attempt: whose factor it is. place: for which a passkey was challenged.
    Raises: TooManyFailuresError; never to somebody whose passkey proves them.
    """
    account = find_account(context.runtime, attempt.name)
    owner = None if account is None or account.disabled else account
    means = _second_means(context, owner, attempt, form, place)
    if owner is None or not means:
        throttle.failed(context, attempt)
        events.login_failed(context, client_id, "bad-second-factor")
        return None
    throttle.succeeded(context, attempt)
    return owner, ("pwd", means)


def _second_means(
    context: Context, owner: Account | None, attempt: Attempt, form: Mapping[str, str], place: str
) -> str:
    """Return by what a form proves the second factor, in the words of RFC 8176; "" when it does not.

    A passkey cannot be guessed, so that it is tried before failures are counted; a code can.
    """
    runtime, credential = context.runtime, form.get("credential", "")
    if owner and credential and passkeys.is_proven(runtime, owner, place, credential):
        return "pop"
    throttle.check(context, attempt)
    return "otp" if owner and not credential and totp.is_right(runtime, owner, form.get("code", "")) else ""


def begin_session(context: Context, account: Account, amr: tuple[str, ...], client_id: str) -> tuple[str, Login]:
    """Start a session after all factors and return its cookie and proof."""
    throttle.succeeded(context, Attempt(throttle.ACCOUNT, account.login))
    return begin_proven(context, account, Login(acr=LEVELS[1] if len(amr) > 1 else LEVELS[0], amr=amr), client_id)


def begin_proven(context: Context, account: Account, proof: Login, client_id: str) -> tuple[str, Login]:
    """Start a session of somebody who has proven who they are, here or to a provider upstream."""
    throttle.remember_place(context, account.login)
    cookie = sessions.start(context.runtime, context.options, account, proof)
    events.login_happened(context, account, client_id)
    session = sessions.find_session(context.runtime, context.options, cookie)
    return cookie, session.proof if session else Login()


def _login(context: Context, interaction: Interaction, form: Mapping[str, str]) -> Turn:
    asked = interaction.asked
    account = log_in(
        context, form.get("login", ""), form.get("password", ""), asked.client_id, emergency=asked.is_emergency
    )
    if account is None:
        return Turn(interaction, complaint="wrong")
    if passkeys.has_second_factor(context.runtime, account):
        begun = Login(generation=account.generation)  # a change meanwhile makes this password worth nothing
        return Turn(replace(interactions.lasting(context, interaction), login="", pending=account.login, proof=begun))
    return _logged_in(context, interaction, account, ("pwd",))


def _second_factor(context: Context, interaction: Interaction, form: Mapping[str, str]) -> Turn:
    asked = interaction.asked
    attempt = Attempt(throttle.SECOND_FACTOR, interaction.pending, asked.is_emergency)
    proven = prove_second(context, attempt, form, interaction.id, asked.client_id)
    if proven is None or not interaction.proof.is_of(proven[0]):
        return Turn(interaction, complaint="wrong")
    return _logged_in(context, interaction, *proven)


def _logged_in(context: Context, interaction: Interaction, account: Account, amr: tuple[str, ...]) -> Turn:
    lasting = interactions.lasting(context, interaction)
    return go_on(lasting, account, begin_session(context, account, amr, interaction.asked.client_id))


def go_on(interaction: Interaction, account: Account, begun: tuple[str, Login]) -> Turn:
    """Go on as whoever has just logged in; choices made by somebody else are forgotten. begun: cookie and proof."""
    cookie, proof = begun
    patient = interaction.asked.patient
    known = replace(
        interaction, login=account.login, proof=proof, pending="", capacity="", patient=patient, reason="", fresh=True
    )
    return Turn(known, cookie)


def _capacity(context: Context, interaction: Interaction, form: Mapping[str, str]) -> Turn:
    account, client = (
        interactions.account_of(context.runtime, interaction),
        interactions.client_of(context.runtime, interaction),
    )
    choices = interactions.capacities(account, client) if account and client else {}
    chosen = form.get("capacity", "")
    return Turn(replace(interaction, capacity=chosen)) if chosen in choices else Turn(interaction, complaint="wrong")


def _patient(context: Context, interaction: Interaction, form: Mapping[str, str]) -> Turn:
    account = interactions.account_of(context.runtime, interaction)
    if account is None:
        return Turn(interaction, complaint="wrong")
    if interaction.capacity == SELF:
        choices = interactions.patients_of(account)
        chosen = form.get("patient", "")
        if chosen not in choices:
            return Turn(interaction, complaint="wrong")
        return Turn(replace(interaction, patient=chosen, patient_label=choices[chosen]))
    return _sought(context, interaction, form.get("identifier", "").replace(" ", ""))


def _sought(context: Context, interaction: Interaction, typed: str) -> Turn:
    """Find a patient by the exact identity number; nothing of the identity is shown in return."""
    attempt = Attempt(throttle.PATIENT_SEARCH, interaction.login, interaction.asked.is_emergency)
    throttle.check(context, attempt)
    with context.runtime.ports.store.snapshot() as snapshot:
        found = next(filter(None, (finding.identify(snapshot, system, typed) for system in INS_SYSTEMS)), "")
    if not found:
        throttle.failed(context, attempt)
        return Turn(interaction, complaint="wrong")
    return Turn(replace(interaction, patient=found, patient_label=_grouped(typed)))


def _grouped(typed: str) -> str:
    """Write the number that a person typed as it is written on a card, so that they see whom they named."""
    if len(typed) != sum(_GROUPS):
        return typed
    ends = tuple(accumulate(_GROUPS))
    return " ".join(typed[end - size : end] for size, end in zip(_GROUPS, ends, strict=True))


def _emergency(_context: Context, interaction: Interaction, form: Mapping[str, str]) -> Turn:
    code, text = form.get("reason", ""), form.get("explanation", "").strip()
    if code not in REASONS or not text or len(text) > REASON_LIMIT or form.get("confirmed") != "yes":
        return Turn(interaction, complaint="wrong")
    return Turn(replace(interaction, reason=f"{code}: {text}"))


_ANSWERS: dict[str, Callable[[Context, Interaction, Mapping[str, str]], Turn]] = {
    "login": _login,
    "second-factor": _second_factor,
    "capacity": _capacity,
    "patient": _patient,
    "emergency": _emergency,
}
