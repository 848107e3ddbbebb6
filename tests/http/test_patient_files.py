"""What the patient's side files, rectifies and cannot touch: types, formats, size, and whose document it is."""

import pytest

from seed.documents import TRE_A05
from tests.holds import holds
from tests.http.choices import choose, relative, said
from tests.http.spaces import parent
from tests.world import INS, JSON_PATCH, OF_PATIENT, REPORT, World

WILL = (TRE_A05, "EXPPAT_3", "Directives anticipées")
LIMIT = 5 * 1024 * 1024
ATTACHMENT = "content[0].attachment"


def own(world: World, who="camille", **more):
    """Build one document as the patient's side sends it, unless somebody else files it."""
    given = world.as_filed_by(who)
    return world.filing(
        **(given | {"type_": OF_PATIENT, "mime": "application/pdf", "content": b"%PDF-1.7 scan"} | more)
    )


def file(world: World, who, way, **more):
    """Send one document by either transaction; return the status, and (reason, element) of each fault."""
    filing = own(world, who, **more)
    if way == "ITI-105":
        more = {name: getattr(filing, name) for name in _TOLD}
        answer = world.send(who, "POST", "/DocumentReference", world.simplified(**_named(world, more)))
    else:
        answer = world.send(who, "POST", "", world.bundle(filing))
    faults = answer.get_json().get("issue", []) if answer.status_code >= 400 else []
    return answer.status_code, [(f["details"]["coding"][0]["code"], f["expression"][0]) for f in faults]


def _named(world: World, more):
    name = next(name for name, id_ in world.ids.items() if id_ == more["patient"])
    return more | {"patient": name}


_TOLD = ("type_", "mime", "content", "patient", "marks", "author", "place")


def root(way):
    return "DocumentReference" if way == "ITI-105" else "Bundle.entry[1].resource"


@pytest.fixture
def side(world: World):
    """Return a world in which Camille has a carer and Léo, 8, a parent."""
    carer = relative(world, "rose")
    choose(world, said(world, "permit", carer, rule="carer", period={"end": "2026-03-30"}))
    world.patient("leo", "184039999900255", "2018-06-01")
    parent(world, "marc", "leo")
    return world


SIDE = [("camille", "camille"), ("rose", "camille"), ("marc", "leo")]
WAYS = ["ITI-65", "ITI-105"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("who", "patient"), SIDE)
class TestThePatientsSide:
    """Holder, carer and legal representative alike."""

    @holds("J6")
    def test_files_under_a_type_of_patients_only(self, side, who, patient, way):
        """J6: whoever reads a document sees from its type that the patient's side filed it."""
        for type_ in (OF_PATIENT, (TRE_A05, "EXPPAT_2", "Autre document du patient")):
            assert file(side, who, way, patient=patient, type_=type_) == (201 if way == "ITI-105" else 200, [])
        refused = (422, [("type-of-professionals", f"{root(way)}.type")])
        for type_ in (REPORT, ("urn:oid:1.2.3", "DOCPAT03", "another system"), (TRE_A05, "DOCPAT99", "unknown")):
            assert file(side, who, way, patient=patient, type_=type_) == refused
        assert len(side.found(who, f"/DocumentReference?patient={side.ids[patient]}")) == 2

    @holds("J7")
    def test_files_listed_formats_only(self, side, who, patient, way):
        """J7: PDF, text, RTF, JPEG and TIFF."""
        for mime in ("text/plain; charset=utf-8", "application/rtf", "image/jpeg", "image/tiff"):
            assert file(side, who, way, patient=patient, mime=mime)[1] == []
        for mime in ("text/html", "application/zip", "image/svg+xml", "application/dicom"):
            refused = (422, [("format-not-taken", f"{root(way)}.{ATTACHMENT}.contentType")])
            assert file(side, who, way, patient=patient, mime=mime) == refused

    @holds("J7")
    def test_files_five_megabytes_at_most(self, side, who, patient, way):
        """J7: and what is refused leaves nothing behind."""
        assert file(side, who, way, patient=patient, content=b"x" * LIMIT)[1] == []
        refused = (422, [("too-large", f"{root(way)}.{ATTACHMENT}")])
        assert file(side, who, way, patient=patient, content=b"x" * (LIMIT + 1)) == refused
        assert len(side.found(who, f"/DocumentReference?patient={side.ids[patient]}")) == 1


def test_every_fault_of_a_lot_is_told_and_nothing_of_it_is_stored(world: World, settings):
    """J6 and J7."""
    bundle = world.bundle(own(world), own(world, type_=REPORT, mime="text/html"))
    before = world.dump(settings.data_dir)

    answer = world.send("camille", "POST", "", bundle)

    assert answer.status_code == 422
    second = "Bundle.entry[3].resource"
    told = [issue["expression"][0] for issue in answer.get_json()["issue"]]
    assert told == [f"{second}.type", f"{second}.{ATTACHMENT}.contentType"]
    assert world.dump(settings.data_dir) == before


