"""https://hl7.org/fhir/R4/search.html: a search finds what indexing stored, and nothing else."""

import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from consent_rules.visibility import AccessFacts
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.search import dates, tokens
from fhir_server.domain.search.criteria import AnyOf, DateIs, NoneOf
from fhir_server.domain.search.values import criterion
from fhir_server.domain.stored import Facts
from fhir_server.registry import SearchParam

BASE = "https://habilis.example/fhir"
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=30)
HARD = st.text(st.sampled_from("ab|*\\,$? "), min_size=1, max_size=6)
VALUES = TEXTS | HARD
IDS = st.from_regex(r"[A-Za-z0-9\-.]{1,64}", fullmatch=True)


def param(type_, targets=()):
    return SearchParam("p", type_, (), "http://example.org/p", targets=targets)


def facts(found=frozenset(), intervals=None):
    return Facts(AccessFacts("p"), found | ({tokens.present("p")} if found else set()), dates=intervals or {})


def escaped(value):
    return "".join(f"\\{char}" if char in "\\,|$" else char for char in value)


def matches(kind, raw, of, modifier="", targets=()):
    return criterion(param(kind, targets), modifier, raw, BASE).matches(of)


class TestTokens:
    @given(VALUES, VALUES)
    def test_coding_is_found_by_code_by_system_and_code_and_by_system(self, system, code):
        stored = facts(tokens.token("p", system, code))

        for raw in (escaped(code), f"{escaped(system)}|{escaped(code)}", f"{escaped(system)}|"):
            assert matches("token", raw, stored)
            assert not matches("token", raw, stored, "not")

    @given(VALUES, VALUES, VALUES, VALUES)
    def test_other_codings_are_not_found(self, system, code, other_system, other_code):
        assume((system, code) != (other_system, other_code))

        assert not matches(
            "token", f"{escaped(other_system)}|{escaped(other_code)}", facts(tokens.token("p", system, code))
        )

    @given(VALUES)
    def test_code_without_a_system_is_found_by_a_bar_before_it(self, code):
        assert matches("token", f"|{escaped(code)}", facts(tokens.token("p", "", code)))
        assert not matches("token", f"|{escaped(code)}", facts(tokens.token("p", "urn:s", code)))

    @given(st.lists(VALUES, min_size=1, max_size=4))
    def test_commas_mean_or(self, codes):
        raw = ",".join(escaped(code) for code in codes)

        assert all(matches("token", raw, facts(tokens.token("p", "urn:s", code))) for code in codes)

    @given(VALUES, VALUES)
    def test_key_of_an_identifier_is_what_an_exact_search_asks_for(self, system, value):
        asked = criterion(param("token"), "", f"{escaped(system)}|{escaped(value)}", BASE)

        assert asked == AnyOf(tokens.identifier_key("p", system, value))

    def test_code_that_looks_like_a_wildcard_opens_nothing(self):
        assert not matches("token", "urn:s|*", facts(tokens.token("p", "urn:s", "a")))
        assert not matches("token", "*|a", facts(tokens.token("p", "urn:s", "a")))

    def test_a_resource_without_the_element_is_not_any_code(self):
        assert matches("token", "a", facts(), "not")


class TestReferences:
    @given(IDS)
    def test_target_is_found_by_type_by_url_by_version_and_by_id(self, id_):
        stored = facts(tokens.reference("p", f"Patient/{id_}"))

        for raw in (f"Patient/{id_}", f"{BASE}/Patient/{id_}", f"Patient/{id_}/_history/3", id_):
            assert matches("reference", raw, stored)
        assert matches("reference", id_, stored, "Patient")
        assert matches("reference", id_, stored, "", ("Patient",))
        assert not matches("reference", f"Group/{id_}", stored)
        assert not matches("reference", f"https://other.example/Patient/{id_}", stored)

    @given(IDS)
    def test_target_stored_by_the_own_url_is_the_same(self, id_):
        stored = facts(tokens.reference("p", f"{BASE}/Patient/{id_}"))

        assert matches("reference", f"Patient/{id_}", stored)
        assert matches("reference", id_, stored, "", ("Patient",))

    @given(VALUES, VALUES)
    def test_logical_reference_is_found_by_its_identifier(self, system, value):
        stored = facts(tokens.reference_identifier("p", system, value))

        assert matches("reference", f"{escaped(system)}|{escaped(value)}", stored, "identifier")
        assert not matches("reference", "urn:uuid:1", stored)

    def test_urn_is_found_by_itself(self):
        assert matches("reference", "urn:uuid:1", facts(tokens.reference("p", "urn:uuid:1")))


