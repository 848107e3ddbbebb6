"""By which keys a patient is found: whoever states traits of a record finds it, and no key holds one trait alone."""

from hypothesis import given
from hypothesis import strategies as st

from fhir_server.domain.directory.identity_keys import BIRTH_PLACE, is_whole, keys_asked, keys_of, name_key

NAMES = st.text(min_size=1, max_size=12).filter(name_key)
DATES = st.dates().map(str)
GIVEN = st.lists(NAMES, min_size=1, max_size=4)


def person(family: str, given: list[str], date: str, *, place: str = "", gender: str = "") -> dict:
    built: dict = {"name": [{"family": family, "given": given}], "birthDate": date}
    coded = {"url": "https://hl7.fr/insee", "valueCoding": {"code": place}}
    built |= {"extension": [{"url": BIRTH_PLACE, "valueAddress": {"extension": [coded]}}]} if place else {}
    return built | ({"gender": gender} if gender else {})


@given(NAMES, GIVEN, DATES, st.sampled_from(["69381", "2A004", ""]), st.sampled_from(["female", ""]))
def test_whoever_states_the_traits_of_a_record_finds_it(family, given, date, place, gender):
    recorded = person(family, given, date, place=place, gender=gender)
    for size in range(1, len(given) + 1):
        asked = person(family, given[:size], date, place=place, gender=gender)
        assert keys_asked(asked)
        assert keys_asked(asked) <= keys_of(recorded)


@given(NAMES, GIVEN, DATES, NAMES, DATES)
def test_another_family_name_or_birth_date_finds_nothing(family, given, date, other, day):
    recorded = keys_of(person(family, given, date))
    if name_key(other) != name_key(family):
        assert not keys_asked(person(other, given, date)) & recorded
    if day != date:
        assert not keys_asked(person(family, given, day)) & recorded


@given(NAMES, GIVEN, DATES)
def test_every_key_holds_the_family_name_with_the_birth_date(family, given, date):
    keys = keys_of(person(family, given, date, place="69381", gender="female"))
    assert all(f"|{name_key(family)}|{date}|" in key for key in keys)


def test_names_are_compared_without_accents_hyphens_apostrophes_and_order():
    for spelt in ("LEFEVRE DUPONT", "Dupont-Lefèvre", "lefèvre–dupont", " Lefèvre  Dupont "):
        assert name_key(spelt) == name_key("Lefèvre-Dupont")
    assert name_key("D'Artagnan") == name_key("d’artagnan")
    assert name_key("Lebœuf") == name_key("LEBOEUF")
    assert name_key("Weiß") == name_key("WEISS")


def test_too_little_is_no_question():
    assert not keys_asked(person("Laurent", [], "1984-03-17"))
    assert not keys_asked(person("Laurent", ["Camille"], "1984-03"))
    assert not keys_asked(person("'", ["Camille"], "1984-03-17"))
    assert not keys_of({"name": [{"family": "Laurent"}]})
    assert keys_asked(person("Laurent", [], "1984-03-17", place="69381"))
    assert not is_whole(person("Laurent", ["Camille"], "1984-03-17", gender="female"))
    assert is_whole(person("Laurent", ["Camille"], "1984-03-17", gender="female", place="69381"))


def test_a_record_of_many_names_has_few_keys():
    many = {"name": [{"family": f"n{n}", "given": [f"g{m}" for m in range(50)]} for n in range(50)]}
    assert len(keys_of(many | {"birthDate": "1984-03-17"})) < 3000
