"""Local accounts, the capacities in which each person may act, and grantees.

An account of an upstream provider (Pro Santé Connect, FranceConnect) has the same shape and no password. A grantee is
an app and the person who uses it, in one capacity.
Source: RFC 9106 (Argon2id) for passwords, with the costs that OWASP recommends for servers; the claim model
of Pro Santé Connect for practice situations.
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import Self

import msgspec
import orjson
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from consent_rules.model import Requester
from consent_rules.vocabulary import NO_SPACE, Capacity, PatientId, Purpose, RequesterKind
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity.clients import Client
from fhir_server.application.identity.passwords import normalized
from fhir_server.domain.caller import Granted, Login
from fhir_server.domain.commands import query
from fhir_server.domain.values import GrantId
from fhir_server.ports.vault import Secret

KIND, NATIONAL_ID = "account", "national-id"
_PERSON, _PERSONS_KEPT = "account-person", "account-persons-kept"
SUBJECT, _LINKED = "upstream-subject", "upstream-link"
LOGIN_LIMIT = 128
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


@dataclass(frozen=True, slots=True)
class PractitionerRoleRef:
    """One practice situation of a professional; it comes from the directory, never from the person.

    role: "PractitionerRole/…". organization: "Organization/…". profession, specialty: codes of the matrix row.
    label: the text by which the person chooses a situation. capacity: the post there, if the post changes the rules.
    """

    role: str
    organization: str
    organization_display: str
    profession: str
    specialty: str = ""
    label: str = ""
    capacity: Capacity = Capacity.NONE


@dataclass(frozen=True, slots=True)
class RepresentedPatient:
    """One patient for whom a person may act: oneself, or someone else through a RelatedPerson.

    patient: id. person: "Patient/…" for oneself, "RelatedPerson/…" for another. label: the text that the person reads.
    """

    patient: PatientId
    person: str
    label: str

    @property
    def kind(self) -> RequesterKind:
        """The capacity in which the person acts for this patient."""
        return RequesterKind.PATIENT if self.person.startswith("Patient/") else RequesterKind.RELATED


@dataclass(frozen=True, slots=True)
class Account:
    """One person who may log in.

    kind: the capacity when the person chooses none. person: "Patient/…", "Practitioner/…" or "RelatedPerson/…".
    regulator: whether the person works in an emergency call centre. national_id: RPPS or a similar number, by which a
    provider or an employer names a professional.
    subject: stable pseudonym for apps (`sub`), never the login. totp: base32 secret of the second factor, "" when none.
    generation: a number that grows when the password or a factor changes or the account is disabled; sessions and
    authorization requests of an earlier generation have ended.
    """

    login: str
    kind: RequesterKind
    person: str
    display: str
    practices: tuple[PractitionerRoleRef, ...] = ()
    patients: tuple[RepresentedPatient, ...] = ()
    subject: str = ""
    totp: str = ""
    disabled: bool = False
    regulator: bool = False
    national_id: str = ""
    generation: int = 0

    @property
    def persons(self) -> frozenset[str]:
        """References of the persons as whom the account may act: its own, and one for each patient."""
        return frozenset({self.person, *(represented.person for represented in self.patients)})

    def represented_patient(self, patient: PatientId) -> RepresentedPatient | None:
        """Return how this person may act for a patient, None when the person may not."""
        return next((represented for represented in self.patients if represented.patient == patient), None)

    def is_unchanged_since(self, proof: Login) -> bool:
        """Tell whether neither password nor factors of the account changed since a login."""
        return self.generation == proof.generation

    def as_confirmed_by(self, proof: Login) -> Self:
        """Return the account with the practice situations in which a login lets the person act."""
        if not proof.provider:
            return self
        return replace(self, practices=tuple(item for item in self.practices if item.role in proof.roles))


def add_account(runtime: Runtime, account: Account, password: str) -> Account:
    """Store a new account and return it with its subject; without a password, only upstream login is possible.

    Raises: ValueError when the login is taken or unusable.
    """
    if not account.login or len(account.login) > LOGIN_LIMIT:
        message = f"a login has 1 to {LOGIN_LIMIT} characters"
        raise ValueError(message)
    stored = replace(account, subject=account.subject or runtime.ports.ids.new())
    value = _dump(stored, _hashed(password) if password else "")
    group = f"account:{stored.subject}"
    entries = [Secret(KIND, account_name(account.login), value, group=group)]
    if stored.national_id:
        entries.append(Secret(NATIONAL_ID, stored.national_id, stored.login.encode(), group=group))
    if not runtime.ports.vault.add(*entries):
        message = "the login is taken"
        raise ValueError(message)
    _note_persons(runtime, stored)
    return stored


def authenticate(runtime: Runtime, login: str, password: str) -> Account | None:
    """Return the account when the password is right; an unknown login takes as long, so that time reveals nothing."""
    entry = _read(runtime, login)
    kept = _load(entry) if entry else None
    hashed = kept.password if kept else ""
    right = _verify(hashed or _dummy_hash(), password)
    if kept is None or not hashed or not right:
        return None
    return None if kept.account.disabled else kept.account


@query
def find_account(runtime: Runtime, login: str) -> Account | None:
    """Return an account by its login, also a disabled account."""
    return of_entry(_read(runtime, login))


def entry_name(login: str) -> tuple[str, str]:
    """Return kind and key of an account's entry in the vault, for a read of several entries at once."""
    return KIND, account_name(login)


