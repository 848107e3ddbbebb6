"""SMART scopes: read, written, compared, intersected; nothing unknown is ever guessed."""

import pytest

from consent_rules.scopes import Scope, ScopeGrant, Scopes

parse = Scopes.parse


@pytest.fixture(autouse=True)
def _read_anew():
    """Each test reads its own scopes, whatever was read before it."""
    parse.cache_clear()


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("user/DocumentReference.rs", "user/DocumentReference.rs"),
        ("user/DocumentReference.r user/DocumentReference.s", "user/DocumentReference.rs"),
        ("user/DocumentReference.rs user/DocumentReference.r", "user/DocumentReference.rs"),
        ("user/DocumentReference.read", "user/DocumentReference.read"),
        ("user/DocumentReference.read user/DocumentReference.write", "user/DocumentReference.*"),
        ("user/DocumentReference.read user/DocumentReference.c", "user/DocumentReference.crs"),
        ("user/DocumentReference.read user/DocumentReference.rs", "user/DocumentReference.rs"),
        ("user/DocumentReference.rs user/DocumentReference.read", "user/DocumentReference.rs"),
        ("user/DocumentReference.read?type=a", "user/DocumentReference.read?type=a"),
        ("user/DocumentReference.rs?type=a=b", "user/DocumentReference.rs?type=a%3Db"),
        ("patient/*.rs patient/Consent.r", "patient/*.rs"),
        ("patient/*.r patient/Consent.rs", "patient/*.r patient/Consent.rs"),
        ("patient/Consent.r user/Consent.r", "patient/Consent.r user/Consent.r"),
        ("openid fhirUser launch/patient offline_access", "fhirUser launch/patient offline_access openid"),
        ("launch launch/encounter?role=https://x.example/r", "launch launch/encounter?role=https://x.example/r"),
        ("__break-glass https://x.example/scope urn:x", "__break-glass https://x.example/scope urn:x"),
        ("system/DocumentReference.create system/DocumentReference.search", "system/DocumentReference.cs"),
        ("user/DocumentReference.rs?type=b,a,a", "user/DocumentReference.rs?type=a,b"),
        (
            "user/DocumentReference.rs?type=http://loinc.org|34112-3&category=10",
            "user/DocumentReference.rs?category=10&type=http://loinc.org|34112-3",
        ),
        ("user/DocumentReference.rs?type=a%26b", "user/DocumentReference.rs?type=a%26b"),
        ("user/DocumentReference.rs user/DocumentReference.rs?type=a", "user/DocumentReference.rs"),
        (
            "user/DocumentReference.r user/DocumentReference.rs?type=a",
            "user/DocumentReference.r user/DocumentReference.rs?type=a",
        ),
        ("", ""),
    ],
)
def test_the_shortest_form_is_written(text, written):
    assert str(parse(text)) == written
    assert parse(written) == parse(text)


@pytest.mark.parametrize(
    "word",
    [
        "user/DocumentReference.sr",
        "user/DocumentReference.dus",
        "user/DocumentReference.readwrite",
        "user/DocumentReference.",
        "user/DocumentReference.rr",
        "user/DocumentReference.x",
        "user/documentReference.r",
        "User/DocumentReference.r",
        "admin/DocumentReference.r",
        "user/DocumentReference.create",
        "user/DocumentReference.r?",
        "user/DocumentReference.r?type",
        "user/DocumentReference.r?type=",
        "user/DocumentReference.r?type=a,",
        "user/DocumentReference.r?type=a&type=b",
        "user/DocumentReference.r?type:not=a",
        "user/DocumentReference.r?patient.name=a",
        "user/DocumentReference.r?status=current",
        "user/Consent.r?category=a",
        "user/*.r?type=a",
        "xuser/DocumentReference.r",
        "launch/Patient",
        "openidx",
        'https://x"y',
        "nonsense",
    ],
)
def test_what_is_not_understood_is_dropped_and_never_guessed(word):
    assert not parse(word)


def test_grants_of_a_letter():
    scopes = parse("user/DocumentReference.rs?type=a patient/*.r system/Consent.s")
    assert scopes.grants("DocumentReference", "r") == (ScopeGrant("patient"), ScopeGrant("user", (("type", "a"),)))
    assert scopes.grants("DocumentReference", "s") == (ScopeGrant("user", (("type", "a"),)),)
    assert scopes.grants("Consent", "r") == (ScopeGrant("patient"),)
    assert scopes.grants("Consent", "d") == ()


