"""A second statement of who may see what, as data: written from the numbered statements, without having read the rules.

A line names a statement of docs/rules.md and holds when all its conditions do; a derived fact is "yes" when one holds.
"""

DERIVED = """
A3   open         space=active|announced-over
B11  of-age       age=teenager|adult|unknown
B2   minor        age=child|teenager
B2   guardian     who=related dates=current|bounded authority=representative minor=yes
B2   guardian     who=related dates=current|bounded authority=guardian
B13  carer        who=related dates=bounded authority=carer
F3   blocked      block=person|role who!=holder|related|software
F3   blocked      block=establishment|everyone who!=holder|related
F3   blocked      block=everyone-but-me who=software
G4   blocked      mode=break-glass opposed=break-glass|both who!=holder|related
G4   blocked      mode=regulation opposed=regulation|both who!=holder|related
F5   unblocked    block=ended|lifted-since
C13  let-in       who=physician|coordinating|physiotherapist
C16  let-in       who=psychologist|social-worker profile=wide
I4   let-in       who=occupational profile=wide
I7   approved     ask=off
I7   approved     given-by=patient|code|code-of-relative
C13  in-role      mode=care let-in=yes
G1   in-role      mode=break-glass who=physician|coordinating|physiotherapist|occupational
G2   in-role      mode=regulation who=physician|coordinating
C4   agreed       let-in=yes named=fresh|fresh-role|narrow|patient-long approved=yes unblocked=no
C2   lasting      group=establishment|mixed
C2   lasting      group=establishment-old|mixed-old given-by=patient
C3   lasting      group=team|team-old member=current|declared given-by=patient
V4   lasting      group=team member=current given-by=professional
V1   lasting      group=team member=current|declared given-by=certificate
C2   joined       let-in=yes lasting=yes approved=yes unblocked=no who!=occupational
D4   attending    who=physician|coordinating declared=current unblocked=no mode=care
E4   named-admin  let-in=yes administrator=current unblocked=no mode=care who!=occupational
G1   emergency    mode=break-glass|regulation in-role=yes opening=right
V1   own-act      agreed=yes given-by=patient|code|code-of-relative
V1   own-act      joined=yes given-by=patient|code|code-of-relative
V1   own-act      attending=yes
V1   own-act      named-admin=yes
V5   of-house     joined=yes given-by=patient|code|code-of-relative group!=mixed|mixed-old
V5   of-house     agreed=yes given-by=patient|code|code-of-relative named=fresh-role
V1   attested     agreed=yes given-by=certificate
V1   attested     joined=yes given-by=certificate
V1   attested     care=person|house|other-software
C1   entered      agreed=yes mode=care
C1   entered      joined=yes mode=care
L1   entered      attending=yes
E4   entered      named-admin=yes
G1   entered      emergency=yes
E13  hidden       mask=yes
E13  hidden       history=hidden kind=REMB
E1   hidden       withheld=everyone kind=34112-3
E1   kept-back    withheld=everyone|everyone-but-me kind=34112-3
B2   kept-back    kept=all profile=ehds
B2   kept-back    kept=some|by-name kind=34112-3 profile=ehds
B2   limited      kept=all|some|by-name age=teenager profile=ehds
F7   barred       withheld=me kind=34112-3
E6   unsocial     social-mask=yes who=social-worker
B2   kept-of-giver kept=all
B2   kept-of-giver kept=some|by-name kind=34112-3
"""
BANS = """
I1   any                             who=forbidden
I8   any                             who=unnamed-physician|no-profession|unknown-profession|function-claimed
A13  consult|deposit|open-emergency  open=no
F3   consult|open-emergency          blocked=yes
A8   review                          space=closed-over|erased
K2   any                             served=emergencies mode!=break-glass|regulation
K2   any                             served=emergencies who=holder|other-patient|related|software|auditor|support
"""
GRANTS = """
B1   consult  unsealed        who=holder of-age=yes
B2   consult  unsecret        guardian=yes
B13  consult  unshut          carer=yes scope=all
B13  consult  unshut-narrow   carer=yes
C4   consult  row             agreed=yes mode=care named!=narrow given-by!=code-of-relative
C12  consult  row-narrow      agreed=yes mode=care given-by!=code-of-relative
C2   consult  row             joined=yes mode=care given-by!=code-of-relative
B2   consult  shared-row      agreed=yes mode=care named!=narrow
B2   consult  shared-narrow   agreed=yes mode=care
B2   consult  shared-row      joined=yes mode=care
E3   consult  whole           attending=yes profile!=ehds
D4   consult  whole-unhidden  attending=yes
E4   consult  row-any-mark    named-admin=yes profile!=ehds
E4   consult  row             named-admin=yes
G1   consult  row             emergency=yes
G5   consult  row-hidden      emergency=yes third=on
E2   consult  own             entered=yes
E2   consult  own-software    who=software
J6   deposit  -               who=holder of-age=yes
B1   deposit  -               guardian=yes
B13  deposit  -               carer=yes
C9   deposit  -               in-role=yes who=physician|coordinating|physiotherapist
C15  deposit  -               agreed=yes mode=care
C15  deposit  -               joined=yes mode=care
C9   deposit  -               who=software
G1   open-emergency  -        mode=break-glass|regulation in-role=yes
H5   traces   all-traces      who=holder of-age=yes open=yes
B1   traces   unsecret-traces guardian=yes open=yes
H4   traces   accesses        attending=yes blocked=no open=yes
H4   traces   accesses        named-admin=yes blocked=no open=yes
H4   traces   own-accesses    in-role=yes
H8   traces   audited         who=auditor
H8   traces   by-software     who=software
H8   traces   no-trace        who=support
G8   review   no-document     who=auditor
"""
SIGHTS = """
E9   unsealed         sealed=no
B6   unsecret         sealed=no secret=no limited=no
B2   unsecret         sealed=no secret=no kept=some|by-name kind!=34112-3
B2   unsecret         sealed=no secret=no kept=all shared=some|by-name kind=34112-3
B2   unsecret         sealed=no secret=no kept=some shared=by-name
E2   unsecret         sealed=no secret=no owner=relative
B13  unshut           sealed=no secret=no third-mask=no kept-back=no
B13  unshut-narrow    sealed=no secret=no third-mask=no kept-back=no kind=34112-3
C12  row              cell=yes hidden=no unsocial=no barred=no
C12  row-narrow       cell=yes hidden=no unsocial=no barred=no kind=34112-3
B2   shared-row       cell=yes hidden=no unsocial=no barred=no secret=no kept-of-giver=no
B2   shared-narrow    cell=yes hidden=no unsocial=no barred=no secret=no kept-of-giver=no kind=34112-3
G5   row-hidden       cell=yes barred=no
E4   row-any-mark     cell=yes barred=no
D4   whole-unhidden   hidden=no barred=no
E3   whole            barred=no
E2   own              owner=person
E2   own              owner=establishment cell=yes
E2   own-software     owner=software|establishment
H5   all-traces       trace=access|refusal|choice
B10  unsecret-traces  trace=access|refusal|choice secret=no limited=no
B10  unsecret-traces  trace=access secret=no owner=relative
H4   accesses         trace=access
H4   own-accesses     trace=access owner=person
H8   by-software      trace=access owner=software
H8   audited          trace=access|refusal
"""
GRADES = """
V1   patient      entered=yes own-act=yes login=own
V5   third_party  entered=yes of-house=yes
V1   third_party  entered=yes attested=yes
V3   declared     entered=yes
"""


