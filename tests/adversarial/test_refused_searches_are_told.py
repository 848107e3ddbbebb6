"""Fear: that somebody who is refused a space tries it unseen, by naming in the search something that nobody has (H3).

A refused search is told to everybody who reads the journal, in the same words whether it names a secret, an unknown
document or none. So nobody learns from the line what is hidden from them.
"""

from base64 import b64decode
from urllib.parse import unquote

import pytest

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.identity.accounts import Account, PractitionerRoleRef
from fhir_server.application.identity.clients import Client, ClientKind
from tests.adversarial.test_failures_tell_parents_nothing import family
from tests.http.spaces import UNKNOWN
from tests.world import World

__all__ = ["family"]  # a fixture of another module

SEARCHES = (
    "/DocumentReference?patient={patient}&related=DocumentReference/{id}",
    "/DocumentReference?patient={patient}&related=DocumentReference/{id}&_summary=count",
    "/DocumentReference?patient={patient}&_id={id}",
    "/DocumentReference?patient={patient}&identifier=urn:ietf:rfc:3986|urn:uuid:{id}",
    "/DocumentReference?patient={patient}&_include=DocumentReference:related&related={id}",
    "/List?patient={patient}&item=DocumentReference/{id}",
    "/List?patient={patient}&_id={id}",
    "/Consent?patient={patient}&data=DocumentReference/{id}",
    "/Communication?patient={patient}&_id={id}",
)
NAMES = ("secret", "unknown", "plain")


def lines(world: World, who: str, patient: str, of: str) -> dict[str, str]:
    """Return the events of somebody's refused requests as another reads them, by id: the narrative and the query."""
    path = f"/AuditEvent?patient={world.ids[patient]}&agent=Practitioner/{world.ids[of]}&outcome=4&_count=200"
    entries = world.get(who, path).get_json().get("entry", [])
    return {entry["resource"]["id"]: _told(entry["resource"]) for entry in entries}


def _told(event) -> str:
    queries = [b64decode(entity["query"]).decode() for entity in event["entity"] if "query" in entity]
    named = [entity["what"].get("reference") for entity in event["entity"] if "what" in entity]
    details = [entity["detail"] for entity in event["entity"] if "detail" in entity]
    return f"{event['text']['div'].partition('UTC, ')[2]} {queries} {named} {details} {event['meta'].get('profile')}"


def refused(world: World, path: str, patient: str, name: str) -> dict[str, str]:
    """Let a professional without access search, and return the new line as each reader sees it."""
    readers = [reader for reader in (patient, "marc") if reader in world.tokens]
    before = {reader: lines(world, reader, patient, "zoe") for reader in readers}
    named = path.format(patient=world.ids[patient], id=world.ids.get(name, UNKNOWN))
    assert world.get("zoe", named).status_code == 403
    after = {reader: lines(world, reader, patient, "zoe") for reader in readers}
    new = {reader: [line for id_, line in after[reader].items() if id_ not in before[reader]] for reader in readers}
    assert {reader: len(found) for reader, found in new.items()} == dict.fromkeys(readers, 1), (path, name)
    return {reader: found[0] for reader, found in new.items()}


def test_a_refused_search_is_told_whatever_it_names_and_alike(family: World):
    for path in SEARCHES:
        read = {name: refused(family, path, "ines", name) for name in NAMES}
        assert read["secret"]["marc"] == read["unknown"]["marc"], path
        assert family.ids["secret"] not in read["secret"]["marc"]


def test_the_minor_reads_which_secret_was_named(family: World):
    assert family.ids["secret"] in refused(family, SEARCHES[0], "ines", "secret")["ines"]


def test_a_refused_search_for_a_result_that_waits_reads_like_one_for_an_unknown_document(world: World):
    world.ids["secret"] = world.publish(marks=("INVISIBLE_PATIENT",))
    for path in SEARCHES:
        read = {name: refused(world, path, "camille", name)["camille"] for name in ("secret", "unknown")}
        assert read["secret"] == read["unknown"], path
        assert world.ids["secret"] not in read["secret"]


