"""From a person whom a provider vouches for to an account here, or to a refusal.

A professional is the person with the RPPS number in the directory, with those practice situations of the directory that
the provider confirms. A citizen is the person who was linked once to the pairwise subject.
Source: rules on the identification of professionals and users (PGSSI-S); OpenID Connect Core 1.0, 8.1 (pairwise).
"""

from dataclasses import dataclass, replace

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.directory.professionals import Entry, find_professional, numbers_of, situations_of
from fhir_server.application.identity import franceconnect_link, grants
from fhir_server.application.identity.accounts import (
    Account,
    add_account,
    change_account,
    find_account,
    find_by_national_id,
    find_by_upstream,
    link,
)
from fhir_server.application.identity.franceconnect_link import Traits
from fhir_server.domain.caller import Login
from fhir_server.domain.commands import command
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.values import Json
from fhir_server.oauth.base import events
from fhir_server.oauth.base.wire import Context
from fhir_server.oauth.upstream import pro_sante
from fhir_server.oauth.upstream.metadata import ProviderError
from fhir_server.oauth.upstream.pro_sante import Professional
from fhir_server.oauth.upstream.relying import VouchedPerson
from fhir_server.settings.upstream import Provider

_GENDERS = {"male", "female"}


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who may continue. account: None for a citizen who is not linked yet."""

    account: Account | None
    proof: Login


def admit(runtime: Runtime, provider: Provider, arrival: VouchedPerson) -> Admitted:
    """Return the account of a person from a provider.

    Raises: ProviderError("no-professional", "unknown-professional" or "no-situation").
    """
    proof = arrival.proof
    login = Login(proof.at or runtime.ports.clock.now(), proof.acr, proof.amr, provider=provider.id)
    if provider.id != "psc":
        return Admitted(find_by_upstream(runtime, provider.id, proof.subject), login)
    professional = pro_sante.read(arrival.person)
    account = _professional(runtime, professional)
    account = replace(account, practices=situations_of(runtime, account))
    roles = tuple(item.role for item in account.practices if _is_confirmed(runtime, professional, account, item.role))
    if not roles:
        raise ProviderError("no-situation")
    return Admitted(account, replace(login, roles=roles, amr=proof.amr or pro_sante.means_of(arrival.person)))


def traits_of(person: Json) -> Traits:
    """Return the identity traits in FranceConnect's claims."""
    texts = {name: str(person.get(name) or "") for name in ("family_name", "given_name", "birthdate", "gender")}
    gender = texts["gender"] if texts["gender"] in _GENDERS else ""
    return Traits(texts["family_name"], texts["given_name"], texts["birthdate"], gender)


@command(EventKind.SIGN_IN_LINKED)
def link_patient(context: Context, provider: Provider, subject: str, code: str, traits: Traits) -> Account | None:
    """Link a citizen to the patient's account of a code; None when code, identity or subject do not fit."""
    account = franceconnect_link.redeem(context.runtime, code, traits)
    if account is None or not link(context.runtime, account, provider.id, subject):
        return None
    events.identity_linked(context, account, provider.id)
    return account


def _is_confirmed(runtime: Runtime, professional: Professional, account: Account, role: str) -> bool:
    practice = next(item for item in account.practices if item.role == role)
    numbers = numbers_of(runtime, practice.organization)
    return any(exercise.confirms(practice, numbers) for exercise in professional.exercises)


def _professional(runtime: Runtime, professional: Professional) -> Account:
    """Return the account of a professional; one who is only in the directory gets an account that copies it."""
    number = professional.national_id
    account = find_by_national_id(runtime, number)
    if account is not None and account.kind is not RequesterKind.PROFESSIONAL:
        raise ProviderError("unknown-professional")
    if account is not None and account.login != _login(number):
        return account
    entry = find_professional(runtime, number)
    if entry is None:
        raise ProviderError("unknown-professional")
    return _renewed(runtime, account, entry) if account else _opened(runtime, number, entry, professional.name)


def _login(number: str) -> str:
    return f"psc|{number}"


def _opened(runtime: Runtime, number: str, entry: Entry, name: str) -> Account:
    account = Account(
        _login(number), RequesterKind.PROFESSIONAL, entry.person, entry.display or name, entry.practices,
        national_id=number,
    )  # fmt: skip
    try:
        return add_account(runtime, account, "")
    except ValueError:
        found = find_account(runtime, account.login)
    if found is None or found.disabled:
        raise ProviderError("unknown-professional")
    return found


def _renewed(runtime: Runtime, account: Account, entry: Entry) -> Account:
    """Copy the directory's current data into the account; a change ends the grants given under the old data."""
    fresh = replace(account, person=entry.person, practices=entry.practices)
    if fresh != account:
        change_account(runtime, fresh)
        grants.revoke_person(runtime, account.subject)
    return fresh
