"""CDA documents on a page: what people read of them, and what none of them can do to who reads."""

from base64 import b64encode

import pytest

from tests.pages.test_portal_documents import content_of
from tests.pages.visitors import camille_at_home, left
from tests.world import World

PDF = b"%PDF-1.4 nothing"
HEADER = """
<id root="1.2.250.1.213.1.1.9.1"/><code code="11488-4" codeSystem="2.16.840.1.113883.6.1" displayName="Lettre"/>
<title>{title}</title><effectiveTime value="20260203101500+0100"/><languageCode code="fr-FR"/>
<recordTarget><patientRole><id root="1.2.250.1.213.1.4.10" extension="284039999900148"/><patient>
<name><given>Camille</given><family>Laurent</family></name><birthTime value="19840317"/></patient></patientRole>
</recordTarget>
<author><assignedAuthor><assignedPerson><name><prefix>Dr</prefix><family>Haddad</family></name></assignedPerson>
<representedOrganization><name>CHU-A</name></representedOrganization></assignedAuthor></author>
<custodian><assignedCustodian><representedCustodianOrganization><name>CHU-A</name></representedCustodianOrganization>
</assignedCustodian></custodian>"""
NARRATIVE = """<paragraph>Bonjour <content styleCode="Bold">Camille</content> &amp; Léo<br/>suite</paragraph>
<list listType="ordered"><item>Doliprane</item><item><content revised="delete">Aspirine</content></item></list>
<table><caption>Biologie</caption><thead><tr><th>Analyse</th><th>Valeur</th></tr></thead>
<tbody><tr><td colspan="2" rowspan="3000">Hémoglobine 13,2</td></tr></tbody></table>"""


def cda(body: str, title: str = "Lettre de liaison", before: str = "", header: str = HEADER) -> bytes:
    inside = header.replace("{title}", title)
    text = f'{before}<ClinicalDocument xmlns="urn:hl7-org:v3">{inside}<component>{body}</component></ClinicalDocument>'
    return f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()


def sections(*narratives: str, title: str = "Traitements") -> str:
    found = "".join(
        f"<component><section><title>{title}</title><text>{one}</text></section></component>" for one in narratives
    )
    return f"<structuredBody>{found}</structuredBody>"


def enclosing(content: bytes, type_: str) -> str:
    data = b64encode(content).decode()
    return f'<nonXMLBody><text mediaType="{type_}" representation="B64">{data}</text></nonXMLBody>'


@pytest.fixture
def camille(world):
    return camille_at_home(world)


@pytest.fixture
def opened(world: World, camille):
    def of(content: bytes, mime: str = "text/xml", path: str = ""):
        id_ = content_of(world, world.publish(content=content, mime=mime))
        return camille.get(f"/contents/{id_}{path}")

    return of


def test_a_level_3_document_is_read_as_a_page(world, camille):
    document = world.publish(content=cda(sections(NARRATIVE)), mime="text/xml")
    assert "Open" in camille.get(f"/documents/{document}").text
    page = camille.get(f"/contents/{content_of(world, document)}").text
    assert "<h1" in page
    for said in ("Lettre de liaison", "Camille Laurent", "17 March 1984", "Dr Haddad, CHU-A", "Lettre"):
        assert said in page, said
    for html in (
        "<h2>Traitements</h2>",
        "<p>Bonjour <strong>Camille</strong> &amp; Léo<br>suite</p>",
        "<ol><li>Doliprane</li><li><del>Aspirine</del></li></ol>",
        '<caption>Biologie</caption><thead><tr><th scope="col">',
        '<td colspan="2">Hémoglobine 13,2</td>',
        f'href="../documents/{document}"',
    ):
        assert html in page, html


def test_other_media_types_of_cda_are_read_too(opened):
    for mime in ("application/xml", "application/hl7-sda+xml", "text/xml; charset=utf-8"):
        assert "<h2>Traitements</h2>" in opened(cda(sections("x")), mime).text


def test_an_enclosed_pdf_opens_in_its_viewer(world, camille):
    content = content_of(world, world.publish(content=cda(enclosing(PDF, "application/pdf")), mime="text/xml"))
    assert 'href="?part=1"' in camille.get(f"/contents/{content}").text
    answer = camille.get(f"/contents/{content}?part=1")
    assert (answer.content_type, answer.data) == ("application/pdf", PDF)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_an_enclosed_text_is_shown_in_the_page(opened):
    body = '<nonXMLBody><text mediaType="text/plain">Bonjour &lt;b&gt;</text></nonXMLBody>'
    assert '<pre lang="fr-FR">Bonjour &lt;b&gt;</pre>' in opened(cda(body)).text


