"""The next question to a person, and the effect of each answer.

Steps: login, second-factor, capacity, patient, emergency, consent. http/pages/sign_in/authorize.py has a page for each.
Sources: SMART App Launch 2.2 (patient selection); RFC 9470 (levels); rules G1 to G8 for emergencies.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate

from consent_rules.vocabulary import PatientId
from fhir_server.application.core import search_index
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity.accounts import Account, find_account
from fhir_server.domain.caller import Login
from fhir_server.domain.commands import query
from fhir_server.domain.directory.patient_numbers import INS_SYSTEMS
from fhir_server.oauth.authorize import interactions
from fhir_server.oauth.authorize.authorization import Refusal
from fhir_server.oauth.authorize.interactions import SELF, LiveState, PendingAuthorization
from fhir_server.oauth.base.issuer import LEVELS, is_strong_enough
from fhir_server.oauth.base.wire import Context
from fhir_server.oauth.login import passkeys, sessions, throttle
from fhir_server.oauth.login.sign_in import begin_session, log_in, prove_second
from fhir_server.oauth.login.throttle import Attempt

_GROUPS = (1, 2, 2, 2, 3, 3, 2)
"""Groups of digits in a national health identity number: sex, year, month, department, commune, order, key."""
REASON_LIMIT = 500
REASONS = ("unconscious", "life-threatening", "no-consent-possible")


@dataclass(frozen=True, slots=True)
class Turn:
    """The result of one answer. cookie: of a new session, "" for none. complaint: the error that the page shows."""

    interaction: PendingAuthorization
    cookie: str = ""
    complaint: str = ""


def next_step(runtime: Runtime, interaction: PendingAuthorization, live: LiveState) -> tuple[str, PendingAuthorization]:
    """Return the step to show, after making every choice that has only one option.

    Raises: Refusal when the conversation cannot end in a grant.
    """
    if interaction.pending:
        waiting = find_account(runtime, interaction.pending)
        if waiting and not waiting.disabled and waiting.is_unchanged_since(interaction.proof):
            return "second-factor", interaction
        interaction = replace(interaction, pending="", proof=Login())  # the account has changed: begin again
    if interactions.needs_login(runtime, interaction, live):
        return "login", interaction
    account, client = live.account, live.client
    if account is None or client is None:
        raise Refusal(interaction.asked, "access_denied")
    _demand_level(interaction)
    settled = _settle_capacity(interaction, account, interactions.capacities(account, client))
    settled = _settle_patient(settled, account)
    return _choice_left(settled), settled


def _choice_left(settled: PendingAuthorization) -> str:
    if not settled.capacity:
        return "capacity"
    if interactions.needs_patient(settled) and not settled.patient:
        return "patient"
    return "emergency" if settled.asked.is_emergency and not settled.reason else "consent"


def _demand_level(interaction: PendingAuthorization) -> None:
    wanted = LEVELS[1] if interaction.asked.is_emergency else interactions.wanted_level(interaction)
    if not is_strong_enough(interaction.proof.acr, wanted):
        raise Refusal(interaction.asked, "unmet_authentication_requirements")


def _settle_capacity(
    interaction: PendingAuthorization, account: Account, choices: Mapping[str, str]
) -> PendingAuthorization:
    asked = interaction.asked
    if not choices or not interactions.is_for(asked, account):
        raise Refusal(asked, "access_denied", "this person may not use this app")
    if asked.is_emergency and SELF in choices:
        raise Refusal(asked, "access_denied", "this person may not use this app")
    if interaction.capacity in choices:
        return interaction
    return replace(interaction, capacity=next(iter(choices)) if len(choices) == 1 else "")


def _settle_patient(interaction: PendingAuthorization, account: Account) -> PendingAuthorization:
    """Select the only patient of a person who acts for nobody else."""
    if interaction.patient or interaction.capacity != SELF or not interactions.needs_patient(interaction):
        return interaction
    choices = interactions.patients_of(account)
    if len(choices) != 1:
        return interaction
    only = next(iter(choices))
    return replace(interaction, patient=only, patient_label=choices[only])


def with_session(context: Context, interaction: PendingAuthorization, cookie: str) -> PendingAuthorization:
    """Use a live session instead of a login."""
    session = sessions.find_session(context.runtime, context.options, cookie)
    if session is None:
        return interaction
    return replace(interaction, login=session.account.login, proof=session.proof)


def answer(context: Context, interaction: PendingAuthorization, step: str, form: Mapping[str, str]) -> Turn:
    """Process a person's answer to the present step; an answer to any other step changes nothing."""
    act = _ANSWERS.get(step)
    return act(context, interaction, form) if act else Turn(interaction)


