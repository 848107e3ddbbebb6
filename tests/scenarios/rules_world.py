"""The pure rules on facts made from the cast: no server, no store, no HTTP."""

from dataclasses import replace
from datetime import datetime, timedelta

from consent_rules import lifecycle
from consent_rules.consents import recording, reviewing, visibility_marks
from consent_rules.decision import emergency
from consent_rules.decision.decide import decide
from consent_rules.decision.decision_context import context_of
from consent_rules.matrix.table import published
from consent_rules.model import AccessRequest, Deny, Permit, RecordState, Requester, RuleApplied
from consent_rules.rule_profile import profile
from consent_rules.tools.explanation import Explainer
from consent_rules.tools.hypothetical_requesters import Stage, audience
from consent_rules.visibility import AccessFacts, Visibility
from consent_rules.vocabulary import (
    Action,
    Basis,
    DirectiveKind,
    Mark,
    Obligation,
    Purpose,
    RequesterKind,
    ReviewOutcome,
    SpaceStatus,
    View,
)
from fhir_server.application.core import smart_scopes
from fhir_server.domain.consents import defaults, directives
from fhir_server.domain.consents.ppqm import DEFAULTS
from fhir_server.domain.problem import Problem
from seed import cast, choices
from seed.book import Demonstration
from seed.documents import TYPES, DocumentPart, documents
from tests.conftest import START
from tests.factories import a_caller
from tests.scenarios.worlds import Json, Newcomer, Paper, Waiting, Wanted, base_of, purpose_of, words_of

_STEPS = {
    "oppose-space": SpaceStatus.OPPOSED,
    "open-space": SpaceStatus.ACTIVE,
    "close-space": SpaceStatus.CLOSED,
    "suspend-space": SpaceStatus.SUSPENDED,
    "request-erasure": SpaceStatus.CLOSED,
    "erase-space": SpaceStatus.ERASED,
}
_NOTICES = {
    SpaceStatus.OPPOSED: "space-opposed",
    SpaceStatus.ACTIVE: "space-opened",
    SpaceStatus.CLOSED: "space-closed",
    SpaceStatus.SUSPENDED: "space-suspended",
}
_HOLDERS = (RequesterKind.PATIENT, RequesterKind.RELATED)


