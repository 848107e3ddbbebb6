"""People who sign in upstream: which situations they may choose, what is recorded, and how a patient is linked."""

import logging
import re
from dataclasses import replace

import orjson
import pytest
from joserfc.jwk import RSAKey

from consent_rules.vocabulary import RequesterKind
from fhir_server.app import create_app
from fhir_server.application.identity.access_tokens import find_access
from fhir_server.application.identity.accounts import (
    Account,
    PractitionerRoleRef,
    change_account,
    find_account,
    find_by_national_id,
)
from fhir_server.application.identity.accounts import add_account as add
from fhir_server.application.identity.franceconnect_link import Traits, invite, is_same
from fhir_server.application.identity.grants import grants_of
from fhir_server.oauth.granted.launches import Launch, create_launch
from fhir_server.settings.server import Settings, SettingsError
from tests.factories import settings_in
from tests.holds import holds
from tests.oauth.conftest import BASE, GENERAL, assertion, backend, challenge, csrf_of, query_of, redeem, serve
from tests.oauth.steps import events_of
from tests.oauth.upstream import (
    RPPS,
    SECRET,
    Visitor,
    activity,
    citizen,
    exercise,
    form_of,
    helene,
    professional,
    provider_of,
    signed_by,
)
from tests.world import INS, World

SCOPE = "openid fhirUser user/DocumentReference.rs"


@pytest.fixture
def app(runtime, options, fake):
    served = serve(
        runtime, replace(options, providers=(provider_of(fake.issuer), provider_of(fake.issuer, "franceconnect")))
    )
    helene(runtime)
    return served


@pytest.fixture
def world(runtime) -> World:
    return World(runtime, None).open()


def through(visitor: Visitor, **changes: str):
    """Ask as an app, sign in upstream and come back to the conversation; return its path and the answer."""
    where = visitor.begin(**changes)
    return where, visitor.come_back(visitor.leave(where))


def tokens_of(app, visitor: Visitor, **changes: str):
    """Walk the whole way and return the token response."""
    _, back = through(visitor, **changes)
    code = query_of(visitor.walk(back))["code"]
    return redeem(app.test_client(), code, client_id=changes.get("client_id", "desk")).get_json()


# --- Pro Santé Connect ------------------------------------------------------------------------------------------------


def test_a_professional_chooses_among_the_situations(app, fake, runtime):
    visitor = Visitor(app, fake, capacity="role:PractitionerRole/martin-2")
    body = tokens_of(app, visitor)
    grant = find_access(runtime, body["access_token"]).grant
    assert grant.requester.organization == "Organization/chu"
    assert grant.requester.person == "Practitioner/helene"
    assert any('name="capacity"' in page and "Cabinet" in page for page in visitor.pages)


def test_what_the_provider_says_of_the_login_is_recorded(app, fake, runtime, clock, web):
    fake.claims = {"auth_time": fake.now() - 30, "acr": "eidas3"}
    body = tokens_of(app, Visitor(app, fake, capacity="role:PractitionerRole/martin-1"))
    proof = find_access(runtime, body["access_token"]).grant.proof
    assert (proof.acr, proof.amr, proof.provider) == ("eidas3", ("sc",), "psc")
    assert proof.roles == ("PractitionerRole/martin-1", "PractitionerRole/martin-2")
    asker = backend(web, assertion(clock, iss="rs", sub="rs")).get_json()["access_token"]
    told = web.post(
        "/oauth/introspect", data={"token": body["access_token"]}, headers={"Authorization": f"Bearer {asker}"},
        base_url=BASE,
    ).get_json()  # fmt: skip
    assert (told["acr"], told["auth_time"]) == ("eidas3", fake.now() - 30)


