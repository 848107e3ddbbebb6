"""Abuse cases of tokens and apps, over HTTP, each named by its number."""

import hmac
from base64 import urlsafe_b64encode
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest
from joserfc.jwk import ECKey

from fhir_server.app import create_app
from fhir_server.application.identity.access_tokens import find_access, issue_access
from fhir_server.application.identity.accounts import change_account, find_account
from fhir_server.application.identity.clients import Client, ClientKind, change, find, register
from fhir_server.application.identity.grants import find_grant
from fhir_server.oauth.resource.dpop import hash_of
from tests.factories import runtime_on, settings_in
from tests.holds import holds
from tests.oauth.conftest import EC, RSA, Person, assertion, csrf_of, query_of
from tests.oauth.steps import proof
from tests.world import BASE as FHIR
from tests.world import LABORATORY, REPORT, World

BASE = FHIR.removesuffix("/fhir")
UNKNOWN = "5b7f9c1e-0000-4000-8000-000000000000"


@pytest.fixture
def world(ports, tmp_path) -> World:
    """Camille, who is also an account here, with a report and a laboratory result."""
    runtime = runtime_on(ports, BASE)
    settings = settings_in(tmp_path, BASE)
    world = World(runtime, create_app(settings, runtime).test_client()).open()
    camille = find_account(runtime, "camille")
    change_account(runtime, replace(camille, person=f"Patient/{world.ids['camille']}"))
    world.ids |= {"report": world.publish(), "blood": world.publish(type_=LABORATORY, category=("11", "Résultats"))}
    return world


def authorize(world: World, scope: str, client: str = "app", headers: dict[str, str] | None = None) -> dict[str, str]:
    """Let an app of Camille's act; return the token response, {} when nothing was granted."""
    person = Person(world.web.application)
    person.base = BASE
    code = query_of(person.authorize(scope=scope, client_id=client, aud=FHIR)).get("code", "")
    answer = (
        world.web.post("/oauth/token", base_url=BASE, headers=headers, data=form_of(code, client)) if code else None
    )
    found: dict[str, str] = answer.get_json() if answer else {}
    return found


def form_of(code: str, client: str = "app") -> dict[str, str]:
    known = {"grant_type": "authorization_code", "redirect_uri": "https://app.example/cb", "code_verifier": "v" * 43}
    return known | {"code": code, "client_id": client}


def software(world: World, signed: str, scope: str = "system/DocumentReference.rs"):
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    form = {"grant_type": "client_credentials", "client_assertion_type": kind, "client_assertion": signed}
    return world.web.post("/oauth/token", data=form | {"scope": scope}, base_url=BASE)


def signed_for(world: World, key=EC, alg: str = "ES384", header: dict | None = None, **claims: object) -> str:
    clock = world.runtime.ports.clock
    return assertion(clock, key, alg, header, **{"aud": f"{BASE}/oauth/token"} | claims)


@holds("AC20")
def test_whether_a_patient_or_a_space_exists(world):
    """AC20: before any agreement, a professional gets one answer for a patient and for nobody."""
    for path in ("/DocumentReference?patient={id}", "/Consent?patient={id}", "/AuditEvent?patient={id}"):
        known, unknown = (world.get("martin", path.format(id=id_)) for id_ in (world.ids["camille"], UNKNOWN))
        assert known.status_code == unknown.status_code, path
        assert known.text.replace(world.ids["camille"], UNKNOWN) == unknown.text, path


@holds("AC24")
def test_hospital_software_without_a_person(world):
    """AC24: with any scope it reads what its own establishment filed, and nothing else."""
    patient = world.ids["camille"]
    assert world.get("chu-ehr", f"/DocumentReference/{world.ids['report']}").status_code == 200
    assert world.get("other-ehr", f"/DocumentReference/{world.ids['report']}").status_code == 404
    answer = world.get("other-ehr", f"/DocumentReference?patient={patient}")
    assert answer.status_code == 403 or answer.get_json().get("total") == 0


@holds("AC25")
def test_a_colleague_s_session(world):
    """AC25: a session ends its own person's apps only, and a page opened in one browser is no page in another."""
    body = authorize(world, "openid patient/DocumentReference.rs")
    grant = find_access(world.runtime, body["access_token"]).grant
    colleague = Person(world.web.application, "marc")
    colleague.base = BASE
    csrf = csrf_of(colleague.get("/login").text)
    colleague.post("/login", {"csrf": csrf, "login": "marc", "password": "correct horse battery"})
    own = csrf_of(colleague.get("/account/apps").text)
    colleague.post(f"/account/apps/{grant.id}", {"csrf": own})
    assert find_grant(world.runtime, grant.id) is not None
    asked = Person(world.web.application)
    asked.base = BASE
    where = asked.ask(aud=FHIR).headers["Location"].removeprefix(BASE)
    assert colleague.get(where).status_code == 400


