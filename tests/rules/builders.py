"""Facts for the rules, in a word or two each."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from consent_rules.decision.decide import decide
from consent_rules.matrix.table import published
from consent_rules.model import AccessRequest, Deny, Directive, Permit, RecordState, Requester, implied_grade
from consent_rules.rule_profile import profile
from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import Action, DirectiveKind, Mark, Purpose, RequesterKind, SpaceStatus, View

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MATRIX = published()
FR = profile("fr")
EHDS = profile("ehds")

PHYSICIAN, DENTIST, PHARMACIST, NURSE, PHYSIOTHERAPIST, OPTICIAN = "10", "40", "21", "60", "70", "28"
PSYCHOLOGIST, SOCIAL_WORKER, DECLARED = "93", "41", "PCP"
HOSPITAL_REPORT, LABORATORY, REIMBURSEMENT, RESIDENCE = "34112-3", "11502-2", "REMB", "ATTEST-RESID"

CAMILLE = "camille"
PAUL = Requester(
    RequesterKind.PROFESSIONAL,
    person="Practitioner/paul",
    role="PractitionerRole/paul-1",
    organization="Organization/cabinet",
    client="Device/ehr",
    profession=PHYSIOTHERAPIST,
)
MARTIN = replace(
    PAUL,
    person="Practitioner/martin",
    role="PractitionerRole/martin-1",
    organization="Organization/practice",
    profession=PHYSICIAN,
)
HOLDER = Requester(RequesterKind.PATIENT, person=f"Patient/{CAMILLE}", client="Device/portal")
PARENT = Requester(RequesterKind.RELATED, person="RelatedPerson/marc", client="Device/portal")
SOFTWARE = Requester(RequesterKind.SYSTEM, organization="Organization/chu", client="Device/chu")
AUDITOR = Requester(RequesterKind.AUDITOR, person="Practitioner/dana", client="Device/portal")
SUPPORT = Requester(RequesterKind.SUPPORT, person="Practitioner/oscar", client="Device/portal")
INSURER = Requester(RequesterKind.FORBIDDEN, person="Practitioner/ivan", organization="Organization/insurer")

ADULT, TEEN, CHILD = date(1980, 1, 1), date(2010, 6, 1), date(2018, 6, 1)


def space(*directives, status=SpaceStatus.ACTIVE, born=ADULT, **more):
    return RecordState(CAMILLE, status, birth_date=born, directives=directives, **more)


def directive(kind, *actors, id_="", **more):
    grade = implied_grade(kind, by_patient=more.get("by_patient", False))
    given = {"recorded_at": NOW - HOUR, "grade": grade} | more
    return Directive(id_ or f"{kind.value}-1", kind, actors=frozenset(actors), **given)


def agreement(actor, **more):
    return directive(DirectiveKind.AGREEMENT, actor, **more)


def block(*actors, **more):
    return directive(DirectiveKind.BLOCK, *actors, **more)


def opening(requester, mode=Purpose.BREAK_GLASS, **more):
    given = {"purposes": frozenset({mode}), "reason": "unconscious", "recorded_at": NOW - HOUR / 2} | more
    return directive(DirectiveKind.EMERGENCY_OPENING, requester.person, **given)


def ask(requester, record, action=Action.CONSULT, purpose=Purpose.TREATMENT, at=NOW, rules=FR, **more):
    return decide(AccessRequest(requester, action, purpose, at, **more), record, MATRIX, rules)


def entered(answer):
    assert isinstance(answer, Permit), answer
    return answer


def reason(answer):
    assert isinstance(answer, Deny), answer
    return answer.reason


def document(kind=HOSPITAL_REPORT, marks=Mark.NONE, **more):
    return AccessFacts(CAMILLE, kind=kind, marks=marks, **more)


def sees(answer, facts, view=View.DOCUMENTS):
    return entered(answer).sees(view).admits(facts)