def test_contexts_are_had_or_not():
    scopes = parse("openid user/Consent.r")
    assert scopes.has("openid")
    assert not scopes.has("fhirUser")
    assert bool(scopes)
    assert not parse("nonsense")


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("user/*.cruds", "user/DocumentReference.r"),
        ("user/DocumentReference.rs", "user/DocumentReference.r?type=a"),
        ("user/DocumentReference.r?type=a,b", "user/DocumentReference.r?type=a"),
        ("user/DocumentReference.r?type=a", "user/DocumentReference.r?type=http://loinc.org|a"),
        ("user/DocumentReference.r?type=a", "user/DocumentReference.r?type=a&category=b"),
        ("user/DocumentReference.r?type=a user/DocumentReference.s", "user/DocumentReference.rs?type=a"),
        ("user/DocumentReference.read", "user/DocumentReference.rs"),
        ("openid user/Consent.r", "openid"),
    ],
)
def test_the_wider_contains_the_narrower_and_not_the_other_way(wide, narrow):
    assert parse(wide).contains(parse(narrow))
    assert parse(wide).contains(parse(wide))
    if parse(wide) != parse(narrow):
        assert not parse(narrow).contains(parse(wide))


@pytest.mark.parametrize("wide", ["a", "b|a"])
def test_a_code_that_holds_a_bar_is_another_code(wide):
    """`s|b|a` is the code `b|a` of the system `s`."""
    narrow = parse("user/DocumentReference.r?type=s|b|a")
    assert not parse(f"user/DocumentReference.r?type={wide}").contains(narrow)


@pytest.mark.parametrize(
    ("a", "b", "both"),
    [
        ("user/*.cruds", "user/DocumentReference.rs", "user/DocumentReference.rs"),
        ("user/DocumentReference.rs", "user/*.cruds", "user/DocumentReference.rs"),
        ("user/DocumentReference.rs", "user/DocumentReference.cr", "user/DocumentReference.r"),
        ("user/DocumentReference.r", "user/DocumentReference.s", ""),
        ("user/DocumentReference.r", "patient/DocumentReference.r", ""),
        ("user/DocumentReference.r", "user/Consent.r", ""),
        ("user/DocumentReference.r?type=a,b", "user/DocumentReference.r?type=b,c", "user/DocumentReference.r?type=b"),
        ("user/DocumentReference.r?type=a", "user/DocumentReference.r?type=b", ""),
        (
            "user/DocumentReference.r?type=a",
            "user/DocumentReference.r?category=b",
            "user/DocumentReference.r?category=b&type=a",
        ),
        (
            "user/DocumentReference.r?type=a",
            "user/DocumentReference.r?type=s|a,t|a",
            "user/DocumentReference.r?type=s|a,t|a",
        ),
        ("user/DocumentReference.r?type=s|a", "user/DocumentReference.r?type=t|a", ""),
        ("user/*.read", "user/DocumentReference.read", "user/DocumentReference.read"),
        ("user/*.*", "user/DocumentReference.read", "user/DocumentReference.rs"),
        ("openid fhirUser", "openid launch", "openid"),
    ],
)
def test_what_both_allow(a, b, both):
    assert str(parse(a).meet(parse(b))) == both
    assert parse(a).meet(parse(b)) == parse(b).meet(parse(a))


def test_the_letters_that_both_allow_stay_in_order():
    both = Scope("user", "Consent", "cruds").meet(Scope("user", "*", "crs"))
    assert both == Scope("user", "Consent", "crs")


def test_a_context_alone_is_something():
    assert bool(parse("openid"))
    assert bool(parse("user/Consent.r"))


def test_only_what_must_be_is_encoded():
    assert str(parse("user/DocumentReference.r?type=https://x/y|aX%20b")) == (
        "user/DocumentReference.r?type=https://x/y|aX%20b"
    )


def test_the_spelling_of_version_1_is_no_difference():
    assert Scope("user", "Consent", "rs", v1=True) == Scope("user", "Consent", "rs")