@holds("AC25")
@pytest.mark.parametrize("subject", ["899700000099", "", "899700000099 ", "*"])
def test_software_cannot_forge_a_person_of_another_establishment(world, subject):
    """AC25: who vouches for a professional must employ them; an unknown person and a stranger get one answer."""
    change(world.runtime, replace(find(world.runtime, "ehr"), organization="Organization/elsewhere"))
    b2b = {"version": "1", "subject_id": subject, "purpose_of_use": ["TREAT"]}
    answer = software(world, signed_for(world, extensions={"hl7-b2b": b2b}), "user/DocumentReference.rs")
    assert answer.get_json()["error"] == "invalid_grant"


def test_software_of_no_establishment_vouches_for_nobody(world):
    """AC25: a professional who practises in no establishment is not employed by software that has none."""
    change(world.runtime, replace(find(world.runtime, "ehr"), organization=""))
    luc = find_account(world.runtime, "luc")
    alone = replace(luc.practices[0], organization="", organization_display="")
    change_account(world.runtime, replace(luc, practices=(alone,)))
    b2b = {"version": "1", "subject_id": "899700000099", "purpose_of_use": ["TREAT"]}
    answer = software(world, signed_for(world, extensions={"hl7-b2b": b2b}), "user/DocumentReference.rs")
    assert answer.get_json().get("error") == "invalid_grant"


@holds("AC26")
def test_an_app_s_token_for_another_patient(world):
    """AC26: one compartment, whatever the request names."""
    world.patient("marc", "284039999900249")
    other = world.publish(patient="marc")
    world.tokens["app"] = authorize(world, "openid patient/*.cruds")["access_token"]
    for path in (f"/DocumentReference/{other}", f"/Patient/{world.ids['marc']}"):
        assert world.get("app", path).status_code == 404
    assert world.found("app", f"/DocumentReference?_id={other}") == []
    for query in (f"patient={world.ids['marc']}", f"subject=Patient/{world.ids['marc']}"):
        assert world.get("app", f"/DocumentReference?{query}").status_code == 403
    consent = world.consent("martin")
    consent["patient"] = {"reference": f"Patient/{world.ids['marc']}"}
    assert world.send("app", "POST", "/Consent", consent).status_code in {403, 422}


NARROW = f"patient/DocumentReference.rs?type={REPORT[1]}"
TRICKS = [
    f"{NARROW}&_id=x", f"{NARROW}&type={LABORATORY[1]}", f"{NARROW}|", f"{NARROW},", f"{NARROW}&", f"{NARROW}&category",
    f"patient/DocumentReference.rs?type:not={REPORT[1]}", "patient/DocumentReference.rs?type=*",
    "patient/DocumentReference.rs?", "patient/DocumentReference.rs?type=", "patient/DocumentReference.rs?_has:x=y",
    f"patient/DocumentReference.rs%3Ftype={REPORT[1]}", f"patient/DocumentReference.sr?type={REPORT[1]}",
    "PATIENT/DocumentReference.rs", "patient/documentreference.rs", "patient/DocumentReference.RS",
    "patient/DocumentReference.rs\tpatient/*.rs", "patient/DocumentReference.readsearch",
    "patient/DocumentReference.*r", "system/DocumentReference.rs", "system/*.*",
    "user/../patient/DocumentReference.rs", "patient//DocumentReference.rs",
    f"{NARROW}%26type={LABORATORY[1]}", f"{NARROW}&type%3Dx", f"patient/*.rs?type={REPORT[1]}",
]  # fmt: skip


@holds("AC27")
@pytest.mark.parametrize("trick", TRICKS)
def test_wider_scopes_by_tricks_of_the_grammar(world, trick):
    """AC27: what cannot be honoured exactly opens nothing that its honest form does not open."""
    register(
        world.runtime, Client("cut", "Court", ClientKind.PATIENT_APP, ("https://app.example/cb",), f"openid {NARROW}")
    )
    granted = authorize(world, f"openid {trick}", client="cut")
    token = granted.get("access_token")
    if token:
        world.tokens["app"] = token
        assert world.get("app", f"/DocumentReference/{world.ids['blood']}").status_code in {403, 404}
        search = world.get("app", "/DocumentReference")
        assert world.ids["blood"] not in search.text
        assert "system/" not in granted["scope"]