def _login(context: Context, interaction: PendingAuthorization, form: Mapping[str, str]) -> Turn:
    asked = interaction.asked
    account = log_in(
        context, form.get("login", ""), form.get("password", ""), asked.client_id, emergency=asked.is_emergency
    )
    if account is None:
        return Turn(interaction, complaint="wrong")
    if passkeys.has_second_factor(context.runtime, account):
        begun = Login(generation=account.generation)  # if the account changes meanwhile, this password no longer counts
        return Turn(replace(interactions.lasting(context, interaction), login="", pending=account.login, proof=begun))
    return _logged_in(context, interaction, account, ("pwd",))


def _second_factor(context: Context, interaction: PendingAuthorization, form: Mapping[str, str]) -> Turn:
    asked = interaction.asked
    attempt = Attempt(throttle.SECOND_FACTOR, interaction.pending, asked.is_emergency)
    proven = prove_second(context, attempt, form, interaction.id, asked.client_id)
    if proven is None or not proven[0].is_unchanged_since(interaction.proof):
        return Turn(interaction, complaint="wrong")
    return _logged_in(context, interaction, *proven)


def _logged_in(context: Context, interaction: PendingAuthorization, account: Account, amr: tuple[str, ...]) -> Turn:
    lasting = interactions.lasting(context, interaction)
    return go_on(lasting, account, begin_session(context, account, amr, interaction.asked.client_id))


def go_on(interaction: PendingAuthorization, account: Account, begun: tuple[str, Login]) -> Turn:
    """Continue as the person who has just logged in; choices of another person are dropped. begun: cookie and proof."""
    cookie, proof = begun
    patient = interaction.asked.patient
    known = replace(
        interaction, login=account.login, proof=proof, pending="", capacity="", patient=patient, reason="", fresh=True
    )
    return Turn(known, cookie)


def _capacity(context: Context, interaction: PendingAuthorization, form: Mapping[str, str]) -> Turn:
    live = interactions.look_up(context.runtime, interaction)
    choices = interactions.capacities(live.account, live.client) if live.account and live.client else {}
    chosen = form.get("capacity", "")
    return Turn(replace(interaction, capacity=chosen)) if chosen in choices else Turn(interaction, complaint="wrong")


def _patient(context: Context, interaction: PendingAuthorization, form: Mapping[str, str]) -> Turn:
    account = interactions.look_up(context.runtime, interaction).account
    if account is None:
        return Turn(interaction, complaint="wrong")
    if interaction.capacity == SELF:
        choices = interactions.patients_of(account)
        chosen = PatientId(form.get("patient", ""))
        if chosen not in choices:
            return Turn(interaction, complaint="wrong")
        return Turn(replace(interaction, patient=chosen, patient_label=choices[chosen]))
    return _sought(context, interaction, form.get("identifier", "").replace(" ", ""))


def _sought(context: Context, interaction: PendingAuthorization, typed: str) -> Turn:
    """Find a patient by the exact identity number; the page shows no other identity traits."""
    found = patient_of_number(context, interaction.login, typed, emergency=interaction.asked.is_emergency)
    if not found:
        return Turn(interaction, complaint="wrong")
    return Turn(replace(interaction, patient=found, patient_label=_grouped(typed)))


@query
def patient_of_number(context: Context, login: str, typed: str, *, emergency: bool) -> PatientId | None:
    """Return the id of the patient whom a national number names, None for nobody; vain attempts of a login are counted.

    emergency: the number is sought to open a space in an emergency, which has a limit of its own.
    Raises: TooManyFailuresError.
    """
    attempt, number = Attempt(throttle.PATIENT_SEARCH, login, emergency), typed.replace(" ", "")
    throttle.check(context, attempt)
    with context.runtime.ports.store.snapshot() as snapshot:
        found = next(filter(None, (search_index.identify(snapshot, system, number) for system in INS_SYSTEMS)), None)
    if not found:
        throttle.failed(context, attempt)
    return found


def _grouped(typed: str) -> str:
    """Write the typed number in groups as on an insurance card, so that the person can check it."""
    if len(typed) != sum(_GROUPS):
        return typed
    ends = tuple(accumulate(_GROUPS))
    return " ".join(typed[end - size : end] for size, end in zip(_GROUPS, ends, strict=True))


def _emergency(_context: Context, interaction: PendingAuthorization, form: Mapping[str, str]) -> Turn:
    code, text = form.get("reason", ""), form.get("explanation", "").strip()
    if code not in REASONS or not text or len(text) > REASON_LIMIT or form.get("confirmed") != "yes":
        return Turn(interaction, complaint="wrong")
    return Turn(replace(interaction, reason=f"{code}: {text}"))


_ANSWERS: dict[str, Callable[[Context, PendingAuthorization, Mapping[str, str]], Turn]] = {
    "login": _login,
    "second-factor": _second_factor,
    "capacity": _capacity,
    "patient": _patient,
    "emergency": _emergency,
}