def app_of(world: World, who: str, scopes: str, patient: str) -> str:
    """Return a token of an app that a professional has launched on one patient."""
    person = f"Practitioner/{world.ids[who]}"
    practice = PractitionerRoleRef("", f"Organization/{world.ids['other']}", "other", "10", who)
    account = Account(who, RequesterKind.PROFESSIONAL, person, who, practices=(practice,), subject=who)
    app = Client(id="app", name="app", kind=ClientKind.PROFESSIONAL_APP)
    return world.mint(client=app, account=account, practice=practice, scopes=scopes, launch_patient=world.ids[patient])


@pytest.mark.parametrize("path", ["/DocumentReference/{id}", "/DocumentReference?patient={patient}&related={id}"])
def test_what_an_apps_scopes_do_not_allow_is_told_whatever_it_names_and_alike(family: World, path):
    family.tokens["zoe-app"] = app_of(family, "zoe", "patient/Communication.rs", "ines")
    read = {}
    for name in NAMES:
        before = lines(family, "marc", "ines", "zoe")
        named = path.format(patient=family.ids["ines"], id=family.ids.get(name, UNKNOWN))
        assert family.get("zoe-app", named).status_code == 403
        after = lines(family, "marc", "ines", "zoe")
        (read[name],) = (line for id_, line in after.items() if id_ not in before)
    assert read["secret"] == read["unknown"]


def test_a_batch_tells_each_refused_search(family: World):
    asked = [path.format(patient=family.ids["ines"], id=UNKNOWN).lstrip("/") for path in SEARCHES[:2]]
    entry = [{"request": {"method": "GET", "url": url}} for url in asked]
    before = lines(family, "marc", "ines", "zoe")
    family.send("zoe", "POST", "", {"resourceType": "Bundle", "type": "batch", "entry": entry})
    assert len(lines(family, "marc", "ines", "zoe")) == len(before) + len(asked)


def test_nobody_hides_the_notice_of_a_first_access_by_searching_for_an_unknown_document_first(world: World):
    world.publish()
    assert world.agree("camille", "zoe").status_code == 201
    patient = world.ids["camille"]
    before = len(world.found("camille", f"/Communication?patient={patient}"))
    assert world.get("zoe", f"/DocumentReference?patient={patient}&_id={UNKNOWN}").status_code == 200
    assert world.get("zoe", f"/DocumentReference?patient={patient}").status_code == 200
    assert len(world.found("camille", f"/Communication?patient={patient}")) == before + 1


STRAYS = ("foo=DocumentReference/{id}", "foo=a,{id}", "{id}=foo", "_elements={id}", "category={id}")


def test_a_parameter_that_takes_no_id_shows_nobody_the_id_of_a_hidden_document(family: World):
    for stray in STRAYS:
        for name in NAMES:
            id_ = family.ids.get(name, UNKNOWN)
            path = f"/DocumentReference?patient={family.ids['ines']}&status=current&{stray.format(id=id_)}"
            assert family.get("zoe", path).status_code == 403, stray
    for who, reads in (("ines", ("secret", "plain")), ("marc", ("plain",))):
        read = queries(family, who)
        assert sum("status=current" in query for query in read) == len(STRAYS) * len(NAMES)
        named = {name: sum(family.ids.get(name, UNKNOWN) in query for query in read) for name in NAMES}
        assert named == {name: len(STRAYS) if name in reads else 0 for name in NAMES}, who


def queries(world: World, who: str) -> list[str]:
    """Return the queries of the searches of a professional as somebody reads them."""
    path = f"/AuditEvent?patient={world.ids['ines']}&agent=Practitioner/{world.ids['zoe']}&action=E&_count=200"
    entries = world.get(who, path).get_json().get("entry", [])
    entities = [entity for entry in entries for entity in entry["resource"]["entity"] if "query" in entity]
    return [unquote(b64decode(entity["query"]).decode()) for entity in entities]