def of_entry(entry: Secret | None) -> Account | None:
    """Return the account that an entry of the vault holds, also a disabled account; None for no entry."""
    return _load(entry).account if entry else None


@query
def find_by_national_id(runtime: Runtime, national_id: str) -> Account | None:
    """Return the account that a national id names, None when there is none or it is disabled."""
    if not national_id or len(national_id) > 2 * LOGIN_LIMIT:
        return None
    entry = runtime.ports.vault.get(NATIONAL_ID, national_id, runtime.ports.clock.now())
    account = find_account(runtime, entry.value.decode()) if entry else None
    return None if account is None or account.disabled else account


@query
def find_by_person(runtime: Runtime, person: str) -> tuple[Account, ...]:
    """Return the accounts in use that may act as a person, in the order of their logins. person: as in `persons`.

    The store holds the logins of each person. An account that may no longer act as the person does not count.
    """
    vault, now = runtime.ports.vault, runtime.ports.clock.now()
    if vault.get(_PERSONS_KEPT, "", now) is None:
        _keep_persons(runtime)
    noted = vault.entries(_PERSON, now, _persons_group(person))
    found = (find_account(runtime, entry.value.decode()) for entry in noted)
    acting = (account for account in found if account and not account.disabled and person in account.persons)
    return tuple(sorted(acting, key=lambda account: account.login))


def _keep_persons(runtime: Runtime) -> None:
    """Note the persons of the accounts that an earlier version stored; this happens once in the life of a store."""
    for account in list_accounts(runtime):
        _note_persons(runtime, account)
    runtime.ports.vault.add(Secret(_PERSONS_KEPT, "", b""))


def _note_persons(runtime: Runtime, account: Account) -> None:
    """Note as whom an account may act; what is noted already stays, and what no longer holds does no harm."""
    for person in account.persons:
        key = f"{person} {account.subject}"
        runtime.ports.vault.add(Secret(_PERSON, key, account.login.encode(), _persons_group(person)))


def _persons_group(person: str) -> str:
    return f"account-person:{person}"


def find_by_upstream(runtime: Runtime, provider: str, subject: str) -> Account | None:
    """Return the account linked to a subject of an upstream provider, None when there is none or it is disabled."""
    entry = runtime.ports.vault.get(SUBJECT, f"{provider}|{subject}", runtime.ports.clock.now())
    account = find_account(runtime, entry.value.decode()) if entry else None
    return None if account is None or account.disabled else account


def link(runtime: Runtime, account: Account, provider: str, subject: str) -> bool:
    """Let an upstream subject log in as this account, in place of an earlier subject of the same provider.

    Return False when the subject is already linked to an account.
    """
    vault, group = runtime.ports.vault, f"account:{account.subject}"
    before = vault.get(_LINKED, f"{provider}|{account.subject}", runtime.ports.clock.now())
    if not vault.add(Secret(SUBJECT, f"{provider}|{subject}", account.login.encode(), group)):
        return False
    if before:
        vault.drop(SUBJECT, f"{provider}|{before.value.decode()}")
        vault.drop(_LINKED, f"{provider}|{account.subject}")
    vault.add(Secret(_LINKED, f"{provider}|{account.subject}", subject.encode(), group))
    return True


@query
def list_accounts(runtime: Runtime) -> tuple[Account, ...]:
    """Return all accounts in the order of their logins."""
    entries = runtime.ports.vault.entries(KIND, runtime.ports.clock.now())
    return tuple(sorted((_load(entry).account for entry in entries), key=lambda account: account.login))


class StaleAccountError(ValueError):
    """An account changed since it was read; nothing is written."""

    def __init__(self) -> None:
        """Set the text of the error."""
        super().__init__("the account changed meanwhile; try again")


def change_account(runtime: Runtime, account: Account, password: str = "") -> None:
    """Replace an account; an empty password keeps the present password.

    Code that changes what a person may do must also end the grants of that person (`grants.revoke_person`).
    Raises: KeyError when there is no such account; StaleAccountError when it changed meanwhile, so that no older copy
    brings back a password or a factor that was removed.
    """
    _replace(runtime, account, account, password)