@holds("RFC 9470")
def test_an_api_that_wants_a_stronger_login_gets_it_from_the_provider(runtime, fake, tmp_path):
    """RFC 9470, with the card instead of the password."""
    helene(runtime)
    settings = settings_in(tmp_path, BASE, professional_level="eidas2", providers=(provider_of(fake.issuer),))
    app = create_app(settings, replace(runtime, professional_level=settings.professional_level))
    visitor = Visitor(app, fake, capacity="role:PractitionerRole/martin-1")
    fake.claims = {"acr": "eidas1"}
    weak = tokens_of(app, visitor)["access_token"]
    search = {"path": "/fhir/DocumentReference?patient=camille", "base_url": BASE}
    refused = app.test_client().get(headers={"Authorization": f"Bearer {weak}"}, **search)
    assert refused.status_code == 401
    assert 'error="insufficient_user_authentication", acr_values="eidas2"' in refused.headers["WWW-Authenticate"]
    fake.claims = {"acr": "eidas3"}
    strong = tokens_of(app, visitor, acr_values="eidas2")["access_token"]
    assert app.test_client().get(headers={"Authorization": f"Bearer {strong}"}, **search).status_code != 401


def test_a_session_of_one_situation_keeps_to_it_at_the_next_app(app, fake):
    fake.person = professional(RPPS, exercise("10", ""))
    visitor = Visitor(app, fake)
    account = find_account_of(app)
    change_account(
        *account[:1], replace(account[1], practices=(GENERAL, replace(GENERAL, role="R/2", profession="70")))
    )
    through(visitor)
    where = visitor.begin()
    assert 'name="decision"' in visitor.get(where).text


def find_account_of(app):
    runtime = app.extensions["habilis.runtime"]
    return runtime, find_account(runtime, "helene")


def test_only_the_situations_that_the_provider_confirms_are_offered(app, fake, runtime, world):
    account = find_account(runtime, "helene")
    places = [
        PractitionerRoleRef(f"PractitionerRole/{name}", f"Organization/{world.ids[name]}", name, "10")
        for name in ("chu", "other")
    ]
    change_account(runtime, replace(account, practices=tuple(places)))
    fake.person = professional(RPPS, exercise("10", "SM26", activity(numeroFinessSite="990000018")))
    visitor = Visitor(app, fake)
    body = tokens_of(app, visitor)
    assert not any('name="capacity"' in page for page in visitor.pages)
    assert find_access(runtime, body["access_token"]).grant.requester.organization == places[0].organization


@pytest.mark.parametrize(
    ("specialty", "numbers", "confirmed"),
    [("", {}, True), ("SM26", {}, True), ("SM01", {}, False), ("", {"numeroFinessSite": "990000099"}, False),
     ("", {"numeroFinessetablissementJuridique": "990000018"}, True)],
)  # fmt: skip
def test_profession_specialty_and_place_must_agree(app, fake, runtime, world, specialty, numbers, confirmed):
    account = find_account(runtime, "helene")
    place = PractitionerRoleRef("PractitionerRole/x", f"Organization/{world.ids['chu']}", "chu", "10", specialty)
    change_account(runtime, replace(account, practices=(place,)))
    fake.person = professional(RPPS, exercise("10", "SM26", activity(**numbers)))
    visitor = Visitor(app, fake)
    assert (visitor.come_back(visitor.leave()).status_code == 303) is confirmed
    assert visitor.is_in() is confirmed


R38 = "https://mos.esante.gouv.fr/NOS/TRE_R38-SpecialiteOrdinale/FHIR/TRE-R38-SpecialiteOrdinale"


def in_directory(world: World, number: str = "99700000222", specialty: tuple[str, str] = ("", "")) -> None:
    """Record a physiotherapist of the hospital in the FHIR directory. specialty: system and code."""
    system = "https://rpps.esante.gouv.fr"
    world.record("noe", {
        "resourceType": "Practitioner", "identifier": [{"system": system, "value": number}],
        "name": [{"family": "Masson", "given": ["Noé"]}],
    })  # fmt: skip
    g15 = "https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante"
    told = {"specialty": [{"coding": [{"system": specialty[0], "code": specialty[1]}]}]} if specialty[0] else {}
    world.record("noe-role", told | {
        "resourceType": "PractitionerRole", "practitioner": {"reference": f"Practitioner/{world.ids['noe']}"},
        "organization": {"reference": f"Organization/{world.ids['chu']}"},
        "code": [{"coding": [{"system": g15, "code": "70", "display": "Masseur-kinésithérapeute"}]}],
    })  # fmt: skip