def test_the_patient_files_no_link(world: World):
    """J7: what lies elsewhere has no format and no size that could be held."""
    bundle = world.bundle(own(world))
    bundle["entry"][1]["resource"]["content"][0]["attachment"]["url"] = "https://elsewhere.example/scan.pdf"
    del bundle["entry"][2]

    answer = world.send("camille", "POST", "", bundle)

    assert answer.status_code == 422
    assert answer.get_json()["issue"][0]["details"]["coding"][0]["code"] == "content-elsewhere"


@pytest.mark.parametrize("who", ["chu-ehr", "martin"])
def test_professionals_are_held_to_no_format_and_size(world: World, who):
    """J7 is about patients alone."""
    image = {"type_": REPORT, "mime": "application/dicom", "content": b"x" * (LIMIT + 1)}
    assert file(world, who, "ITI-65", **image) == (200, [])


@holds("B12", "L.1111-11")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("who", ["marc", "chu-ehr", "martin"])
def test_nobody_files_advance_directives_of_a_minor(side, who, way):
    """B12: L.1111-11 of the French public health code speaks of persons of full age."""
    refused = (422, [("advance-directives-of-a-minor", f"{root(way)}.type")])
    assert file(side, who, way, patient="leo", type_=WILL) == refused
    assert side.found("marc", f"/DocumentReference?patient={side.ids['leo']}") == []


@pytest.mark.parametrize("who", ["camille", "chu-ehr"])
def test_advance_directives_of_an_adult_are_filed(world: World, who):
    """B12 refuses nobody of full age, and nobody whose birth date is not known."""
    assert file(world, who, "ITI-65", type_=WILL) == (200, [])
    world.record("unknown", {"resourceType": "Patient", "identifier": [{"system": INS, "value": "284039999900999"}]})
    assert file(world, "chu-ehr", "ITI-65", patient="unknown", type_=WILL) == (200, [])


@pytest.mark.parametrize("born", ["2008-03-03", "2008-03-02"])
def test_full_age_is_reached_on_the_birthday(world: World, born):
    """B12 on 2 March 2026."""
    world.patient("noe", "184039999900256", born)
    assert file(world, "noe", "ITI-65", patient="noe", type_=WILL)[0] == (200 if born == "2008-03-02" else 422)


class TestRectifying:
    """J5: the holder replaces and deletes what the holder entered, and nothing that a professional recorded."""

    @holds("J5")
    def test_ones_own(self, world: World):
        older = world.publish_all("camille", own(world))[0]
        newer = world.publish_all("camille", own(world, replaces=older))[0]

        assert world.get("camille", f"/DocumentReference/{older}").get_json()["status"] == "superseded"
        assert world.send("camille", "DELETE", f"/DocumentReference/{newer}").status_code == 204
        assert world.get("camille", f"/DocumentReference/{newer}").status_code == 410

    def test_a_carer_deletes_what_that_carer_filed(self, side):
        """B13: a carer adds, changes and deletes documents, the own ones, as long as the holder lets the carer in."""
        mine, later = (side.publish_all("rose", own(side, "rose"))[0] for _ in range(2))
        of_camille = side.publish_all("camille", own(side))[0]
        assert side.send("rose", "DELETE", f"/DocumentReference/{mine}").status_code == 204
        assert side.get("camille", f"/DocumentReference/{mine}").status_code == 410
        assert side.send("rose", "DELETE", f"/DocumentReference/{of_camille}").status_code == 403
        side.runtime.ports.clock.advance(days=29)
        assert side.send("rose", "DELETE", f"/DocumentReference/{later}").status_code == 204
        assert side.get("camille", f"/DocumentReference/{later}").status_code == 200, "the time of the carer is over"

    @holds("J5")
    @pytest.mark.parametrize("by", ["chu-ehr", "nour"])
    @pytest.mark.parametrize("who", ["camille", "rose"])
    def test_not_what_a_professional_recorded(self, side, who, by):
        """J5; a carer's change of another's document is answered as one of an unknown document is."""
        document = side.publish(by)
        before = side.get("camille", f"/DocumentReference/{document}").get_data()
        deleted = side.send(who, "DELETE", f"/DocumentReference/{document}").status_code
        patched = {
            side.send(who, "PATCH", f"/DocumentReference/{document}", status(code), JSON_PATCH).status_code
            for code in ("entered-in-error", "superseded")
        }
        replaced = side.send(who, "POST", "", side.bundle(own(side, who, replaces=document))).status_code

        assert (deleted, patched, replaced) == (403, {403} if who == "camille" else {404}, 403)
        assert side.get("camille", f"/DocumentReference/{document}").get_data() == before


def status(code):
    return [{"op": "replace", "path": "/status", "value": code}]
