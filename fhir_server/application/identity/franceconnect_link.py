"""Links an identity of an upstream provider to the account of a patient, once, by a code.

Somebody who has checked who the patient is hands the code over. The code is random and works once, for some days, for
one account. The upstream identity must agree with the Patient resource, so that the code is useless to others. A failed
attempt reveals nothing of the Patient resource.
Source: rules on the link between FranceConnect and the national health identity (no health number is in its claims).
"""

import unicodedata
from dataclasses import dataclass
from datetime import timedelta

import orjson

from consent_rules.vocabulary import PatientId
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.identity import credentials
from fhir_server.application.identity.accounts import Account, find_account
from fhir_server.application.identity.credentials import Act
from fhir_server.domain.caller import Caller
from fhir_server.domain.commands import command
from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.values import Json
from fhir_server.ports.vault import Secret

_KIND = "link-code"
_LIFETIME = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Traits:
    """The traits of a civil identity that are compared. gender: a FHIR code."""

    family: str
    given: str
    birth_date: str
    gender: str


def invite(runtime: Runtime, account: Account) -> str:
    """Make the code of an account and return it in groups of four; an earlier code becomes invalid.

    Raises: ValueError when the account does not belong to a patient.
    """
    if not account.person.startswith("Patient/"):
        message = "only the account of a patient is linked by a code"
        raise ValueError(message)
    group = f"link:{account.subject}"
    runtime.ports.vault.drop_group(group, (_KIND,))
    code = credentials.new_code()
    expires = runtime.ports.clock.now() + _LIFETIME
    runtime.ports.vault.add(Secret(_KIND, code, account.login.encode(), group, expires))
    return credentials.readable_code(code)


@command(EventKind.ACCOUNT_INVITED)
def invite_patient(runtime: Runtime, caller: Caller, account: Account) -> str:
    """Make the code of an account as the operator, with its audit event. Raises: as `invite`."""
    code = invite(runtime, account)
    credentials.record(runtime, caller, account, Act.INVITE)
    return code


def redeem(runtime: Runtime, typed: str, traits: Traits) -> Account | None:
    """Return the account of a code and use the code up; None when the code is invalid or the identity does not agree.

    A code that somebody else tried is used up too: it has fallen into wrong hands.
    """
    code = credentials.typed_code(typed)
    entry = runtime.ports.vault.take(_KIND, code, runtime.ports.clock.now()) if code else None
    account = find_account(runtime, entry.value.decode()) if entry else None
    if account is None or account.disabled:
        return None
    return account if is_same(traits, _recorded(runtime, PatientId(account.person.removeprefix("Patient/")))) else None


def is_same(said: Traits, recorded: Traits) -> bool:
    """Tell whether two identities agree: birth date, birth name, first given name, and gender if both state it."""
    if not said.birth_date or said.birth_date != recorded.birth_date:
        return False
    if not _folded(said.family) or _folded(said.family) != _folded(recorded.family):
        return False
    if _folded(said.given).split(" ")[0] != _folded(recorded.given).split(" ")[0]:
        return False
    return not (said.gender and recorded.gender) or said.gender == recorded.gender


def _recorded(runtime: Runtime, patient: PatientId) -> Traits:
    """Read the traits of a Patient resource; only the server uses them (docs/threat-model.md)."""
    with runtime.ports.store.snapshot() as snapshot:
        stored = snapshot.read("Patient", patient, whole_space(ReadingReason.IDENTITY_PROOF, patient))
    body: Json = orjson.loads(stored.body) if stored and stored.body and not stored.deleted else {}
    names = body.get("name", [])
    birth: Json = next((name for name in names if name.get("use") == "official"), next(iter(names), {}))
    given = " ".join(birth.get("given", ()))
    return Traits(birth.get("family", ""), given, body.get("birthDate", ""), body.get("gender", ""))


def _folded(text: str) -> str:
    """Return a name without accents, case, hyphens and doubled spaces."""
    plain = unicodedata.normalize("NFKD", text.replace("œ", "oe").replace("Œ", "oe").replace("æ", "ae"))
    letters = "".join(c if c.isalpha() else " " for c in plain if not unicodedata.combining(c))
    return " ".join(letters.casefold().split())