def test_a_professional_of_the_directory_needs_no_account_beforehand(app, fake, runtime, world):
    in_directory(world)
    fake.person = professional("899700000222", exercise("70", ""))
    body = tokens_of(app, Visitor(app, fake))
    grant = find_access(runtime, body["access_token"]).grant
    assert grant.requester.person == f"Practitioner/{world.ids['noe']}"
    assert (grant.requester.profession, grant.organization_display) == ("70", "chu")
    assert "DocumentReference.rs?type=" in body["scope"]
    assert tokens_of(app, Visitor(app, fake))["id_token"]


@pytest.mark.parametrize(
    ("specialty", "confirmed"),
    [((R38, "SM26"), True), ((R38, "SM01"), False), (("http://snomed.info/sct", "394579002"), True)],
)
def test_a_specialty_of_the_directory_is_compared_when_it_can_be(app, fake, world, specialty, confirmed):
    in_directory(world, specialty=specialty)
    fake.person = professional("899700000222", exercise("70", "SM26"))
    visitor = Visitor(app, fake)
    assert (visitor.come_back(visitor.leave()).status_code == 303) is confirmed


def test_a_situation_that_left_the_directory_is_gone_and_ends_its_grants(app, fake, runtime, world):
    in_directory(world)
    fake.person = professional("899700000222", exercise("70", ""))
    visitor = Visitor(app, fake)
    tokens_of(app, visitor)
    account = find_by_national_id(runtime, "899700000222")
    assert len(grants_of(runtime, account.subject)) == 1
    change_account(runtime, replace(account, practices=(replace(account.practices[0], role="PractitionerRole/old"),)))
    assert Visitor(app, fake).come_back(visitor.leave()).status_code == 400
    assert visitor.come_back(visitor.leave()).status_code == 303
    assert grants_of(runtime, account.subject) == ()


def test_an_account_that_was_stopped_is_not_opened_again(app, fake, runtime, world):
    in_directory(world)
    fake.person = professional("899700000222", exercise("70", ""))
    visitor = Visitor(app, fake)
    tokens_of(app, visitor)
    account = find_by_national_id(runtime, "899700000222")
    change_account(runtime, replace(account, disabled=True))
    other = Visitor(app, fake)
    assert other.come_back(other.leave()).status_code == 403
    assert not other.is_in()
    assert not visitor.is_in()


@pytest.mark.parametrize("number", ["399700000111", "012345678901", "89970000011"])
def test_a_number_that_is_not_of_the_rpps_names_no_professional(app, fake, runtime, number):
    """Employees have numbers too, and an account may bear one for other purposes."""
    account = find_account(runtime, "helene")
    add(runtime, replace(account, login="clerk", subject="", national_id=number), "")
    fake.person = professional(number)
    visitor = Visitor(app, fake)
    assert visitor.come_back(visitor.leave()).status_code == 403
    assert not visitor.is_in()


def test_an_emergency_needs_a_card_that_was_shown_within_five_minutes(app, fake, runtime):
    visitor = Visitor(app, fake, reason="unconscious", explanation="on the road", confirmed="yes",
                      capacity="role:PractitionerRole/martin-1", identifier="284039999900148")  # fmt: skip
    World(runtime, None).open()
    fake.claims = {"auth_time": fake.now() - 400}
    scope = "openid __break-glass launch/patient patient/DocumentReference.rs"
    where = visitor.begin(scope=scope)
    asked = visitor.leave(where)
    assert (asked["max_age"], asked["acr_values"]) == ("300", "eidas2")
    assert visitor.come_back(asked).status_code == 400
    fake.claims = {"auth_time": fake.now() - 100}
    answer = visitor.walk(visitor.come_back(visitor.leave(where)))
    body = redeem(app.test_client(), query_of(answer)["code"], client_id="desk").get_json()
    assert find_access(runtime, body["access_token"]).grant.purpose == "BTG"


