"""A second statement of who may see what, as data: written from the numbered statements, without having read the rules.

Source: docs/rules.md states the statements that the first word of each line names; "design" stands for docs/adr.
A fact is an axis and its value. A line holds when all its conditions hold: `axis=a|b` one of these, `axis!=a|b` none.
Derived facts are "yes" when one of their lines holds. Nothing is granted by default; one ban outweighs every grant.
"""

from functools import cache

HEALTH = "physician|coordinating|occupational|physiotherapist"
ROLES = "psychologist|social-worker"

DERIVED = f"""
A3   open         space=active|announced-over
B11  of-age       age=teenager|adult|unknown
B2   minor        age=child|teenager
B2   guardian     who=related authority=representative dates=current minor=yes
B2   guardian     who=related authority=guardian dates=current
B13  carer        who=related authority=carer dates=current
F3   blocked      block=person|role|establishment|everyone
F5   unblocked    block=ended|lifted-since
C16  let-in       who=physician|coordinating|physiotherapist
C16  let-in       who={ROLES} profile=wide
I4   let-in       who=occupational profile=wide
I7   approved     ask=off
I7   approved     ask=on given-by=patient
C4   agreed       named=fresh|narrow|patient-long approved=yes unblocked=no
C2   joined       group=establishment|establishment-old approved=yes unblocked=no who!=occupational
C3   joined       group=team member=current approved=yes unblocked=no who!=occupational
D4   declared     who=physician|coordinating declared=current unblocked=no
E4   named-admin  administrator=current unblocked=no
G1   glass        who={HEALTH} mode=break-glass opposed!=break-glass|both
G2   regulating   who=physician|coordinating|occupational mode=regulation opposed!=regulation|both
E13  hidden       mask=yes
E13  hidden       history=hidden kind=REMB
E6   unsocial     social-mask=yes who=social-worker
"""

BANS = """
I1   any              who=forbidden
I8   any              who=unnamed-physician|no-profession|unknown-profession|function-claimed
A13  consult          open=no
A13  deposit          open=no
A13  open-emergency   open=no
F3   consult          who!=holder|related blocked=yes
F3   open-emergency   blocked=yes
"""

GRANTS = f"""
B1   consult  all-unsealed   who=holder of-age=yes
B2   consult  unsecret       guardian=yes
B13  consult  carer          carer=yes scope=all
B13  consult  carer-narrow   carer=yes scope=narrow
C4   consult  row            let-in=yes mode=care agreed=yes named!=narrow
C12  consult  narrow-row     let-in=yes mode=care agreed=yes named=narrow
C2   consult  row            let-in=yes mode=care joined=yes
E3   consult  whole-hidden   let-in=yes mode=care declared=yes profile!=ehds
D4   consult  whole          let-in=yes mode=care declared=yes profile=ehds
E4   consult  row-hidden     let-in=yes mode=care named-admin=yes profile!=ehds
E4   consult  row            let-in=yes mode=care named-admin=yes profile=ehds
E2   consult  own            let-in=yes mode=care
E2   consult  own-house      let-in=yes mode=care agreed=yes
E2   consult  own-house      let-in=yes mode=care joined=yes
E2   consult  own-house      let-in=yes mode=care declared=yes
E2   consult  own-house      let-in=yes mode=care named-admin=yes
G1   consult  row            glass=yes opening=right
G5   consult  row-hidden     glass=yes opening=right third=on
E2   consult  own            glass=yes opening=right
E2   consult  own-house      glass=yes opening=right
G2   consult  row            regulating=yes opening=right|reasonless
G5   consult  row-hidden     regulating=yes opening=right|reasonless third=on
E2   consult  own            regulating=yes opening=right|reasonless
E2   consult  own-house      regulating=yes opening=right|reasonless
E2   consult  own-software   who=software
J6   deposit  -              who=holder of-age=yes
B1   deposit  -              guardian=yes
B13  deposit  -              carer=yes
C9   deposit  -              who=physician|coordinating|physiotherapist mode=care
C15  deposit  -              who={ROLES} let-in=yes mode=care agreed=yes
C15  deposit  -              who={ROLES} let-in=yes mode=care joined=yes
I4   deposit  -              who=occupational let-in=yes mode=care agreed=yes
C9   deposit  -              who=software
G1   open-emergency  -       glass=yes
G2   open-emergency  -       regulating=yes
H5   traces   traces         who=holder of-age=yes open=yes
B1   traces   traces-unsecret  guardian=yes open=yes
H4   traces   accesses       let-in=yes mode=care declared=yes blocked=no open=yes
H4   traces   accesses       let-in=yes mode=care named-admin=yes blocked=no open=yes
H4   traces   own-accesses   let-in=yes mode=care
H8   traces   audit          who=auditor
H8   traces   accesses       who=support
"""

SIGHTS = """
E9   all-unsealed     sealed=no
B6   unsecret         sealed=no secret=no
B13  carer            sealed=no secret=no third-mask=no
B13  carer-narrow     sealed=no secret=no third-mask=no kind=34112-3
C12  row              cell=yes hidden=no unsocial=no
C12  narrow-row       cell=yes hidden=no unsocial=no kind=34112-3
E4   row-hidden       cell=yes unsocial=no
D4   whole            whole-cell=yes hidden=no
E3   whole-hidden     whole-cell=yes
E2   own              owner=person
E2   own-house        owner=establishment cell=yes
E2   own-software     owner=software
H5   traces           trace=access|refusal|choice
B10  traces-unsecret  trace=access|refusal|choice secret=no
H4   accesses         trace=access
H4   own-accesses     trace=access owner=person
H8   audit            trace=access|refusal
"""


def _rows(text, names):
    """Read a table: the statement, then `names` words, then conditions as (axis, wanted, values)."""
    for line in text.strip().splitlines():
        words = line.split()
        parts = [word.partition("=") for word in words[1 + names :]]
        conditions = tuple((axis.rstrip("!"), axis[-1] != "!", frozenset(some.split("|"))) for axis, _, some in parts)
        yield (*words[1 : 1 + names], conditions)


@cache
def _tables():
    return [list(_rows(text, names)) for text, names in ((DERIVED, 1), (BANS, 1), (GRANTS, 2), (SIGHTS, 1))]


def _holds(conditions, facts):
    return all((facts.get(axis, "no") in values) is wanted for axis, wanted, values in conditions)


def _known(facts):
    known = dict(facts)
    for name, conditions in _tables()[0]:
        if _holds(conditions, known):
            known[name] = "yes"
    return known


def ways(facts):
    """Return the names of the ways in which somebody sees; none means refused."""
    known, (_, bans, grants, _) = _known(facts), _tables()
    if any(action in ("any", facts["action"]) and _holds(when, known) for action, when in bans):
        return frozenset()
    return frozenset(way for action, way, when in grants if action == facts["action"] and _holds(when, known))


def sees(found, facts):
    """Tell whether one of the ways shows a document, from the facts of the document and of whom it is about."""
    known = _known(facts)
    return any(name in found and _holds(when, known) for name, when in _tables()[3])