def test_what_is_enclosed_and_could_run_is_only_a_file(opened):
    for type_ in ("text/html", "image/svg+xml", "application/pdf", "text/xml"):
        answer = opened(cda(enclosing(b"<script>alert(1)</script>", type_)), path="?part=1")
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.content_type == "application/octet-stream"


def test_no_part_is_there_where_nothing_is_enclosed(opened):
    assert opened(cda(sections("x")), path="?part=1").status_code == 404


def test_the_file_itself_stays_what_it_was(opened):
    content = cda(sections(NARRATIVE))
    answer = opened(content, path="/file")
    assert answer.data == content
    assert answer.headers["Content-Disposition"].startswith("attachment")


def test_opening_leaves_the_event_of_reading_the_content(world, camille):
    content = content_of(world, world.publish(content=cda(sections("x")), mime="text/xml"))
    by_page = left(world, lambda: camille.get(f"/contents/{content}"))
    by_app = left(world, lambda: world.get("camille", f"/Binary/{content}"))
    assert by_page == by_app != []


ACTIVE = (
    "<script>alert(1)</script>",
    '<paragraph onload="alert(1)" onclick="alert(1)" style="position:fixed" id="a" class="b">x</paragraph>',
    '<linkHtml href="javascript:alert(1)">here</linkHtml>',
    '<linkHtml href="https://evil.example/">here</linkHtml>',
    '<html:img xmlns:html="http://www.w3.org/1999/xhtml" src="https://evil.example/x.png" onerror="alert(1)"/>',
    '<h:iframe xmlns:h="http://www.w3.org/1999/xhtml" src="https://evil.example/"/>',
    '<h:form xmlns:h="http://www.w3.org/1999/xhtml" action="/logout"><h:input/></h:form>',
    '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><animate/></svg>',
    '<renderMultiMedia referencedObject="x"/><style>body{display:none}</style><meta http-equiv="refresh" content="0"/>',
    '<td colspan="9999999999" rowspan="-1" onmouseover="alert(1)">x</td>',
    '<content styleCode="Bold&quot; onclick=&quot;alert(1)">x</content>',
    "&lt;script&gt;alert(1)&lt;/script&gt;",
)
"""What a narrative may hold to do something."""


def test_nothing_of_a_document_can_do_anything(opened):
    answer = opened(cda(sections(*ACTIVE), title="&lt;img src=x onerror=alert(1)&gt;"))
    page = answer.text
    for tag in ("<script", "<img", "<iframe", "<form", "<svg", "<style", "<meta http", "<input", "<base", "<object"):
        assert tag not in page, tag
    inside = page.partition('<div class="cda"')[2]
    for word in ("onload=", "onclick=", "onmouseover=", "style=", "href=", "src=", "class=", "javascript:"):
        assert word not in inside.partition("</main>")[0], word
    policy = answer.headers["Content-Security-Policy"]
    assert "sandbox;" in policy
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert "alert(1)" in inside  # what is not known stays readable as text


BOMB = "<!DOCTYPE x [" + "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(9)) + '<!ENTITY a0 "x">]>'
EXTERNAL = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'


UNSAFE = (
    cda(sections("&a9;"), before=BOMB),
    cda(sections("&e;"), before=EXTERNAL),
    cda(sections("x"), before='<!DOCTYPE ClinicalDocument SYSTEM "http://evil.example/x.dtd">'),
    cda(sections("<paragraph>" * 300 + "</paragraph>" * 300)),
    b"<html><script>alert(1)</script></html>",
    b"<ClinicalDocument/>",
    b"\xff\xfe<\x00",
)
"""Contents that are no CDA document, or none that is read safely."""


def test_what_is_no_safe_cda_is_only_a_file(opened):
    for content in UNSAFE:
        answer = opened(content)
        assert answer.status_code == 200
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.data == content


def test_a_style_sheet_of_the_document_is_left_out(opened):
    before = '<?xml-stylesheet type="text/xsl" href="https://evil.example/x.xsl"?>'
    assert "evil.example" not in opened(cda(sections("x"), before=before)).text


def test_a_huge_table_and_deep_nesting_cost_little(opened):
    rows = "<tr><td>x</td></tr>" * 15_000
    page = opened(cda(sections(f"<table><tbody>{rows}</tbody></table>"))).text
    assert "too long to be shown here" in page
    assert "Camille Laurent" in page
    deep = "<content>" * 200 + "inside" + "</content>" * 200
    assert "inside" in opened(cda(sections(deep))).text


def test_cells_outside_a_table_and_parts_in_wrong_places_are_shown_as_text(opened):
    page = opened(cda(sections("<tr><td>loose</td></tr><paragraph>a<list><item>b</item></list></paragraph>"))).text
    assert "loose" in page
    assert "<td>" not in page
    assert "<div>a<ul><li>b</li></ul></div>" in page