def test_a_key_that_the_provider_has_changed_is_fetched_anew_but_not_for_ever(app, fake):
    visitor = Visitor(app, fake)
    assert visitor.come_back(visitor.leave()).status_code == 303
    key = RSAKey.generate_key(2048, {"kid": "up-2"})
    fake.keys, fake.header, fake.sign = [key.as_dict(private=False)], {"kid": "up-2"}, signed_by(key, "RS256")
    assert visitor.come_back(visitor.leave()).status_code == 303
    fake.header = {"kid": "up-3"}
    before = len(fake.received)
    for _ in range(3):
        assert visitor.come_back(visitor.leave()).status_code == 400
    assert len([path for path, *_ in fake.received[before:] if path == "/jwks"]) <= 1


@pytest.mark.parametrize("alg", ["PS256", "RS512"])
def test_other_signatures_with_a_key_pair_will_do(app, fake, alg):
    key = RSAKey.generate_key(2048, {"kid": "up-2"})
    fake.keys, fake.header, fake.sign = [key.as_dict(private=False)], {"kid": "up-2"}, signed_by(key, alg)
    visitor = Visitor(app, fake)
    assert visitor.come_back(visitor.leave()).status_code == 303


@pytest.mark.parametrize("seconds", [-50, 50])
def test_the_provider_s_clock_may_differ_a_little(app, fake, seconds):
    now = fake.now() + seconds
    fake.claims = {"iat": now, "exp": now + 5, "auth_time": now}
    visitor = Visitor(app, fake)
    assert visitor.come_back(visitor.leave()).status_code == 303


def test_signed_userinfo_is_checked_like_an_id_token(app, fake):
    claims = professional() | {"sub": "f:psc:1", "iss": fake.issuer, "aud": "habilis"}
    head = {"alg": "RS256", "kid": "up-1"}
    visitor = Visitor(app, fake)
    for changes, status in (({}, 303), ({"aud": "evil"}, 400), ({"iss": "https://evil.example"}, 400)):
        body = fake.sign(head, claims | changes).encode()
        fake.raw["/me"] = (200, "application/jwt; charset=utf-8", body)
        assert visitor.come_back(visitor.leave()).status_code == status


@pytest.mark.parametrize(
    ("methods", "basic"), [(["client_secret_basic", "none"], True), (["client_secret_post"], False)]
)
def test_the_client_authenticates_as_the_provider_likes(app, fake, methods, basic):
    fake.metadata = {"token_endpoint_auth_methods_supported": methods}
    visitor = Visitor(app, fake)
    asked = visitor.leave()
    visitor.come_back(asked)
    sent = next(item for item in fake.received if item[0] == "/token")
    form = form_of(sent)
    assert sent[1].startswith("Basic ") is basic
    assert (form.get("client_secret") == SECRET) is not basic
    assert len(form["code_verifier"]) == 43
    assert (asked["code_challenge"], asked["code_challenge_method"]) == (challenge(form["code_verifier"]), "S256")
    assert form["redirect_uri"] == f"{BASE}/login/with/psc/callback"


@pytest.mark.parametrize(
    ("named", "is_let_in"), [(RPPS, True), ("helene", True), ("899700000222", False), ("paul", False)]
)
def test_an_ehr_launches_for_whoever_signs_in_upstream_with_the_number_that_it_names(
    app, fake, runtime, named, is_let_in
):
    handle = create_launch(runtime, Launch("desk", named, "camille"))
    visitor = Visitor(app, fake, capacity="role:PractitionerRole/martin-1")
    _, back = through(visitor, scope="openid launch patient/DocumentReference.rs", launch=handle)
    answer = query_of(visitor.walk(back))
    assert ("code" in answer, answer.get("error", "")) == (is_let_in, "" if is_let_in else "access_denied")


# --- pages ------------------------------------------------------------------------------------------------------------


def test_the_login_page_shows_the_providers_that_fit_the_app(app, fake):
    visitor = Visitor(app, fake)
    own, desk = visitor.get("/login").text, visitor.get(visitor.begin()).text
    patient = visitor.get(visitor.begin(client_id="app", scope="openid patient/*.rs")).text
    assert "Pro Santé Connect" in own
    assert "FranceConnect" in own
    assert ("Pro Santé Connect" in desk, "FranceConnect" in desk) == (True, False)
    assert ("Pro Santé Connect" in patient, "FranceConnect" in patient) == (False, True)


