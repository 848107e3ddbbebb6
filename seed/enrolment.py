"""Load the cast: directory, software with its keys, accounts, tokens; all through the use cases."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from joserfc.jwk import ECKey

from consent_rules.model import Requester
from consent_rules.vocabulary import PatientId, Purpose, RequesterKind
from fhir_server.application.bundles import handlers
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.core.write_request import WriteRequest
from fhir_server.application.identity import access_tokens, accounts, clients
from fhir_server.application.identity.accounts import Account, Grantee, PractitionerRoleRef, RepresentedPatient
from fhir_server.application.identity.clients import AuthMethod, Client, ClientKind
from fhir_server.domain.caller import Caller, Granted, Origin
from fhir_server.domain.values import ClientId, GrantId, Json
from fhir_server.oauth.resource.bearer import caller_of
from fhir_server.registry import REGISTRY, AccessRule, Interaction
from seed import cast, people
from seed.book import Demonstration
from seed.cast import EstablishmentPart, PatientPart, ProfessionalPart, SoftwarePart

KEEPER = "annuaire"
TOKEN_LIFETIME = timedelta(days=30)
REDIRECT = "http://127.0.0.1:8765/callback"
_PATIENT_SCOPES = "patient/*.cruds openid fhirUser"
_USER_SCOPES = "user/*.cruds openid fhirUser"
_HOLDERS = tuple(part for part in cast.PATIENTS if part.own_account)
_AUDIT_SCOPES = "user/AuditEvent.rs user/Consent.rus"


def register_software(
    runtime: Runtime, demo: Demonstration, part: SoftwarePart, place: EstablishmentPart | None = None
) -> None:
    """Register one client; software that acts alone gets a new key, whose private part is kept in demo.json."""
    kind = ClientKind(part.kind)
    alone = kind is ClientKind.BACKEND
    key = ECKey.generate_key("P-384", {"kid": part.key, "alg": "ES384", "use": "sig"}) if alone else None
    client = Client(
        id=ClientId(part.key),
        name=part.name,
        kind=kind,
        redirect_uris=() if alone else (REDIRECT,),
        scopes=part.scopes,
        auth_method=AuthMethod.PRIVATE_KEY_JWT if alone else AuthMethod.NONE,
        jwks={"keys": [key.as_dict(private=False)]} if key else {},
        organization=f"Organization/{demo.organizations[place.key]}" if place else "",
        organization_display=place.name if place else "",
    )
    try:
        clients.register(runtime, client)
    except ValueError:  # an earlier, unfinished loading registered it; its private key is lost
        clients.change(runtime, client)
    demo.clients[part.key] = {"client_id": part.key, "jwk": key.as_dict(private=True) if key else None}


def software_token(runtime: Runtime, key: str) -> str:
    """Issue the token of software that acts alone."""
    client = _client(runtime, key)
    return access_tokens.mint_token(runtime, Grantee(client), client.scopes, lifetime=TOKEN_LIFETIME)


def caller(runtime: Runtime, token: str) -> Caller:
    """Return the caller of a token, as any request does."""
    return caller_of(runtime, f"Bearer {token}", Origin("127.0.0.1"))


def holder(patient: PatientId, name: str) -> Caller:
    """Return a patient as a caller without a token: bulk loading has too many patients to issue tokens."""
    requester = Requester(RequesterKind.PATIENT, f"Patient/{patient}", client="Device/espace")
    granted = Granted(
        id=GrantId("bulk"),
        client_id=ClientId("espace"),
        requester=requester,
        purpose=Purpose.PATIENT_REQUEST,
        display=name,
        launch_patient=patient,
    )
    return Caller.of_token(granted, "bulk", _PATIENT_SCOPES)


def enter_directory(runtime: Runtime, keeper: Caller, demo: Demonstration) -> None:
    """Record establishments, professionals, patients and guardians; what exists stays."""
    enter_professionals(runtime, keeper, demo, cast.ESTABLISHMENTS, cast.PROFESSIONALS)
    for part in cast.PATIENTS:
        demo.patients[part.key] = PatientId(_record(runtime, keeper, people.patient_resource(part)))
    for part in cast.PATIENTS:
        for key in part.guardians:
            related = people.guardian_resource(demo.patients[part.key], cast.patient(key), part)
            if f"{key}/{part.key}" not in demo.guardians:
                demo.guardians[f"{key}/{part.key}"] = _record(runtime, keeper, related)


def enter_professionals(
    runtime: Runtime,
    keeper: Caller,
    demo: Demonstration,
    places: Sequence[EstablishmentPart],
    professionals: Sequence[ProfessionalPart],
) -> None:
    """Record establishments, and professionals with their practice situations."""
    for place in places:
        demo.organizations[place.key] = _record(runtime, keeper, people.organization_resource(place))
    for part in professionals:
        practitioner = _record(runtime, keeper, people.practitioner_resource(part))
        role = people.role_resource(part, practitioner, demo.organizations[part.establishment])
        demo.professionals[part.key], demo.roles[part.key] = practitioner, _record(runtime, keeper, role)


def open_accounts(runtime: Runtime, demo: Demonstration) -> None:
    """Give each person of the cast a login and a token."""
    for patient in _HOLDERS:
        _open(runtime, demo, _patient_account(demo, patient))
    for part in cast.PROFESSIONALS:
        open_professional(runtime, demo, part, cast.establishment(part.establishment))
    for staff in cast.STAFF:
        _open(runtime, demo, Account(staff.key, RequesterKind(staff.kind), f"Device/{staff.key}", staff.name))


def open_professional(runtime: Runtime, demo: Demonstration, part: ProfessionalPart, place: EstablishmentPart) -> None:
    """Give a professional a login, in one practice situation."""
    practice = PractitionerRoleRef(
        role=f"PractitionerRole/{demo.roles[part.key]}",
        organization=f"Organization/{demo.organizations[place.key]}",
        organization_display=place.name,
        profession=part.profession,
        label=f"{part.profession_label}, {place.name}",
    )
    person = f"Practitioner/{demo.professionals[part.key]}"
    _open(runtime, demo, Account(part.key, RequesterKind.PROFESSIONAL, person, part.name, practices=(practice,)))


def mint_tokens(runtime: Runtime, demo: Demonstration) -> None:
    """Issue a token for everybody who may use one; tokens of an earlier loading stay valid until they expire."""
    for part in cast.SOFTWARE:
        if part.kind == ClientKind.BACKEND:
            demo.tokens[part.key] = software_token(runtime, part.key)
    for patient in _HOLDERS:
        for represented in (patient, *(child for child in cast.PATIENTS if patient.key in child.guardians)):
            name = patient.key if represented is patient else f"{patient.key}/{represented.key}"
            demo.tokens[name] = _patient_token(runtime, "espace", patient.key, demo.patients[represented.key])
    demo.tokens["matension"] = _patient_token(runtime, "matension", "camille", demo.patients["camille"])
    for professional in cast.PROFESSIONALS:
        demo.tokens[professional.key] = professional_token(runtime, professional.key)
    for staff in cast.STAFF:
        if staff.kind == RequesterKind.AUDITOR:
            demo.tokens[staff.key] = _staff_token(runtime, staff.key)


def _record(runtime: Runtime, keeper: Caller, resource: Json) -> str:
    identifier = resource["identifier"][0]
    row = REGISTRY[resource["resourceType"]]
    condition = f"identifier={identifier['system']}|{identifier['value']}"
    if row.access is AccessRule.DIRECTIVE:  # the registry operator may not look up who the guardians are
        condition = ""
    wanted = WriteRequest(Interaction.CREATE, row, resource=resource, condition=condition)
    written = handlers.write(runtime, keeper, wanted)
    return written.shown.stored.id if written else ""


def _client(runtime: Runtime, key: str) -> Client:
    found = clients.find(runtime, ClientId(key))
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
    except ValueError:  # an earlier, unfinished loading opened it
        found = _account(runtime, account.login)
        again = replace(account, subject=found.subject, generation=found.generation, totp=found.totp)
        accounts.change_account(runtime, again, password)


def _patient_account(demo: Demonstration, part: PatientPart) -> Account:
    own = RepresentedPatient(demo.patients[part.key], f"Patient/{demo.patients[part.key]}", part.name)
    children = tuple(
        RepresentedPatient(
            demo.patients[child.key], f"RelatedPerson/{demo.guardians[f'{part.key}/{child.key}']}", child.name
        )
        for child in cast.PATIENTS
        if part.key in child.guardians
    )
    return Account(part.key, RequesterKind.PATIENT, own.person, part.name, patients=(own, *children))


def _patient_token(runtime: Runtime, client: str, login: str, patient: PatientId) -> str:
    software = _client(runtime, client)
    scopes = _PATIENT_SCOPES if client == "espace" else software.scopes
    grantee = Grantee(software, _account(runtime, login), launch_patient=patient)
    return access_tokens.mint_token(runtime, grantee, scopes, lifetime=TOKEN_LIFETIME)


def professional_token(runtime: Runtime, login: str) -> str:
    """Issue the token of a professional in the first practice situation."""
    account = _account(runtime, login)
    grantee = Grantee(_client(runtime, "poste"), account, account.practices[0])
    return access_tokens.mint_token(runtime, grantee, _USER_SCOPES, lifetime=TOKEN_LIFETIME)


def _staff_token(runtime: Runtime, login: str) -> str:
    grantee = Grantee(_client(runtime, "poste"), _account(runtime, login))
    return access_tokens.mint_token(runtime, grantee, _AUDIT_SCOPES, lifetime=TOKEN_LIFETIME)