def renew_account(runtime: Runtime, account: Account, password: str = "") -> Account:
    """Replace an account and begin its next generation, which ends sessions and authorization requests; return it.

    Raises: as change_account.
    """
    grown = replace(account, generation=account.generation + 1)
    _replace(runtime, account, grown, password)
    return grown


def _replace(runtime: Runtime, before: Account, after: Account, password: str) -> None:
    entry = _read(runtime, before.login)
    if entry is None:
        raise KeyError(before.login)
    if _load(entry).account.generation != before.generation:
        raise StaleAccountError
    hashed = _hashed(password) if password else _load(entry).password
    if not runtime.ports.vault.replace(replace(entry, key=account_name(before.login), value=_dump(after, hashed))):
        raise StaleAccountError
    if after.persons != _load(entry).account.persons:
        _note_persons(runtime, after)


def _read(runtime: Runtime, login: str) -> Secret | None:
    if not login or len(login) > LOGIN_LIMIT:
        return None
    return runtime.ports.vault.get(*entry_name(login), runtime.ports.clock.now())


@query
def has_password(runtime: Runtime, account: Account) -> bool:
    """Tell whether an account can be opened by a password at all."""
    entry = _read(runtime, account.login)
    return entry is not None and bool(_load(entry).password)


def _hashed(password: str) -> str:
    return _HASHER.hash(normalized(password))


def _verify(hashed: str, password: str) -> bool:
    """Tell whether a password is right; also try it as typed, because an earlier version normalized no password."""
    return any(_fits(hashed, spelling) for spelling in dict.fromkeys((normalized(password), password)))


def _fits(hashed: str, password: str) -> bool:
    try:
        return _HASHER.verify(hashed, password)
    except (Argon2Error, InvalidHashError):
        return False


@cache
def _dummy_hash() -> str:
    return _HASHER.hash("no account has this password")


def _dump(account: Account, hashed: str) -> bytes:
    return orjson.dumps({"account": account, "password": hashed})


class _StoredAccount(msgspec.Struct):
    """An account as the vault keeps it. password: its hash, "" for none."""

    account: Account
    password: str


_DECODER = msgspec.json.Decoder(_StoredAccount)


def _load(entry: Secret) -> _StoredAccount:
    return _DECODER.decode(entry.value)


@dataclass(frozen=True, slots=True)
class Grantee:
    """Who receives a grant: a client and, if a person uses it, the account and the chosen capacity.

    vouched: whether the client only names the person, who has not logged in (V5).
    """

    client: Client
    account: Account | None = None
    practice: PractitionerRoleRef | None = None
    launch_patient: PatientId | None = None
    vouched: bool = False

    @property
    def requester(self) -> Requester:
        """The facts about the grantee on which the rules decide."""
        device = self.client.device
        if self.account is None:
            return Requester(RequesterKind.SYSTEM, organization=self.client.organization, client=device)
        if self.practice is not None:
            practice = self.practice
            return Requester(
                RequesterKind.PROFESSIONAL,
                self.account.person,
                practice.role,
                practice.organization,
                device,
                practice.profession,
                practice.specialty,
                practice.capacity,
                self.vouched,
            )
        represented = self.account.represented_patient(self.launch_patient) if self.launch_patient else None
        if represented is not None:
            return Requester(represented.kind, represented.person, client=device)
        return Requester(self.account.kind, self.account.person, client=device)

    def on_page(self, id_: str) -> Granted:
        """Return what a patient, guardian or carer may do on a page of this server. id_: of the session there."""
        requester = self.requester
        is_own = requester.kind is RequesterKind.PATIENT
        return Granted(
            id=GrantId(id_),
            client_id=self.client.id,
            client_name=self.client.name,
            requester=requester,
            purpose=Purpose.PATIENT_REQUEST if is_own else Purpose.FAMILY_REQUEST,
            display=self.account.display if self.account else "",
            launch_patient=self.launch_patient or NO_SPACE,
        )

    def at_desk(self, id_: str, proof: Login, mode: Purpose = Purpose.TREATMENT) -> Granted:
        """Return what a professional may do on a page of this server, as what an app of theirs is granted.

        id_: of the session there. mode: the emergency mode, or treatment.
        """
        practice = self.practice
        return Granted(
            id=GrantId(id_),
            client_id=self.client.id,
            client_name=self.client.name,
            requester=self.requester,
            purpose=mode,
            display=self.account.display if self.account else "",
            organization_display=practice.organization_display if practice else "",
            launch_patient=self.launch_patient or NO_SPACE,
            proof=proof,
        )


def account_name(typed: str) -> str:
    """Return a login name as it is stored, looked up and counted: without surrounding blanks, case-folded."""
    return typed.strip().casefold()