def test_without_providers_the_login_page_shows_none(runtime, options, fake):
    assert "/login/with/" not in Visitor(serve(runtime, options), fake).get("/login").text


@pytest.mark.parametrize(
    ("language", "text"), [("fr", "Vous n’êtes pas dans l’annuaire"), ("en", "You are not in the directory")]
)
def test_who_is_not_in_the_directory_is_told_so_in_their_language(app, fake, language, text):
    fake.person = professional("899700000999")
    visitor = Visitor(app, fake)
    where = visitor.begin()
    asked = visitor.leave(where)
    visitor.get("/login", lang=language)
    answer = visitor.come_back(asked)
    assert answer.status_code == 403
    assert text in answer.text
    assert f'href="{where}"' in answer.text
    assert "899700000999" not in answer.text


def test_every_text_of_these_pages_has_a_french_one():
    from fhir_server.http.pages.sign_in import upstream  # noqa: PLC0415
    from tests.oauth.translations import catalogue  # noqa: PLC0415

    texts = {text for pair in (*upstream._TEXTS.values(), upstream._UNTRUSTED) for text in pair}
    assert {text for text in texts if not catalogue().get(text) or not catalogue().get(text).string} == set()


def test_signing_out_here_offers_to_sign_out_there_and_puts_no_token_into_an_address(app, fake):
    visitor = Visitor(app, fake)
    visitor.come_back(visitor.leave())
    page = visitor.get("/account/apps").text
    answer = visitor.post("/logout", {"csrf": csrf_of(page)})
    assert answer.status_code == 200
    assert f'action="{fake.issuer}/end"' in answer.text
    assert re.search(r'name="id_token_hint" value="ey[^"]+"', answer.text)
    assert f'value="{BASE}/login"' in answer.text
    assert answer.headers["Content-Security-Policy"].endswith(f"form-action 'self' {fake.issuer}")
    assert not visitor.is_in()


def test_a_local_login_is_signed_out_as_before(app, fake):
    visitor = Visitor(app, fake)
    page = visitor.get("/login").text
    visitor.post("/login", {"csrf": csrf_of(page), "login": "camille", "password": "correct horse battery"})
    page = visitor.get("/account/apps").text
    assert visitor.post("/logout", {"csrf": csrf_of(page)}).status_code == 303


# --- FranceConnect ----------------------------------------------------------------------------------------------------


@pytest.fixture
def ines(runtime, world) -> Account:
    """Record Inès with an account that has no password."""
    id_ = world.record("ines", {
        "resourceType": "Patient", "identifier": [{"system": INS, "value": "290079999900153"}], "gender": "female",
        "birthDate": "1990-07-14", "name": [{"use": "official", "family": "Lefevre", "given": ["Ines", "Marie"]}],
    })  # fmt: skip
    return add(runtime, Account("ines", RequesterKind.PATIENT, f"Patient/{id_}", "Inès Lefèvre"), "")


@pytest.fixture
def patient(app, fake) -> Visitor:
    fake.person = citizen()
    fake.claims = {"sub": "fc-1", "acr": "eidas2", "amr": ["pwd", "otp"]}
    fake.person |= {"sub": "fc-1"}
    return Visitor(app, fake, "franceconnect")


def type_code(visitor: Visitor, code: str):
    page = visitor.get("/login/link")
    return visitor.post("/login/link", {"csrf": csrf_of(page.text), "code": code})


def test_a_patient_is_linked_once_and_then_known(app, patient, ines, runtime):
    where, back = through(patient, client_id="app", scope="openid fhirUser patient/DocumentReference.rs")
    assert back.headers["Location"].endswith("/login/link")
    assert not patient.is_in()
    assert type_code(patient, "AAAA-AAAA-AAAA-AAAA-AAAA").status_code == 422
    answer = type_code(patient, invite(runtime, ines).lower().replace("-", " "))
    assert answer.headers["Location"].endswith(where)
    body = redeem(app.test_client(), query_of(patient.walk(answer))["code"]).get_json()
    assert body["patient"] == ines.person.removeprefix("Patient/")
    assert find_access(runtime, body["access_token"]).grant.proof.amr == ("pwd", "otp")
    again = Visitor(app, patient.fake, "franceconnect")
    assert again.come_back(again.leave()).headers["Location"].endswith("/account/start")


