"""Fear: that a narrative tells who reads it, or draws over what stands beside it; codes that hide something."""

import pytest

from fhir_server.r4.primitives import CHECKS
from tests.holds import holds
from tests.world import World

PIXEL = "data:image/png;base64,iVBORw0KGgo="


def narrative(inner: str) -> str:
    return CHECKS["xhtml"](f'<div xmlns="http://www.w3.org/1999/xhtml">x{inner}</div>')


@pytest.mark.parametrize(
    "source", ["http://t.example/a.png", "https://t.example/a", "//t.example/a", "a/b.png", "data:image/svg+xml;,x"]
)
def test_an_image_is_held_in_the_narrative_itself(source):
    assert narrative(f'<img src="{source}"/>')
    assert narrative(f'<img src="{PIXEL}"/>') == ""


@holds("AC43")
@pytest.mark.parametrize(
    "style",
    [
        "background:url(http://t.example/a)",
        "background: URL ('//t.example/a')",
        "background:u\\72l(//t.example)",
        "background:image-set('//t.example/a' 1x)",
        "border-image:url(x)",
        "list-style-image:url(x)",
        "color:red;position:fixed;top:0",
        "POSITION : absolute",
        "pos/**/ition:fixed",
        "margin-top:-900px",
        "margin: 0 -900px",
        "width:calc(0px - 1px)",
        "transform:translate(1px)",
        "box-shadow:0 0 0 9999px red",
        "outline:9999px solid red",
        "z-index:9",
        "--x:1",
    ],
)
def test_a_style_that_could_fetch_something_or_cover_its_surroundings_is_refused(style):
    assert narrative(f'<p style="{style}">y</p>')


@pytest.mark.parametrize(
    "style",
    [
        "",
        "color:#123456; font-weight:bold;",
        "border:1px solid black;padding:0.5em",
        "background-color: rgb(10, 20, 30); width: 50%",
        "font-family:'Times New Roman', sans-serif; text-align:center !important",
    ],
)
def test_an_ordinary_style_stays(style):
    assert narrative(f'<p style="{style}">y</p>') == ""


@pytest.mark.parametrize("type_", ["code", "uri", "url", "canonical", "id", "oid"])
@pytest.mark.parametrize("character", ["\x00", "\x1b", "\x1f", "\x7f", "\x85"])
def test_codes_and_addresses_hold_no_control_characters(type_, character):
    good = {"code": "fr", "id": "a", "oid": "urn:oid:1.2.3"}.get(type_, "https://example.org/a")
    assert CHECKS[type_](good) == ""
    assert CHECKS[type_](good + character)


def test_a_language_with_a_control_character_is_refused_by_its_element(world: World):
    body = world.simplified() | {"language": "fr\x00"}
    answer = world.send("chu-ehr", "POST", "/DocumentReference", body)
    assert answer.status_code == 400
    assert answer.get_json()["issue"][0]["expression"] == ["DocumentReference.language"]
