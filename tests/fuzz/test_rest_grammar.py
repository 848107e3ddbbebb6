"""The grammars of patches in XML, criteria, histories and entries of Bundles, bent at every place: never a 5xx."""

import json
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.strategies import MODIFIERS, TYPES, VALUES
from tests.world import FHIR_JSON, JSON_PATCH, World

_OPTIONS = settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
_STEPS = st.sampled_from([
    "f:Practitioner", "Practitioner", "f:name", "f:active", "*", "/", "/", "//", "@value", "text()", "[1]", "[0]",
    "[999999]", "[@url='x']", "[f:family/@value='X']", "[.='']", "[", "]", "'", "..", "id('x')", "g:x", "f:", "::", "@",
    "count(//*)", "é", "[1][1][1]", " ",
])  # fmt: skip
_SELECTORS = st.lists(_STEPS, max_size=8).map("".join) | st.just("f:Practitioner/f:name")
_CONTENT = st.sampled_from([
    "", "x", "<f:active value='true'/>", "<f:name><f:family value='X'/></f:name>", "<active/>", "<f:x/>", "<f:name/>",
    "<f:Practitioner/>", "&amp;", "<f:text><f:status value='x'/></f:text>", "<![CDATA[x]]>", "<!-- x -->", "<?x y?>",
    "<f:extension url='urn:x'><f:valueDecimal value='1.50'/></f:extension>", "<f:contained><f:Patient/></f:contained>",
])  # fmt: skip
_NAMES = ("", "_id", "identifier", "patient", "subject", "patient.identifier", "active", "_lastUpdated", "_has:x:y:z",
          "practitioner", "_since", "_at", "_count", "_page", "_format", "_list", "near", "author.family")  # fmt: skip
_PAIRS = st.tuples(st.sampled_from(_NAMES), st.sampled_from(MODIFIERS), st.sampled_from(VALUES) | st.text(max_size=8))
_QUERIES = st.lists(_PAIRS, max_size=4)


@st.composite
def _patches(draw):
    operations = []
    for _ in range(draw(st.integers(0, 4))):
        name = draw(st.sampled_from(["add", "add", "replace", "remove", "move", "diff"]))
        attributes = f"sel={quoteattr(draw(_SELECTORS))}"
        if draw(st.booleans()):
            place = draw(st.sampled_from(["before", "after", "prepend", "x", ""]))
            kind = draw(st.sampled_from(["@value", "@", "@é", "@a b", "namespace::x", ""]))
            attributes += f" pos={quoteattr(place)} type={quoteattr(kind)}"
        operations.append(f"<{name} {attributes}>{draw(_CONTENT)}</{name}>")
    namespace = draw(st.sampled_from(["", ' xmlns="http://hl7.org/fhir"', ' xmlns="urn:x"']))
    start = draw(
        st.sampled_from(["", "", "", "<!DOCTYPE diff>", "<?xml version='1.0' encoding='x'?>", "\x00", "\ufeff"])
    )
    return f'{start}<diff xmlns:f="http://hl7.org/fhir"{namespace}>{"".join(operations)}</diff>'


@st.composite
def _entries(draw, ids):
    place = st.sampled_from([
        *TYPES, *ids, "_history", "_search", "metadata", "$explain", "$close-space", "$", "1", "..", "", "%2e%2e",
        "%00", "é", "Binary", "https://x", "//", "?", "#x", "?_id=x", "?identifier=urn:x|1", "?_type=Patient", "\x00",
    ])  # fmt: skip
    url = draw(st.lists(place, min_size=1, max_size=4).map("/".join)).replace("/?", "?")
    request = {
        "method": draw(st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "GET", "x"])),
        "url": url,
    }
    for name in ("ifMatch", "ifNoneMatch", "ifNoneExist", "ifModifiedSince"):
        if draw(st.integers(0, 4)) == 0:
            request[name] = draw(st.sampled_from(VALUES))
    entry = {"request": request}
    if draw(st.booleans()):
        entry["resource"] = draw(st.sampled_from([
            {"resourceType": "Practitioner"}, {"resourceType": "Parameters"},
            {"resourceType": "Practitioner", "id": "x"},
            {"resourceType": "Binary", "contentType": "application/xml-patch+xml", "data": "PGRpZmYvPg=="},
            {"resourceType": "Binary", "contentType": JSON_PATCH, "data": "W10="}, {"resourceType": "Consent"},
        ]))  # fmt: skip
    return entry


def _sound(answer) -> None:
    assert answer.status_code < 500, answer.get_data(as_text=True)[:2000]
    text = answer.get_data(as_text=True)
    assert "Traceback" not in text
    assert '"exception"' not in text, text[:2000]


def test_no_patch_in_xml_breaks_the_server(world: World):
    @_OPTIONS
    @given(_patches())
    def ask(patch):
        path = f"/Practitioner/{world.ids['nour']}"
        _sound(world.send("keeper", "PATCH", path, patch.encode("utf-8", "replace"), "application/xml-patch+xml"))

    ask()


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST", "GET"])
def test_no_criteria_and_no_history_break_the_server(world: World, method):
    @_OPTIONS
    @given(
        st.sampled_from(["Practitioner", "PractitionerRole", "Consent", "DocumentReference", "Patient", ""]), _QUERIES
    )
    def ask(type_, pairs):
        query = "&".join(f"{name}{modifier}={value}" for name, modifier, value in pairs)
        query = "".join(one for one in query if one.isprintable()).encode("utf-8", "replace").decode("latin-1")
        body = {"PUT": {"resourceType": type_}, "POST": {"resourceType": type_}, "PATCH": []}.get(method)
        mime = JSON_PATCH if method == "PATCH" else FHIR_JSON
        if method == "GET":
            _sound(world.get("camille", f"/{type_}{'/' if type_ else ''}_history?{query}"))
        elif method == "POST":
            _sound(world.send("keeper", "POST", f"/{type_}", body, mime, If_None_Exist=query))
        else:
            _sound(world.send("camille", method, f"/{type_}?{query}", body, mime))

    ask()


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_no_entry_of_a_bundle_breaks_the_server(world: World, kind):
    @_OPTIONS
    @given(st.lists(_entries(tuple(world.ids.values())[:4]), max_size=3))
    def ask(entries):
        bundle = {"resourceType": "Bundle", "type": kind, "entry": entries}
        _sound(world.send("keeper", "POST", "", json.dumps(bundle).encode()))

    ask()


def test_text_of_a_patch_is_escaped_as_it_was_sent(world: World):
    odd = "a<b>&\"'é\U0001f600"
    name = f"<f:name><f:text value={quoteattr(odd)}/></f:name>"
    body = f'<diff xmlns:f="http://hl7.org/fhir"><add sel="f:Practitioner">{name}</add></diff>'.encode()
    answer = world.send("keeper", "PATCH", f"/Practitioner/{world.ids['nour']}", body, "application/xml-patch+xml")
    assert answer.get_json()["name"][-1]["text"] == odd
    assert escape(odd) != odd