def test_a_link_and_a_failed_one_are_traced_without_the_identity(patient, ines, runtime):
    patient.come_back(patient.leave())
    type_code(patient, "CCCC-CCCC-CCCC-CCCC-CCCC")
    code = invite(runtime, ines)
    type_code(patient, code)
    told = "\n".join(orjson.dumps(event).decode() for event in events_of(runtime))
    assert "bad-link-code" in told
    assert "link:franceconnect" in told
    for secret in ("fc-1", code, code.replace("-", ""), "LEFÈVRE", "1990-07-14"):
        assert secret not in told


def test_a_code_is_good_once(app, patient, ines, runtime):
    code = invite(runtime, ines)
    patient.come_back(patient.leave())
    assert type_code(patient, code).status_code == 303
    patient.fake.claims |= {"sub": "fc-2"}
    patient.fake.person |= {"sub": "fc-2"}
    other = Visitor(app, patient.fake, "franceconnect")
    other.come_back(other.leave())
    assert type_code(other, code).status_code == 422
    assert not other.is_in()


@pytest.mark.parametrize("changes", [{"birthdate": "1990-07-15"}, {"family_name": "LEROY"}, {"given_name": "Marie"},
                                     {"gender": "male"}, {"birthdate": ""}, {"family_name": ""}], ids=str)  # fmt: skip
def test_a_code_in_other_hands_opens_nothing_and_is_good_no_more(patient, ines, runtime, changes):
    code = invite(runtime, ines)
    right = dict(patient.fake.person)
    patient.fake.person = right | changes
    patient.come_back(patient.leave())
    assert type_code(patient, code).status_code == 422
    assert not patient.is_in()
    patient.fake.person = right
    patient.come_back(patient.leave())
    assert type_code(patient, code).status_code == 422


def test_a_newer_code_replaces_the_older_and_codes_expire(patient, ines, runtime, clock):
    older, newer = invite(runtime, ines), invite(runtime, ines)
    patient.come_back(patient.leave())
    assert type_code(patient, older).status_code == 422
    clock.advance(days=15)
    patient.come_back(patient.leave())
    assert type_code(patient, newer).status_code == 422


def test_codes_are_not_guessed(patient, ines, runtime):
    code = invite(runtime, ines)
    patient.come_back(patient.leave())
    for _ in range(10):
        assert type_code(patient, "BBBB-BBBB-BBBB-BBBB-BBBB").status_code == 422
    assert type_code(patient, code).status_code == 429
    assert not patient.is_in()


def test_one_subject_opens_one_account_and_a_new_link_ends_the_old(app, patient, ines, runtime):
    patient.come_back(patient.leave())
    type_code(patient, invite(runtime, ines))
    patient.fake.claims |= {"sub": "fc-2"}
    patient.fake.person |= {"sub": "fc-2"}
    other = Visitor(app, patient.fake, "franceconnect")
    other.come_back(other.leave())
    assert type_code(other, invite(runtime, ines)).status_code == 303
    patient.fake.claims |= {"sub": "fc-1"}
    patient.fake.person |= {"sub": "fc-1"}
    first = Visitor(app, patient.fake, "franceconnect")
    assert first.come_back(first.leave()).headers["Location"].endswith("/login/link")


def test_a_link_is_for_the_browser_that_signed_in(app, patient, ines, runtime):
    patient.come_back(patient.leave())
    thief = Visitor(app, patient.fake, "franceconnect")
    thief.get("/login")
    assert thief.get("/login/link").status_code == 400
    assert patient.post("/login/link", {"csrf": "x", "code": invite(runtime, ines)}).status_code == 400