class RulesWorld:
    """Facts in memory; what the use cases do around a decision is done here in a line each."""

    def __init__(self, rules: str) -> None:
        self.profile = profile(rules)
        self.matrix = published()
        self.at = START
        self.demo = book_of_keys()
        self.notices: list[AccessFacts] = []
        self.waiting: list[tuple[AccessFacts, str]] = []
        self.stated: dict[str, dict[str, Json]] = {}
        self.reviews: dict[str, tuple[str, reviewing.Review]] = {}
        self.facts = {part.key: self._facts(part) for part in documents()}
        self.superseded = {part.replaces for part in documents() if part.replaces}
        self.spaces = {
            part.key: RecordState(part.key, SpaceStatus.ACTIVE, birth_date=datetime.fromisoformat(part.birth).date())
            for part in cast.PATIENTS
        }
        self.last: Permit | Deny | None = None
        self.is_stopped = False
        for name, who, consent in choices.of_the_cast(self.demo):
            assert self.choose(who, consent["patient"]["reference"].partition("/")[2], consent, name)

    def now(self) -> datetime:
        return self.at

    def list(self, who: str, of: str, scope: str = "") -> set[str] | None:
        self.last = self._enter(who, of, Action.CONSULT)
        if isinstance(self.last, Deny):
            return None
        seen = self.last.sees(View.DOCUMENTS)
        if scope:
            narrowed = self._narrowed(who, of, scope, seen)
            if narrowed is None:
                return None
            seen = narrowed
        self._tell(self.last, who, of)
        return {key for key, facts in self.facts.items() if seen.admits(facts) and key not in self.superseded}

    def read(self, who: str, document: str) -> bool:
        facts = self.facts[document]
        answer = self._enter(who, facts.compartment, Action.CONSULT)
        return isinstance(answer, Permit) and answer.sees(View.DOCUMENTS).admits(facts)

    def why(self) -> str:
        return self.last.basis if isinstance(self.last, Permit) else self.last.reason

    def choose(self, who: str, of: str, consent: Json, name: str) -> bool:
        directive, *_ = directives.directives_of(consent, name)
        request = self._request(who, Action.DIRECT)
        if request.requester.kind is RequesterKind.SYSTEM:
            assert directive.kind is DirectiveKind.REPRESENTATIVE
        elif isinstance(decide(request, self.spaces[of], self.matrix, self.profile), Deny):
            return False
        else:
            directive = recording.record(context_of(request, self.spaces[of], self.matrix, self.profile), directive)
        if isinstance(directive, Deny):
            return False
        self.spaces[of] = self.spaces[of].with_directive(replace(directive, recorded_at=self.at))
        return True

    def undo(self, who: str, of: str, name: str) -> bool:  # noqa: ARG002 - the rules leave that to the use case
        self.spaces[of] = self.spaces[of].without(name)
        return True

    def change_default(self, who: str, of: str, wanted: Wanted) -> bool:
        known = self._stated(of)
        consent = wanted.of(known[wanted.template])
        others = [one for one in self.spaces[of].directives if one.id != wanted.template]
        if consent["status"] == "active" and defaults.contradicting(consent, others, self.at):
            return False
        if not isinstance(self._enter(who, of, Action.DIRECT), Permit):
            return False
        known[wanted.template], self.spaces[of] = consent, self.spaces[of].without(wanted.template)
        said = directives.directives_of(consent, wanted.template)
        return not said or self.choose(who, of, consent, wanted.template)

    def defaults(self, who: str, of: str) -> set[str] | None:
        answer = self._enter(who, of, Action.CONSULT)
        if isinstance(answer, Deny):
            return None
        if not answer.sees(View.DIRECTIVES).admits(AccessFacts(of)):
            return set()
        return set(map(words_of, self._stated(of).values()))

    def _stated(self, of: str) -> dict[str, Json]:
        """Return the defaults of a space as they stand beside what was chosen meanwhile."""
        if of not in self.stated:
            self.stated[of] = dict(defaults.born(of, DEFAULTS, self.at))
        for template, consent in self.stated[of].items():
            others = [one for one in self.spaces[of].directives if one.id != template]
            self.stated[of][template] = defaults.settled(consent, others, self.at)
        return self.stated[of]

    def mark(self, who: str, document: str, mark: str, *, on: bool) -> bool:
        facts = self.facts[document]
        if not self.read(who, document):
            return False
        wanted = facts.marks | Mark[mark] if on else facts.marks & ~Mark[mark]
        request = self._request(who, Action.CHANGE_MARKS)
        answer = visibility_marks.may_change_marks(request, self.spaces[facts.compartment], facts, wanted, self.profile)
        if isinstance(answer, Deny):
            return False
        self.facts[document] = replace(facts, marks=wanted)
        return True

    def file(self, who: str, paper: Paper) -> bool:
        request = self._request(who, Action.DEPOSIT)
        record, replaced = self.spaces[paper.of], self.facts.get(paper.replaces)
        wanted = sum((Mark[name] for name in paper.marks), start=Mark.NONE)
        context = context_of(request, record, self.matrix, self.profile)
        allowed = visibility_marks.may_file(context, wanted, replaced)
        entered = decide(request, record, self.matrix, self.profile)
        if isinstance(allowed, Deny) or isinstance(entered, Deny):
            return False
        marks = visibility_marks.marks_at_filing(record, wanted, self.at, replaced)
        if marks & Mark.INVISIBLE_PATIENT:
            self._tell_waiting(paper.of, paper.key)
        self.facts[paper.key] = self._owned(
            AccessFacts(paper.of, paper.type, TYPES[paper.type][2], marks, self._seal(marks), id=paper.key),
            request.requester,
        )
        self.superseded |= {paper.replaces} - {""}
        return True

    def wait(self, hours: float) -> None:
        self.at += timedelta(hours=hours)

    def only_emergencies(self, *, on: bool) -> bool:
        self.is_stopped = on
        return True

    def open_emergency(self, who: str, of: str, reason: str, name: str) -> bool:
        request = self._request(who, Action.OPEN_EMERGENCY)
        answer = decide(request, self.spaces[of], self.matrix, self.profile)
        if isinstance(answer, Deny) or not reason.strip():
            return False
        opening = emergency.opening(request, f"opening-{self.at}", reason, self.profile)
        self.spaces[of] = self.spaces[of].with_directive(opening)
        if Obligation.NOTIFY_PATIENT in answer.obligations:
            self.notices.append(AccessFacts(of, answer.basis))
        if Obligation.NOTIFY_DECLARED_PHYSICIAN in answer.obligations:
            declared = (d for d in self.spaces[of].directives if d.kind is DirectiveKind.DECLARED_PHYSICIAN)
            self.notices.extend(AccessFacts(of, answer.basis, owner_person=p) for d in declared for p in d.actors)
        if Obligation.REVIEW in answer.obligations:
            due = emergency.review_due(self.at, self.profile)
            self.reviews[name] = of, reviewing.Review(request.requester.person, due)
        return True

    def queue(self, who: str) -> Waiting | None:
        if isinstance(self._enter(who, "camille", Action.REVIEW), Deny):
            return None
        waiting = [(name, found) for name in self.reviews if (found := self._review(who, name)) and not found.outcome]
        waiting.sort(key=lambda one: (not one[1].contested, one[1].due))
        return [(name, reviewing.state_at(review, self.at).value) for name, review in waiting]

    def review(self, who: str, opening: str, outcome: str) -> bool:
        found = self._review(who, opening)
        if found is None or isinstance(reviewing.may_review(requester_of(who), found), Deny):
            return False
        of = self.reviews[opening][0]
        self.reviews[opening] = of, replace(found, outcome=ReviewOutcome(outcome))
        self.notices.append(AccessFacts(of, "emergency-reviewed"))
        return True

    def contest(self, who: str, opening: str) -> bool:
        of, review = self.reviews[opening]
        answer = self._enter(who, of, Action.DIRECT)
        of_side = isinstance(answer, Permit) and answer.basis in (Basis.PATIENT, Basis.REPRESENTATIVE)
        if not of_side or isinstance(reviewing.may_contest(review), Deny):
            return False
        self.reviews[opening] = of, replace(review, contested=True)
        return True

    def review_state(self, who: str, opening: str) -> str | None:
        of, review = self.reviews[opening]
        answer = self._enter(who, of, Action.DIRECT)
        of_side = isinstance(answer, Permit) and answer.basis in (Basis.PATIENT, Basis.REPRESENTATIVE)
        if not of_side and self._review(who, opening) is None:
            return None
        return reviewing.state_at(review, self.at).value

    def _review(self, who: str, opening: str) -> reviewing.Review | None:
        """Return a review as an auditor may look at it."""
        of, review = self.reviews[opening]
        entered = isinstance(self._enter(who, of, Action.REVIEW), Permit)
        return review if entered and isinstance(reviewing.may_look(requester_of(who), review), RuleApplied) else None

    def announce(self, newcomer: Newcomer) -> None:
        born = datetime.fromisoformat(newcomer.birth).date()
        self.spaces[newcomer.key] = RecordState(newcomer.key, SpaceStatus.ANNOUNCED, self.at, birth_date=born)
        self.notices.append(AccessFacts(newcomer.key, "space-announced"))
        self.demo.patients[newcomer.key] = newcomer.key
        for name in newcomer.guardians:
            self.introduce(name, newcomer.key)
            consent = choices.representative(self.demo, newcomer.key, key_of(f"{name}/{newcomer.key}"))
            assert self.choose("annuaire", newcomer.key, consent, f"representative-{name}/{newcomer.key}")

    def introduce(self, name: str, of: str) -> None:
        self.demo.guardians[f"{name}/{of}"] = key_of(f"{name}/{of}")

    def move(self, who: str, of: str, operation: str) -> bool:
        request = self._request(who, Action.DIRECT)
        record, wanted = self.spaces[of], _STEPS[operation]
        if request.requester.kind not in _HOLDERS:
            request = replace(request, action=Action.OPERATE_REGISTRY)
        if isinstance(decide(request, record, self.matrix, self.profile), Deny):
            return False
        if operation == "request-erasure":
            return self._ask_for_erasure(of)
        if isinstance(lifecycle.may_move(record, wanted, self.at, self.profile), Deny):
            return False
        self.spaces[of] = replace(record, status=wanted, since=self.at, erasure_asked_at=None)
        if wanted is SpaceStatus.ERASED:
            self.facts = {key: facts for key, facts in self.facts.items() if facts.compartment != of}
        else:
            self.notices.append(AccessFacts(of, _NOTICES[wanted]))
        return True

    def _ask_for_erasure(self, of: str) -> bool:
        if lifecycle.status_at(self.spaces[of], self.at, self.profile) is not SpaceStatus.CLOSED:
            return False
        self.spaces[of] = replace(self.spaces[of], erasure_asked_at=self.at)
        self.notices.append(AccessFacts(of, "space-erasure-asked"))
        return True

    def status(self, who: str, of: str) -> str | None:
        if isinstance(self._enter(who, of, Action.DIRECT), Deny):
            return None
        return lifecycle.status_at(self.spaces[of], self.at, self.profile).value

    def told(self, who: str, of: str) -> set[str] | None:
        answer = self._enter(who, of, Action.READ_NOTICES)
        if isinstance(answer, Deny):
            return None
        seen = answer.sees(View.NOTICES)
        there = [facts for facts, document in self.waiting if self._may_wait(document, answer)]
        return {facts.kind for facts in (*self.notices, *there) if seen.admits(facts)}

    def _may_wait(self, document: str, answer: Permit) -> bool:
        """Tell whether a document is there that the reader would see if it were not sealed."""
        facts = self.facts.get(document)
        return facts is not None and answer.sees(View.ABOUT).admits(replace(facts, sealed_until=None))

    def audience(self, who: str, document: str, proposed: str) -> dict[tuple[str, str], tuple[bool, bool]] | None:
        facts = self.facts[document]
        answer = self._enter(who, facts.compartment, Action.DIRECT)
        if isinstance(answer, Deny) or answer.basis not in (Basis.PATIENT, Basis.REPRESENTATIVE):
            return None
        if not answer.sees(View.DOCUMENTS).admits(facts):
            return None
        people = {f"Practitioner/{part.key}": part.profession for part in cast.PROFESSIONALS}
        stage = Stage(self.spaces[facts.compartment], self.matrix, self.profile, self.at, people)
        marks = facts.marks | Mark.MASQUE_PS if proposed == "hidden" else facts.marks & ~Mark.MASQUE_PS
        now, then = audience(stage, facts), audience(stage, replace(facts, marks=marks))
        return {(party.role, party.name.rpartition("/")[2]): (sees, then[party]) for party, sees in now.items()}

    def explain(self, who: str, of: str, type_: str) -> tuple[bool, str] | None:
        request = self._request(who, Action.CONSULT)
        answer = decide(request, self.spaces[of], self.matrix, self.profile)
        safe = not (isinstance(answer, Permit) and answer.basis in (Basis.PATIENT, Basis.REPRESENTATIVE))
        explainer = Explainer(self.matrix, "en", safe)
        texts = (*explainer.answer(answer), explainer.kind(request.requester.profession, type_))
        return isinstance(answer, Permit), " ".join(texts)

    def traces(self, who: str, of: str) -> bool:
        return isinstance(self._enter(who, of, Action.READ_TRACES), Permit)

    def _narrowed(self, who: str, of: str, scope: str, seen: Visibility) -> Visibility | None:
        """Cut by the scopes of a token, as the server does before it looks at anything."""
        caller = a_caller(requester_of(who), scope, launch_patient=of)
        try:
            return smart_scopes.narrow(seen, smart_scopes.demand(caller, ("DocumentReference",), "s", of))
        except Problem:
            return None

    def _tell(self, entry: Permit, who: str, of: str) -> None:
        requester = requester_of(who)
        key = f"{requester.person} {requester.organization}"
        record = self.spaces[of]
        if Obligation.NOTIFY_FIRST_ACCESS in entry.obligations and key not in record.told:
            self.notices.append(AccessFacts(of, "first-access"))
            self.spaces[of] = replace(record, told=record.told | {key})

    def _enter(self, who: str, of: str, action: Action) -> Permit | Deny:
        return decide(self._request(who, action), self.spaces[of], self.matrix, self.profile)

    def _request(self, who: str, action: Action) -> AccessRequest:
        requester = requester_of(who)
        purpose = purpose_of(who) or Purpose.TREATMENT
        if requester.kind in _HOLDERS:
            purpose = Purpose.PATIENT_REQUEST
        self.at += timedelta(milliseconds=1)
        return AccessRequest(requester, action, purpose, self.at, self.is_stopped)

    def _facts(self, part: DocumentPart) -> AccessFacts:
        own = part.author == "patient"
        marks = Mark.MASQUE_PS if part.hidden else Mark.NONE
        for name in part.marks:
            marks |= Mark[name]
        if marks & Mark.INVISIBLE_PATIENT:
            self._tell_waiting(part.patient, part.key)
        facts = AccessFacts(part.patient, part.type, TYPES[part.type][2], marks, self._seal(marks), id=part.key)
        return self._owned(facts, requester_of(part.via or (part.patient if own else part.author)))

    def _tell_waiting(self, of: str, document: str) -> None:
        due = visibility_marks.information_due(self.at, self.profile)
        self.waiting.append((AccessFacts(of, "result-waits", sealed_until=due), document))

    def _seal(self, marks: Mark) -> datetime | None:
        return visibility_marks.sealed_until(self.at, self.profile) if marks & Mark.INVISIBLE_PATIENT else None

    @staticmethod
    def _owned(facts: AccessFacts, depositor: Requester) -> AccessFacts:
        return replace(
            facts,
            owner_person=depositor.person,
            owner_organization=depositor.organization,
            owner_client=depositor.client,
        )