@holds("AC36")
def test_a_stolen_token_is_replayed(world):
    """AC36: bound to a key, it is worth nothing as a bearer, with another key, or with a proof that was seen."""
    clock, key = world.runtime.ports.clock, ECKey.generate_key("P-256")
    first = proof(clock, key, url=f"{BASE}/oauth/token", jti="first")
    token = authorize(world, "openid patient/DocumentReference.rs", headers={"DPoP": first})["access_token"]
    url = f"{FHIR}/DocumentReference/{world.ids['report']}"

    def read(scheme: str, shown: str = "") -> int:
        headers = {"Authorization": f"{scheme} {token}"} | ({"DPoP": shown} if shown else {})
        return world.web.get(
            f"/fhir/DocumentReference/{world.ids['report']}", headers=headers, base_url=BASE
        ).status_code

    seen = proof(clock, key, "GET", url, ath=hash_of(token), jti="seen")
    assert read("DPoP", seen) == 200
    assert read("DPoP", seen) == 401
    assert read("Bearer") == 401
    assert read("Bearer", proof(clock, key, "GET", url, ath=hash_of(token), jti="as-bearer")) == 401
    stranger = ECKey.generate_key("P-256")
    assert read("DPoP", proof(clock, stranger, "GET", url, ath=hash_of(token), jti="stranger")) == 401
    assert read("DPoP", proof(clock, key, "GET", f"{FHIR}/Patient/x", ath=hash_of(token), jti="elsewhere")) == 401
    assert read("DPoP", proof(clock, key, "GET", url, ath=hash_of("another"), jti="other-token")) == 401


def with_secret(header: dict[str, str], claims: dict[str, object], secret: bytes) -> str:
    """Sign by hand, for libraries refuse to take a public key for a secret."""
    parts = [urlsafe_b64encode(orjson.dumps(part)).rstrip(b"=") for part in (header, claims)]
    signature = hmac.new(secret, b".".join(parts), "sha256").digest()
    return b".".join([*parts, urlsafe_b64encode(signature).rstrip(b"=")]).decode()


@holds("AC37")
def test_signed_tokens_are_forged(world):
    """AC37: no algorithm, a public key as secret, an own key, somebody else's key id, an id_token as access token."""
    stranger = ECKey.generate_key("P-384", {"kid": "ec-1"})
    claims = {"iss": "ehr", "sub": "ehr", "aud": f"{BASE}/oauth/token", "jti": "x"}
    claims["exp"] = int(world.runtime.ports.clock.now().timestamp()) + 200
    forged = {
        "none": with_secret({"alg": "none", "kid": "ec-1"}, claims, b"").rpartition(".")[0] + ".",
        "secret": with_secret({"alg": "HS256", "kid": "rsa-1"}, claims, RSA.as_pem(private=False)),
        "own key": signed_for(world, stranger),
        "embedded": signed_for(world, stranger, header={"jwk": stranger.as_dict(private=False)}),
        "wrong kid": signed_for(world, header={"kid": "rsa-1"}),
    }
    for name, token in forged.items():
        assert software(world, token).status_code == 401, name
    token = authorize(world, "openid patient/DocumentReference.rs")["id_token"]
    world.tokens["app"] = token
    assert world.get("app", f"/DocumentReference/{world.ids['report']}").status_code == 401


@holds("AC52")
@pytest.mark.parametrize(
    "claims", [{"nbf": 120}, {"iat": 120}, {"exp": 3600}, {"exp": -60}, {"exp": 10**12}, {"exp": 86400 * 365}]
)
def test_a_skewed_clock(world, claims):
    """AC52: an assertion from the future, or one that would live longer than five minutes, is refused."""
    now = int(world.runtime.ports.clock.now().timestamp())
    assert (
        software(world, signed_for(world, **{name: now + offset for name, offset in claims.items()})).status_code == 401
    )


@holds("AC52")
def test_a_token_does_not_outlive_the_grant_whatever_is_asked(world, clock):
    """AC52: the earlier of both ends counts."""
    grant = find_access(world.runtime, world.tokens["camille"]).grant
    ending = replace(grant, expires=clock.now() + timedelta(minutes=1))
    world.tokens["short"] = issue_access(world.runtime, ending, lifetime=timedelta(days=1))[0]
    assert world.get("short", "/DocumentReference").status_code == 200
    clock.advance(minutes=1)
    assert world.get("short", "/DocumentReference").status_code == 401