def test_a_weak_login_of_a_citizen_is_refused(runtime, options, fake):
    weak = replace(provider_of(fake.issuer, "franceconnect"), level="eidas2")
    visitor = Visitor(serve(runtime, replace(options, providers=(weak,))), fake, "franceconnect")
    fake.claims = {"acr": "eidas1"}
    assert visitor.come_back(visitor.leave()).status_code == 400


def test_a_subject_upstream_is_no_national_id(patient, ines, runtime):
    """What an employer writes into an assertion cannot name somebody's FranceConnect subject."""
    patient.come_back(patient.leave())
    type_code(patient, invite(runtime, ines))
    assert find_by_national_id(runtime, "franceconnect|fc-1") is None
    assert find_by_national_id(runtime, "fc-1") is None


@pytest.mark.parametrize(
    ("one", "other"), [("Œuvrard", "OEUVRARD"), ("Le Gall-Bihan", "LE GALL BIHAN"), ("Éloïse", "ELOISE")]
)
def test_names_are_compared_as_people_write_them(one, other):
    assert is_same(Traits(one, one, "1990-01-01", ""), Traits(other, other, "1990-01-01", "female"))


# --- secrets and settings ---------------------------------------------------------------------------------------------


def test_nothing_secret_is_logged_or_traced(app, fake, runtime, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    visitor = Visitor(app, fake, capacity="role:PractitionerRole/martin-1")
    where = visitor.begin()
    asked = visitor.leave(where)
    code = query_of(visitor.walk(visitor.come_back(asked)))["code"]
    redeem(app.test_client(), code, client_id="desk")
    fake.claims = {"nonce": "wrong"}
    visitor.come_back(visitor.leave())
    out, err = capfd.readouterr()
    written = "\n".join([caplog.text, out, err, *(orjson.dumps(event).decode() for event in events_of(runtime))])
    verifier = form_of(next(item for item in fake.received if item[0] == "/token"))["code_verifier"]
    for secret in (SECRET, "up-token", "up-code", verifier, asked["state"], asked["nonce"], fake.id_token()[:30], RPPS):
        assert secret not in written
    assert SECRET not in repr(provider_of(fake.issuer))


def test_a_refused_sign_in_is_traced_with_its_reason(app, fake, runtime):
    fake.claims = {"aud": "evil"}
    visitor = Visitor(app, fake)
    visitor.come_back(visitor.leave())
    assert any("upstream-bad-claims" in orjson.dumps(event).decode() for event in events_of(runtime))


_PSC = {
    "HABILIS_PSC_ISSUER": "https://psc.example/realm",
    "HABILIS_PSC_CLIENT_ID": "c",
    "HABILIS_PSC_CLIENT_SECRET": "s",
}


def test_providers_are_read_from_the_environment():
    read = Settings.from_environment(_PSC | {"HABILIS_PSC_LEVEL": "eidas2"})
    assert [(p.id, p.issuer, p.level, p.private_network) for p in read.providers] == [
        ("psc", "https://psc.example/realm", "eidas2", False)
    ]
    assert Settings.from_environment({}).providers == ()
    assert "'s'" not in repr(read)


@pytest.mark.parametrize(
    ("changes", "variable"),
    [({"HABILIS_PSC_ISSUER": "http://psc.example"}, "PSC_ISSUER"),
     ({"HABILIS_PSC_ISSUER": "https://a/?b"}, "PSC_ISSUER"),
     ({"HABILIS_PSC_CLIENT_SECRET": ""}, "PSC_CLIENT_SECRET"), ({"HABILIS_PSC_LEVEL": "high"}, "PSC_LEVEL"),
     ({"HABILIS_UPSTREAM_PRIVATE_NETWORK": "maybe"}, "UPSTREAM_PRIVATE_NETWORK"),
     ({"HABILIS_PSC_ISSUER": "http://127.0.0.1:9", "HABILIS_BASE_URL": "https://h.example"}, "PSC_ISSUER")],
)  # fmt: skip
def test_an_unsafe_provider_stops_the_start(changes, variable):
    with pytest.raises(SettingsError, match=variable):
        Settings.from_environment(_PSC | changes)
