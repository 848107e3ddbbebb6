"""Bring the cast in: directory, software with keys of its own, accounts, tokens; all through the use cases."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from joserfc.jwk import ECKey

from consent_rules.vocabulary import RequesterKind
from fhir_server.application import accounts, app_authorization, clients, directory
from fhir_server.application.accounts import Account, Charge, Practice
from fhir_server.application.clients import AuthMethod, Client, ClientKind
from fhir_server.application.runtime import Runtime
from fhir_server.domain.caller import Caller
from fhir_server.oauth.bearer import caller_of
from fhir_server.registry import REGISTRY, AccessRule
from seed import cast, people
from seed.book import Demonstration
from seed.cast import PatientPart, ProfessionalPart, SoftwarePart

Json = dict[str, Any]

KEEPER = "annuaire"
TOKEN_LIFETIME = timedelta(days=30)
REDIRECT = "http://127.0.0.1:8765/callback"
_PATIENT_SCOPES = "patient/*.cruds openid fhirUser"
_USER_SCOPES = "user/*.cruds openid fhirUser"
_HOLDERS = tuple(part for part in cast.PATIENTS if part.own_account)
_AUDIT_SCOPES = "user/AuditEvent.rs"


def register_software(runtime: Runtime, demo: Demonstration, part: SoftwarePart) -> None:
    """Register one client; software that acts alone gets a fresh key, whose private part stays in demo.json."""
    kind = ClientKind(part.kind)
    alone = kind is ClientKind.BACKEND
    key = ECKey.generate_key("P-384", {"kid": part.key, "alg": "ES384", "use": "sig"}) if alone else None
    client = Client(
        id=part.key,
        name=part.name,
        kind=kind,
        redirect_uris=() if alone else (REDIRECT,),
        scopes=part.scopes,
        auth_method=AuthMethod.PRIVATE_KEY_JWT if alone else AuthMethod.NONE,
        jwks={"keys": [key.as_dict(private=False)]} if key else {},
        organization=f"Organization/{demo.organizations[part.establishment]}" if part.establishment else "",
        organization_display=cast.establishment(part.establishment).name if part.establishment else "",
    )
    try:
        clients.register(runtime, client)
    except ValueError:  # an earlier, unfinished loading; its private key is lost
        clients.change(runtime, client)
    demo.clients[part.key] = {"client_id": part.key, "jwk": key.as_dict(private=True) if key else None}


def software_token(runtime: Runtime, key: str) -> str:
    """Mint the token of software that acts alone."""
    client = _client(runtime, key)
    return app_authorization.mint_token(runtime, client=client, scopes=client.scopes, lifetime=TOKEN_LIFETIME)


def caller(runtime: Runtime, token: str) -> Caller:
    """Return the party that a token speaks for, as any request would."""
    return caller_of(runtime, f"Bearer {token}", "127.0.0.1", "")


def enter_directory(runtime: Runtime, keeper: Caller, demo: Demonstration) -> None:
    """Record establishments, professionals, patients and legal representatives; what is there already stays."""
    for place in cast.ESTABLISHMENTS:
        demo.organizations[place.key] = _record(runtime, keeper, people.organization_resource(place))
    for part in cast.PROFESSIONALS:
        practitioner = _record(runtime, keeper, people.practitioner_resource(part))
        role = people.role_resource(part, practitioner, demo.organizations[part.establishment])
        demo.professionals[part.key], demo.roles[part.key] = practitioner, _record(runtime, keeper, role)
    for holder in cast.PATIENTS:
        demo.patients[holder.key] = _record(runtime, keeper, people.patient_resource(holder))
    for holder in cast.PATIENTS:
        for key in holder.guardians:
            related = people.guardian_resource(demo.patients[holder.key], cast.patient(key), holder)
            if f"{key}/{holder.key}" not in demo.guardians:
                demo.guardians[f"{key}/{holder.key}"] = _record(runtime, keeper, related)


def open_accounts(runtime: Runtime, demo: Demonstration) -> None:
    """Give each person of the cast a login and a ready-made token."""
    for holder in _HOLDERS:
        _open(runtime, demo, _patient_account(demo, holder))
    for part in cast.PROFESSIONALS:
        _open(runtime, demo, _professional_account(demo, part))
    for staff in cast.STAFF:
        _open(runtime, demo, Account(staff.key, RequesterKind(staff.kind), f"Device/{staff.key}", staff.name))


def mint_tokens(runtime: Runtime, demo: Demonstration) -> None:
    """Mint a token for everybody who may use one; those of an earlier loading live on until they expire."""
    for part in cast.SOFTWARE:
        if part.kind == ClientKind.BACKEND:
            demo.tokens[part.key] = software_token(runtime, part.key)
    for holder in _HOLDERS:
        for charge in (holder, *(child for child in cast.PATIENTS if holder.key in child.guardians)):
            name = holder.key if charge is holder else f"{holder.key}/{charge.key}"
            demo.tokens[name] = _patient_token(runtime, "espace", holder.key, demo.patients[charge.key])
    demo.tokens["matension"] = _patient_token(runtime, "matension", "camille", demo.patients["camille"])
    for professional in cast.PROFESSIONALS:
        demo.tokens[professional.key] = _professional_token(runtime, professional.key)
    for staff in cast.STAFF:
        if staff.kind == RequesterKind.AUDITOR:
            demo.tokens[staff.key] = _staff_token(runtime, staff.key)


def _record(runtime: Runtime, keeper: Caller, resource: Json) -> str:
    identifier = resource["identifier"][0]
    row = REGISTRY[resource["resourceType"]]
    condition = f"identifier={identifier['system']}|{identifier['value']}"
    if row.access is AccessRule.DIRECTIVE:  # which representatives there are is not the keeper's to look up
        condition = ""
    return directory.create(runtime, keeper, row, resource, condition).shown.stored.id


def _client(runtime: Runtime, key: str) -> Client:
    found = clients.find(runtime, key)
    if found is None:
        raise KeyError(key)
    return found


def _account(runtime: Runtime, login: str) -> Account:
    found = accounts.find_account(runtime, login)
    if found is None:
        raise KeyError(login)
    return found


def _open(runtime: Runtime, demo: Demonstration, account: Account) -> None:
    password = demo.logins.setdefault(account.login, runtime.ports.ids.secret()[:10])
    try:
        accounts.add_account(runtime, account, password)
    except ValueError:  # an earlier, unfinished loading
        found = _account(runtime, account.login)
        accounts.change_account(runtime, replace(account, subject=found.subject), password)


def _patient_account(demo: Demonstration, holder: PatientPart) -> Account:
    own = Charge(demo.patients[holder.key], f"Patient/{demo.patients[holder.key]}", holder.name)
    children = tuple(
        Charge(demo.patients[child.key], f"RelatedPerson/{demo.guardians[f'{holder.key}/{child.key}']}", child.name)
        for child in cast.PATIENTS
        if holder.key in child.guardians
    )
    return Account(holder.key, RequesterKind.PATIENT, own.person, holder.name, patients=(own, *children))


def _professional_account(demo: Demonstration, part: ProfessionalPart) -> Account:
    place = cast.establishment(part.establishment)
    practice = Practice(
        role=f"PractitionerRole/{demo.roles[part.key]}",
        organization=f"Organization/{demo.organizations[part.establishment]}",
        organization_display=place.name,
        profession=part.profession,
        label=f"{part.profession_label}, {place.name}",
    )
    person = f"Practitioner/{demo.professionals[part.key]}"
    return Account(part.key, RequesterKind.PROFESSIONAL, person, part.name, practices=(practice,))


def _patient_token(runtime: Runtime, client: str, login: str, patient: str) -> str:
    software = _client(runtime, client)
    scopes = _PATIENT_SCOPES if client == "espace" else software.scopes
    return app_authorization.mint_token(
        runtime,
        client=software,
        account=_account(runtime, login),
        scopes=scopes,
        launch_patient=patient,
        lifetime=TOKEN_LIFETIME,
    )


def _professional_token(runtime: Runtime, login: str) -> str:
    account = _account(runtime, login)
    return app_authorization.mint_token(
        runtime,
        client=_client(runtime, "poste"),
        account=account,
        practice=account.practices[0],
        scopes=_USER_SCOPES,
        lifetime=TOKEN_LIFETIME,
    )


def _staff_token(runtime: Runtime, login: str) -> str:
    account = _account(runtime, login)
    client = _client(runtime, "poste")
    return app_authorization.mint_token(
        runtime, client=client, account=account, scopes=_AUDIT_SCOPES, lifetime=TOKEN_LIFETIME
    )
