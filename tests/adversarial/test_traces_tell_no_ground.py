"""Fear: that the declared physician reads in others' traces what the patient chose about them (H4, AC07).

DESIGN, leak rules: AuditEvent never shows a professional the patient's other choices.
"""

import pytest

from tests.world import World

PCP = {
    "system": "https://mos.esante.gouv.fr/NOS/TRE_R259-HL7ParticipationFunction/FHIR/TRE-R259-HL7ParticipationFunction",
    "code": "PCP",
}
GROUNDS = ("Fondement", '"ground"', '"rules"', "Consent/")


@pytest.fixture
def read(world: World) -> World:
    """Let Dr Martin be the declared physician, and Nour read by an agreement of her own."""
    assert world.send("camille", "POST", "/Consent", world.consent("martin", role=PCP)).status_code == 201
    assert world.agree("camille", "nour").status_code == 201
    document = world.publish()
    for who in ("nour", "martin"):
        assert world.get(who, f"/DocumentReference/{document}").status_code == 200
    return world


def of(world: World, who: str, actor: str) -> list[str]:
    """Return the readings of somebody in a journal, as text, by search and by id."""
    person = f"Practitioner/{world.ids[actor]}"
    query = f"/AuditEvent?patient={world.ids['camille']}&agent={person}&subtype=read"
    ids = world.found(who, query)
    found = [world.get(who, query).get_data(as_text=True)]
    for id_ in ids:
        found += [world.get(who, f"/AuditEvent/{id_}{end}").get_data(as_text=True) for end in ("", "/_history/1")]
    assert ids
    return found


def test_another_s_access_is_told_without_the_choice_that_let_the_other_in(read):
    for text in of(read, "martin", "nour"):
        assert not [word for word in GROUNDS if word in text]
        assert "Nour" in text or "nour" in text


def test_the_own_access_and_the_holder_s_journal_say_the_ground(read):
    for who, actor in (("martin", "martin"), ("camille", "nour"), ("camille", "martin")):
        for text in of(read, who, actor):
            assert [word for word in GROUNDS if word in text] == list(GROUNDS)
