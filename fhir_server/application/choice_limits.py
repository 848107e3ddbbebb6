"""How many choices one space holds: each decision loads all of them, so that nobody makes a space slow for others.

What professionals write down never takes room from what the holder chooses, nor one professional from another
beyond the number that all share. Openings in an emergency are not counted.
"""

from consent_rules.model import Directive
from consent_rules.recording import tidied
from consent_rules.vocabulary import DirectiveKind, Reason, RequesterKind
from fhir_server import limits
from fhir_server.application.enforcement import Opened
from fhir_server.application.writing import Work
from fhir_server.domain.problem import Category, Problem

_UNCOUNTED = frozenset({DirectiveKind.EMERGENCY_OPENING, DirectiveKind.BLOCK_LIFTED})


def demand_few(work: Work, opened: Opened, said: tuple[Directive, ...], root: str) -> None:
    """Refuse a choice for which the space has no room. said: what a Consent says. root: of expressions.

    Raises: Problem(BUSINESS_RULE).
    """
    kind, person = work.caller.requester.kind, work.caller.requester.person
    if kind is RequesterKind.SYSTEM or not said:
        return
    present = tidied(work.record(opened), work.at, work.runtime.profile).directives
    counted = [*said, *(d for d in present if d.id != said[0].id and d.kind not in _UNCOUNTED)]
    written_down = [d for d in counted if not d.by_patient and d.kind is DirectiveKind.AGREEMENT]
    allowed = limits.in_force()
    if kind is RequesterKind.PROFESSIONAL:
        own = sum(d.recorder == person for d in written_down)
        refused = own > allowed.agreements or len(written_down) > allowed.choices
    else:
        refused = sum(d.by_patient for d in counted) > allowed.choices
    if refused:
        text = "this space holds as many choices of this kind as may be; withdraw one that is not needed any more"
        raise Problem.of(Category.BUSINESS_RULE, text, root, Reason.TOO_MANY_CHOICES)
