"""Cases and reviews in words: what happened, by which rule, how long ago, and what the state is.

Source: docs/evidence.md; statements V8, V11, V13 and V20 of docs/rules.md.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flask_babel import format_timedelta, lazy_gettext

from fhir_server.domain.case_files import ACCESS, ADMISSION, DECLARED_EVIDENCE, EMERGENCY, Case, CaseKind, CaseOutcome
from fhir_server.domain.detection.facts import Oddity, Rule, Tie
from fhir_server.http.pages.public.transparency import MEANINGS

EMERGENCIES_OF_A_PLACE = "emergencies-of-the-establishment"
KINDS: Mapping[CaseKind, Any] = {
    CaseKind.CONTEST: lazy_gettext("A patient says that this is not true"),
    CaseKind.CEILING: lazy_gettext("A ceiling was reached"),
    CaseKind.BREAKER: lazy_gettext("Declarations are suspended"),
    CaseKind.DETECTION: lazy_gettext("An access that nothing explains"),
}
"""What opened a case."""
RULES: Mapping[str, Any] = {
    DECLARED_EVIDENCE: lazy_gettext("a declared agreement is contested"),
    ACCESS: lazy_gettext("an access is contested"),
    ADMISSION: lazy_gettext("an admission is contested"),
    EMERGENCY: lazy_gettext("an emergency access is contested"),
    EMERGENCIES_OF_A_PLACE: lazy_gettext("several times the usual number of emergencies of an establishment in a day"),
    Rule.SAME_ADDRESS: lazy_gettext("reader and patient share an address, a street or a telephone number"),
    Rule.SAME_NAME: lazy_gettext("reader and patient share a family name"),
    Rule.SAME_EMPLOYER: lazy_gettext("the patient works where the reader works"),
    Rule.OUT_OF_PLACE: lazy_gettext("several things about the access are unusual for this reader"),
    Rule.CELEBRITY: lazy_gettext("many unrelated readers entered one space within a day"),
    Rule.SEQUENCE: lazy_gettext("spaces of people born in one place and month were entered in a row"),
    Rule.VOLUME: lazy_gettext("more spaces without explanation than is usual in the profession"),
    Rule.DORMANT: lazy_gettext("an account was used that had long been unused"),
    Rule.ENDED: lazy_gettext("an access long after the death of the patient or the closing of the space"),
    Rule.EMERGENCIES: lazy_gettext("a large share of the reader’s accesses were declared emergencies"),
    Rule.REFUSALS: lazy_gettext("the reader was refused access to many spaces in a day"),
    **MEANINGS,
}
"""What a rule or a ceiling looks at; a rule of a later version is shown by its code."""
EVIDENCE: Mapping[str, Any] = {
    "emergencies": lazy_gettext("emergency openings on that day"),
    "usual-day": lazy_gettext("emergency openings on a usual day"),
    "spaces": lazy_gettext("spaces"),
    Tie.ADDRESS: lazy_gettext("points for a shared address"),
    Tie.PHONE: lazy_gettext("points for a shared telephone number"),
    Tie.RARE_NAME: lazy_gettext("points for a shared rare family name"),
    Tie.NAME: lazy_gettext("points for a shared family name"),
    Tie.STREET: lazy_gettext("points for a shared street"),
    Tie.TEAM: lazy_gettext("points for a patient who works in the reader’s team"),
    Tie.EMPLOYER: lazy_gettext("points for a shared employer"),
    Oddity.ALONE: lazy_gettext("points because nobody else of the establishment entered"),
    Oddity.ASTRAY: lazy_gettext("points because the reader’s team has not been there"),
    Oddity.OFF_DUTY: lazy_gettext("points because the reader had no explained access in those hours"),
    Oddity.RETURNS: lazy_gettext("points because the reader came back alone within a day"),
    Oddity.EMERGENCY: lazy_gettext("points because an emergency was declared"),
    Oddity.FILED: lazy_gettext("points because the establishment filed something afterwards"),
    Oddity.OTHERS: lazy_gettext("points because others of the establishment entered"),
}
"""What each count of a case counts; another one is shown by its code."""
OUTCOMES: Mapping[str, Any] = {
    CaseOutcome.JUSTIFIED: lazy_gettext("justified"),
    CaseOutcome.NOT_JUSTIFIED: lazy_gettext("not justified"),
    CaseOutcome.WITHDRAWN: lazy_gettext("taken back by whoever contested"),
    "disciplinary": lazy_gettext("not justified, with disciplinary consequences"),
}
"""How a case or a review ended."""


def rule_of(case: Case) -> str:
    """Return the rule of a case in words; its code for a rule that this version does not know."""
    return str(RULES.get(case.rule, case.rule))


def evidence_of(case: Case) -> list[tuple[str, int]]:
    """Return what a case counts, in words, with each count."""
    return [(str(EVIDENCE.get(code, code)), count) for code, count in sorted(case.evidence.items())]


def ago(at: datetime, now: datetime) -> str:
    """Write how long ago something was, in its largest unit, such as "3 days ago"."""
    past = min(at - now, timedelta(seconds=-1))
    return str(format_timedelta(past, threshold=1.2, add_direction=True))