def _rows(text, names):
    """Read a table: the statement, then `names` words, then conditions as (axis, wanted, values)."""
    for _, *words in map(str.split, text.strip().splitlines()):
        parts = (word.split("=") for word in words[names:])
        yield (*words[:names], tuple((a.rstrip("!"), a[-1] != "!", frozenset(v.split("|"))) for a, v in parts))


FACTS, REFUSED, GRANTED, SHOWN = map(tuple, map(_rows, (DERIVED, BANS, GRANTS, SIGHTS), (1, 1, 2, 1)))
GRADED = tuple(_rows(GRADES, 1))


def _holds(conditions, facts):
    return all((facts.get(axis, "no") in values) is wanted for axis, wanted, values in conditions)


def _known(facts):
    known = dict(facts)
    for name, conditions in FACTS:
        known |= {name: "yes"} if _holds(conditions, known) else {}
    return known


def ways(facts):
    """Return the names of the ways in which somebody sees; none means refused."""
    known, action = _known(facts), facts["action"]
    banned = any(({"any", action} & set(about.split("|"))) and _holds(when, known) for about, when in REFUSED)
    return frozenset(way for about, way, when in GRANTED if about == action and not banned and _holds(when, known))


def grade(facts):
    """Return the grade of an access of a professional, None for any other; an emergency is a declared word."""
    known = _known(facts)
    best = next((name for name, when in GRADED if _holds(when, known)), None)
    return "declared" if best and facts["mode"] != "care" else best


def sees(way, facts):
    """Tell whether one way shows a document, from the facts of the document and of whom it is about."""
    return any(name == way and _holds(when, known) for known in [_known(facts)] for name, when in SHOWN)