class TestStrings:
    @given(TEXTS)
    def test_text_is_found_by_every_beginning_whatever_its_case_and_accents(self, text):
        stored, folded = facts(tokens.string("p", text)), tokens.fold(text)
        assume(folded)

        for size in range(1, len(folded) + 1):
            if folded[:size].strip():
                assert matches("string", escaped(folded[:size]), stored)

    @given(TEXTS)
    def test_exact_means_the_very_text(self, text):
        assert matches("string", escaped(text), facts(tokens.string("p", text)), "exact")
        assert not matches("string", escaped(text), facts(tokens.string("p", text + "x")), "exact")

    def test_parts_of_a_double_name_are_found_on_their_own(self):
        stored = facts(tokens.string("p", "Lefèvre-d'Étaples"))

        assert all(matches("string", raw, stored) for raw in ("etap", "LEFEVRE", "lefèvre d’é", "D'etaples"))
        assert not matches("string", "taples", stored)

    def test_prose_is_found_by_its_beginning_only(self):
        stored = facts(tokens.string("p", "Compte rendu", words=False))

        assert matches("string", "compte r", stored)
        assert not matches("string", "rendu", stored)

    @given(TEXTS)
    def test_folding_twice_changes_nothing(self, text):
        folded = tokens.fold(text)

        assert tokens.fold(folded) == folded
        assert not any(unicodedata.combining(char) for char in unicodedata.normalize("NFKD", folded))


INSTANTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


def micros(at):
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


class TestDates:
    @given(INSTANTS, st.sampled_from(["%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ"]))
    def test_interval_holds_the_instant_at_every_precision(self, at, form):
        text = at.strftime(form.replace("%Y", f"{at.year:04}"))

        low, high = dates.interval_of(text)

        assert low <= micros(at) < high
        assert dates.EARLIEST <= low < high <= dates.LATEST

    @given(INSTANTS, st.integers(-14 * 60, 14 * 60))
    def test_zone_names_the_same_instant(self, at, minutes):
        assume(1 < at.year < 9998)
        local = at.astimezone(timezone(timedelta(minutes=minutes)))

        assert dates.interval_of(local.isoformat(timespec="microseconds")) == (micros(at), micros(at) + 1)

    @given(INSTANTS, INSTANTS)
    def test_search_by_the_stored_value_finds_it_and_order_holds(self, a, b):
        early, late = sorted((a, b))
        stored = facts(intervals={"p": dates.interval_of(early.isoformat().replace("+00:00", "Z"))})

        assert matches("date", early.isoformat(), stored)
        assert matches("date", f"le{late.isoformat()}", stored)
        assert matches("date", f"ge{early.isoformat()}", stored)
        if late - early > timedelta(seconds=1):
            assert matches("date", f"lt{late.isoformat()}", stored)
            assert matches("date", f"eb{late.isoformat()}", stored)
            assert not matches("date", f"gt{late.isoformat()}", stored)

    @pytest.mark.parametrize(
        ("raw", "op", "text"),
        [
            ("2026", "eq", "2026"),
            ("ne2026-03", "ne", "2026-03"),
            ("ge2026-03-02T09:00:00 01:00", "ge", "2026-03-02T09:00:00+01:00"),
            ("sa2026-03-02T09:00:00", "sa", "2026-03-02T09:00:00Z"),
            ("lt2026-03-02T09:00:60Z", "lt", "2026-03-02T09:01:00Z"),
        ],
    )
    def test_prefix_and_precision_are_read(self, raw, op, text):
        assert dates.searched(raw) == (op, dates.interval_of(text))

    def test_minutes_are_enough_in_a_search(self):
        low, high = dates.searched("2026-03-02T09:00")[1]

        assert (high - low, low) == (60_000_000, dates.interval_of("2026-03-02T09:00:00Z")[0])

    def test_about_widens_by_the_length_of_the_value(self):
        low, high = dates.interval_of("2026-03-02")

        assert dates.searched("ap2026-03-02") == ("ap", (2 * low - high, 2 * high - low))

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "26",
            "0000",
            "2026-00",
            "2026-02-30",
            "2026-1-1",
            "2026-03-02T09",
            "2026-03-02T24:00:00Z",
            "2026-03-02T09:00:00",
            "2026-03-02T09:00:00+14:30",
            "2026-03-02 09:00:00Z",
            "२०२६",
            "2026-03-02T09:00:00.Z",
            "2026-03-02Z",
            "2026\n",
        ],
    )
    def test_what_is_no_date_is_refused(self, text):
        with pytest.raises(ValueError, match=r"date|zone|day"):
            dates.interval_of(text)

    def test_missing_bounds_of_a_period_are_infinite_and_its_end_is_whole(self):
        assert dates.period_of({"start": "2026"}) == (dates.interval_of("2026")[0], dates.LATEST)
        assert dates.period_of({"end": "2026-01"}) == (dates.EARLIEST, dates.interval_of("2026-02")[0])
        assert dates.period_of({}) == (dates.EARLIEST, dates.LATEST)

    def test_period_that_ends_before_it_starts_is_refused(self):
        with pytest.raises(ValueError, match="ends before"):
            dates.period_of({"start": "2026", "end": "2025"})


