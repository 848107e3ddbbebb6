"""Play the story against a running demonstration: `python -m seed.demo`, or `make demo`.

Each step is one or a few HTTP requests; after each step, Camille's journal says what was decided and why.
The story undoes its changes, so that it can be played again. Exit status 1 when a step fails, 2 without a server.
"""

import json
import os
import sys
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import URLError
from uuid import uuid4

from fhir_server.domain.values import Json
from seed import book, cast, choices
from seed.asking import JSON_PATCH, Answer, Ask, send
from seed.book import Demonstration
from seed.cards import HIDE
from seed.contents import Sheet, content_of
from seed.documents import TYPES
from seed.filing import Filing, Place, submission
from seed.people import author_resource, source_resource

REPORT = "camille-hospital-report"
LABORATORY = "camille-laboratory"
RULES = {
    "B1": "patients have access to their own space",
    "C1": "nobody reads without the patient's prior agreement",
    "C2": "member of a care team to which the patient agreed",
    "C4": "agreement for this one consultation",
    "C6": "a professional may write a spoken agreement down",
    "D3": "what the matrix does not grant is left out",
    "D4": "the declared physician reads the whole space",
    "E1": "what the patient hides is left out",
    "F3": "a block beats every agreement",
    "I8": "software that is registered and acts for its establishment",
}
"""The rules of docs/rules.md that decide in this story, in a few words."""
_CONTROL = ("Six semaines après la ligamentoplastie : genou sec, flexion à 120 degrés, reprise de la marche normale.",)
OK = 200
_UNKNOWN = "00000000-0000-4000-8000-000000000001"


class StepFailed(Exception):
    """A step did not have the expected result."""


def now() -> str:
    """Return the present instant as FHIR writes it."""
    return datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


@dataclass(slots=True)
class Story:
    """The story while it is being played.

    filed: id of the document that the hospital publishes. consents: to withdraw at the end. began: as FHIR writes it.
    """

    demo: Demonstration
    began: str = field(default_factory=now)
    filed: str = ""
    consents: list[str] = field(default_factory=list)

    @property
    def camille(self) -> str:
        """The id of Camille's Patient."""
        return self.demo.patients["camille"]

    def ask(self, who: str, ask: Ask, *expected: int) -> Answer:
        """Send a request as somebody, check the status, and print the decision."""
        answer = send(self.demo.fhir, self.demo.tokens[who], ask)
        print(f"    {ask.method} {_shortened(ask.path)}  ->  {answer.status}")
        demand(answer.status in expected, f"{who} got {answer.status}: {answer.body[:300].decode('utf-8', 'replace')}")
        self._explain(answer)
        return answer

    def documents_of(self, who: str) -> set[str]:
        """Search Camille's current documents as somebody; return the ids of the documents found."""
        path = f"DocumentReference?patient={self.camille}&status=current&_count=100"
        answer = self.ask(who, Ask("GET", path), 200)
        demand(answer.json["total"] == len(answer.resources), "the total differs from what is shown")
        return {resource["id"] for resource in answer.resources}

    def id_of(self, key: str) -> str:
        """Return the id of a document of the cast."""
        return self.demo.documents[key]

    def journal(self, since: str = "2020-01-01") -> list[Json]:
        """Return the newest entries of Camille's journal, without the entries about reading the journal."""
        path = f"AuditEvent?patient={self.camille}&date=ge{since}&_sort=-date&_count=200"
        found = send(self.demo.fhir, self.demo.tokens["camille"], Ask("GET", path)).resources
        return [event for event in found if not _is_of_the_journal(event)]

    def _explain(self, answer: Answer) -> None:
        for event in self.journal(self.began):
            if any(e.get("what", {}).get("identifier", {}).get("value") == answer.request_id for e in event["entity"]):
                print(f"      {_explanation(event)}")