def requester_of(who: str) -> Requester:
    """Return the facts about somebody; references are keys instead of ids."""
    name = base_of(who)
    if "/" in name:
        return Requester(RequesterKind.RELATED, f"RelatedPerson/{key_of(name)}", client="Device/espace")
    if any(part.key == name for part in cast.SOFTWARE):
        place = cast.software(name).establishment
        organization = f"Organization/{place}" if place else ""
        return Requester(RequesterKind.SYSTEM, organization=organization, client=f"Device/{name}")
    if any(part.key == name for part in cast.STAFF):
        return Requester(RequesterKind.AUDITOR, f"Device/{name}")
    part = next((part for part in cast.PROFESSIONALS if part.key == name), None)
    if part is None:
        return Requester(RequesterKind.PATIENT, f"Patient/{name}", client="Device/espace")
    return Requester(
        RequesterKind.PROFESSIONAL,
        f"Practitioner/{name}",
        f"PractitionerRole/{name}",
        f"Organization/{part.establishment}",
        "Device/poste",
        part.profession,
    )


def book_of_keys() -> Demonstration:
    """Return a book in which every id is the key itself."""
    demo = Demonstration("", "")
    demo.patients = {part.key: part.key for part in cast.PATIENTS}
    demo.professionals = {part.key: part.key for part in cast.PROFESSIONALS}
    demo.documents = {part.key: part.key for part in documents()}
    demo.organizations = {part.key: part.key for part in cast.ESTABLISHMENTS}
    demo.guardians = {
        f"{key}/{part.key}": key_of(f"{key}/{part.key}") for part in cast.PATIENTS for key in part.guardians
    }
    return demo


def key_of(guardian: str) -> str:
    """Return the id, in this world, of a related person."""
    return guardian.replace("/", "-")