class TestRefusals:
    @pytest.mark.parametrize(
        ("kind", "modifier", "raw", "category"),
        [
            ("token", "text", "a", Category.UNSUPPORTED),
            ("token", "in", "a", Category.UNSUPPORTED),
            ("string", "contains", "a", Category.UNSUPPORTED),
            ("reference", "above", "a", Category.UNSUPPORTED),
            ("reference", "Group", "a", Category.UNSUPPORTED),
            ("uri", "below", "http://a", Category.UNSUPPORTED),
            ("date", "exact", "2026", Category.UNSUPPORTED),
            ("token", "", "", Category.MALFORMED),
            ("token", "", ",", Category.MALFORMED),
            ("token", "", "|", Category.MALFORMED),
            ("token", "", "a|b|c", Category.MALFORMED),
            ("token", "", "a\\b", Category.MALFORMED),
            ("token", "", "a\\", Category.MALFORMED),
            ("token", "missing", "yes", Category.MALFORMED),
            ("reference", "", "a b", Category.MALFORMED),
            ("reference", "Patient", "Practitioner/1", Category.MALFORMED),
            ("string", "", "--", Category.MALFORMED),
            ("string", "", "a" * 41, Category.MALFORMED),
            ("date", "", "yesterday", Category.MALFORMED),
            ("date", "", "xx2026", Category.MALFORMED),
        ],
    )
    def test_value_that_cannot_be_honoured_is_refused_by_name(self, kind, modifier, raw, category):
        with pytest.raises(Problem) as refused:
            criterion(param(kind, ("Patient", "Practitioner")), modifier, raw, BASE)

        assert refused.value.category is category
        assert "`p`" in refused.value.issues[0].text

    def test_missing_asks_for_presence_of_any_type(self):
        for kind in ("token", "reference", "string", "date", "uri"):
            asked = param(kind, ("Patient",))
            assert criterion(asked, "missing", "true", BASE) == NoneOf(frozenset({"p|?"}))
            assert criterion(asked, "missing", "false", BASE) == AnyOf(frozenset({"p|?"}))

    @pytest.mark.parametrize("targets", [(), ("DocumentReference",), ("Patient", "DocumentReference")])
    def test_presence_is_not_asked_of_what_may_name_a_document(self, targets):
        with pytest.raises(Problem) as refused:
            criterion(param("reference", targets), "missing", "true", BASE)

        assert refused.value.category is Category.UNSUPPORTED

    def test_several_dates_are_alternatives(self):
        asked = criterion(param("date"), "", "2025,ge2027", BASE)

        assert asked == DateIs("p", (("eq", dates.interval_of("2025")), ("ge", dates.interval_of("2027"))))

    def test_uri_is_compared_as_it_is(self):
        stored = facts(tokens.uri("p", "http://example.org/A"))

        assert matches("uri", "http://example.org/A", stored)
        assert not matches("uri", "http://example.org/a", stored)