def demand(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - reads like an assertion
    """Stop the story when a condition does not hold."""
    if not holds:
        raise StepFailed(otherwise)


def prepare(story: Story) -> None:
    """Restore the start of the story, in case an earlier play was interrupted."""
    camille, fhir = story.demo.tokens["camille"], story.demo.fhir
    for consent in send(fhir, camille, Ask("GET", f"Consent?patient={story.camille}&status=active")).resources:
        named = {actor["reference"].get("reference") for actor in consent["provision"].get("actor", ())}
        if consent["provision"].get("type") == "deny" or f"Practitioner/{story.demo.professionals['zoe']}" in named:
            send(fhir, camille, Ask("PUT", f"Consent/{consent['id']}", consent | {"status": "inactive"}))
    if send(fhir, story.demo.tokens["paul"], Ask("GET", f"DocumentReference?patient={story.camille}")).status != OK:
        send(fhir, camille, Ask("POST", "Consent", choices.team(story.demo, "camille", "cabinet-paul")))
    if _hidden_label(story) is not None:
        send(fhir, camille, Ask("PATCH", f"DocumentReference/{story.id_of(REPORT)}", _unhide(story), JSON_PATCH))


def hospital_publishes(story: Story) -> None:
    """The hospital files a control report (ITI-65); it is in the space at once."""
    bundle = submission([_control_report(story.demo)], f"2.25.{uuid4().int}")
    answer = story.ask("chu-a-ehr", Ask("POST", "", bundle), 200)
    locations = [entry["response"]["location"] for entry in answer.json["entry"]]
    found = next(place for place in locations if "DocumentReference/" in place)
    story.filed = found.split("DocumentReference/")[1].split("/")[0]


def physiotherapist_reads(story: Story) -> None:
    """Paul, of the care team, sees the hospital's reports, and no laboratory result."""
    seen = story.documents_of("paul")
    demand({story.id_of(REPORT), story.filed} <= seen, "Paul does not see the hospital's reports")
    demand(story.id_of(LABORATORY) not in seen, "Paul sees a laboratory result")
    url = send(story.demo.fhir, story.demo.tokens["paul"], Ask("GET", f"DocumentReference/{story.filed}")).json
    attachment = url["content"][0]["attachment"]
    content = story.ask("paul", Ask("GET", attachment["url"], headers={"Accept": "application/pdf"}), 200)
    demand(len(content.body) == attachment["size"], "the content is not the one that was filed")


def optician_asks_first(story: Story) -> None:
    """Zoé is refused, records Camille's spoken agreement, then sees what opticians may: no laboratory result."""
    story.ask("zoe", Ask("GET", f"DocumentReference?patient={story.camille}&status=current"), 403)
    agreement = choices.consultation(story.demo, "camille", "zoe")
    answer = story.ask("zoe", Ask("POST", "Consent", agreement), 201)
    story.consents.append(answer.json["id"])
    seen = story.documents_of("zoe")
    demand(story.id_of("camille-eye-consultation") in seen, "Zoé does not see the eye consultation")
    demand(story.id_of(LABORATORY) not in seen, "Zoé sees a laboratory result")


def stranger_is_refused(story: Story) -> None:
    """Dr Stern has no proof of care: not even the existence of a document is told."""
    path = f"DocumentReference?patient={story.camille}&status=current"
    refused = story.ask("stern", Ask("GET", path), 403)
    demand("consent-required" in refused.body.decode(), "the refusal does not say what is missing")
    story.ask("stern", Ask("GET", f"DocumentReference/{story.id_of(REPORT)}"), 404)


def camille_hides(story: Story) -> None:
    """Camille hides the hospital report: for Paul it never existed; her declared physician still reads it."""
    path = f"DocumentReference/{story.id_of(REPORT)}"
    story.ask("camille", Ask("PATCH", path, _patch(), JSON_PATCH), 200)
    demand(story.id_of(REPORT) not in story.documents_of("paul"), "Paul still sees the hidden report")
    hidden = story.ask("paul", Ask("GET", path), 404)
    unknown = send(story.demo.fhir, story.demo.tokens["paul"], Ask("GET", f"DocumentReference/{_UNKNOWN}"))
    demand(hidden.body == unknown.body, "a hidden document answers otherwise than an unknown one")
    demand(story.id_of(REPORT) in story.documents_of("martin"), "the declared physician does not see the hidden report")


def camille_shows_again(story: Story) -> None:
    """Camille shows the report again, and Paul reads it at the next request."""
    story.ask("camille", Ask("PATCH", f"DocumentReference/{story.id_of(REPORT)}", _unhide(story), JSON_PATCH), 200)
    demand(story.id_of(REPORT) in story.documents_of("paul"), "Paul does not see the report again")


def camille_blocks(story: Story) -> None:
    """Camille blocks Paul: the agreement to his practice does not help him any more."""
    answer = story.ask("camille", Ask("POST", "Consent", choices.block(story.demo, "camille", "paul")), 201)
    story.consents.append(answer.json["id"])
    story.ask("paul", Ask("GET", f"DocumentReference?patient={story.camille}&status=current"), 403)


def camille_lifts_the_block(story: Story) -> None:
    """Lifting the block gives nothing back by itself (rule F5); a new agreement does."""
    _withdraw(story, story.consents.pop())
    story.ask("paul", Ask("GET", f"DocumentReference?patient={story.camille}&status=current"), 403)
    story.ask("camille", Ask("POST", "Consent", choices.team(story.demo, "camille", "cabinet-paul")), 201)
    demand(story.id_of(REPORT) in story.documents_of("paul"), "the new agreement does not open the space")


def hospital_withdraws(story: Story) -> None:
    """The hospital withdraws the control report that its software filed."""
    story.ask("chu-a-ehr", Ask("DELETE", f"DocumentReference/{story.filed}"), 200, 204)
    demand(story.filed not in story.documents_of("paul"), "the withdrawn report is still shown")


def camille_reads_her_journal(story: Story) -> None:
    """Camille reads who did what; each attempt of this story is there, the refused ones too."""
    entries = story.journal()
    for event in entries[:12]:
        print(f"    {_sentence(event)}")
    demand(any(event["outcome"] == "4" for event in entries), "the refusals are missing from the journal")
    for consent in story.consents:
        _withdraw(story, consent)


STEPS: tuple[Callable[[Story], None], ...] = (
    hospital_publishes,
    physiotherapist_reads,
    optician_asks_first,
    stranger_is_refused,
    camille_hides,
    camille_shows_again,
    camille_blocks,
    camille_lifts_the_block,
    hospital_withdraws,
    camille_reads_her_journal,
)


def play(demo: Demonstration) -> int:
    """Play all steps; return how many succeeded."""
    story = Story(demo)
    prepare(story)
    for number, step in enumerate(STEPS, 1):
        print(f"\n{number}. {step.__doc__}")
        step(story)
    return len(STEPS)


def main() -> int:
    """Find the demonstration, play it, and return the exit status."""
    data_dir = Path(os.environ.get("HABILIS_DATA_DIR", "var/demo"))
    demo = book.read(data_dir)
    if demo is None:
        print(f"no demonstration in {data_dir}: start one with `make run`", file=sys.stderr)
        return 2
    try:
        held = play(demo)
    except StepFailed as failure:
        print(f"\nThis step does not hold: {failure}", file=sys.stderr)
        return 1
    except URLError as failure:
        print(f"\n{demo.base} does not answer ({failure.reason}): start it with `make run`", file=sys.stderr)
        return 2
    print(f"\nAll {held} steps hold. The journal: {demo.base}/journal?person=camille")
    return 0


def _control_report(demo: Demonstration) -> Filing:
    author, place = cast.professional("elsa"), cast.establishment("chu-a")
    system, display, category = TYPES["34112-3"]
    at = now()
    title = "Compte rendu de consultation de contrôle"
    sheet = Sheet(at, title, at, cast.patient("camille").name, author.name, (system, "34112-3", display), _CONTROL)
    return Filing(
        unique_id=f"2.25.{uuid4().int}",
        title=title,
        date=at,
        mime="application/pdf",
        content=content_of(sheet, "pdf"),
        patient=demo.patients["camille"],
        type_=(system, "34112-3", display),
        category=(category, "Compte rendu"),
        author=author_resource(author),
        source_patient=source_resource(cast.patient("camille")),
        place=Place(demo.organizations["chu-a"], place.sector, place.setting),
    )


def _patch() -> list[Json]:
    patch: list[Json] = json.loads(HIDE)
    return patch


def _hidden_label(story: Story) -> int | None:
    """Return the index of the label that hides the hospital report, None when the report is not hidden."""
    path = f"DocumentReference/{story.id_of(REPORT)}"
    labels = send(story.demo.fhir, story.demo.tokens["camille"], Ask("GET", path)).json["securityLabel"]
    return next((n for n, label in enumerate(labels) if label["coding"][0]["code"] == "MASQUE_PS"), None)


def _unhide(story: Story) -> list[Json]:
    """Remove the mark at its present index, guarded by a test operation."""
    where = f"/securityLabel/{_hidden_label(story)}"
    return [{"op": "test", "path": f"{where}/coding/0/code", "value": "MASQUE_PS"}, {"op": "remove", "path": where}]


def _withdraw(story: Story, consent: str) -> None:
    path = f"Consent/{consent}"
    resource = send(story.demo.fhir, story.demo.tokens["camille"], Ask("GET", path)).json
    story.ask("camille", Ask("PUT", path, resource | {"status": "inactive"}), 200)


def _explanation(event: Json) -> str:
    details = {d["type"]: d["valueString"] for entity in event["entity"] for d in entity.get("detail", ())}
    rules = [f"{number} {RULES[number]}" if number in RULES else number for number in details.get("rules", "").split()]
    outcome = f"refused ({event['outcomeDesc']})" if event["outcome"] != "0" else f"ground: {details.get('ground')}"
    return f"{outcome}; rules: {', '.join(rules)}; matrix of {details.get('matrix', '-')}"


def _is_of_the_journal(event: Json) -> bool:
    queries = (entity["query"] for entity in event["entity"] if "query" in entity)
    return any(b"AuditEvent?" in b64decode(query) for query in queries)


def _sentence(event: Json) -> str:
    return str(event["text"]["div"]).split(">", 1)[1].rsplit("<", 1)[0]


def _shortened(path: str) -> str:
    return path.rsplit("/fhir/", maxsplit=1)[-1][:96]


if __name__ == "__main__":
    sys.exit(main())
