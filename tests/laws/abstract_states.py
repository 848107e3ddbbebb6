"""The abstract states of a decision, and the concrete request, space and documents that stand for each.

Every axis of the oracle has a table: its values, and what in the facts of the rules each value is.
"""

import csv
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files
from itertools import product

from consent_rules.model import AccessRequest, Directive, Membership, RecordState, Requester, Team
from consent_rules.rule_profile import parse
from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import (
    Action,
    Capacity,
    DirectiveKind,
    Grade,
    Mark,
    Proof,
    Purpose,
    RequesterKind,
    SpaceStatus,
)

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ME, ROLE, HOUSE, TEAM, SOFTWARE = (
    "Practitioner/me",
    "PractitionerRole/me",
    "Organization/ours",
    "CareTeam/t",
    "Device/ehr",
)
OTHER, RELATED, SPACE = "Practitioner/other", "RelatedPerson/r", "p"


def _professional(profession, capacity=Capacity.NONE, person=ME):
    return Requester(RequesterKind.PROFESSIONAL, person, ROLE, HOUSE, SOFTWARE, profession, capacity=capacity)


WHO = {
    "holder": Requester(RequesterKind.PATIENT, "Patient/p"),
    "other-patient": Requester(RequesterKind.PATIENT, "Patient/q"),
    "related": Requester(RequesterKind.RELATED, RELATED),
    "physician": _professional("10"),
    "coordinating": _professional("10", Capacity.COORDINATING_PHYSICIAN),
    "occupational": _professional("10", Capacity.OCCUPATIONAL_PHYSICIAN),
    "physiotherapist": _professional("70"),
    "psychologist": _professional("93"),
    "social-worker": _professional("41"),
    "function-claimed": _professional("PCP"),
    "unknown-profession": _professional("zz"),
    "no-profession": _professional(""),
    "unnamed-physician": _professional("10", person=""),
    "software": Requester(RequesterKind.SYSTEM, organization=HOUSE, client=SOFTWARE),
    "auditor": Requester(RequesterKind.AUDITOR, "Practitioner/dana", organization="Organization/host"),
    "support": Requester(RequesterKind.SUPPORT, "Practitioner/oscar", organization="Organization/host"),
    "forbidden": Requester(RequesterKind.FORBIDDEN, "Practitioner/insurer", organization="Organization/insurer"),
}
MODE = {
    "care": Purpose.TREATMENT,
    "break-glass": Purpose.BREAK_GLASS,
    "regulation": Purpose.EMERGENCY,
    "patient-request": Purpose.PATIENT_REQUEST,
    "family-request": Purpose.FAMILY_REQUEST,
    "audit": Purpose.AUDIT,
}
ACTION = {
    "consult": Action.CONSULT,
    "deposit": Action.DEPOSIT,
    "open-emergency": Action.OPEN_EMERGENCY,
    "traces": Action.READ_TRACES,
    "review": Action.REVIEW,
}
SPACE_STATE = {
    "announced": (SpaceStatus.ANNOUNCED, NOW - 42 * DAY + SECOND),
    "announced-over": (SpaceStatus.ANNOUNCED, NOW - 42 * DAY),
    "opposed": (SpaceStatus.OPPOSED, NOW - 365 * DAY),
    "active": (SpaceStatus.ACTIVE, NOW - 365 * DAY),
    "suspended": (SpaceStatus.SUSPENDED, NOW - DAY),
    "suspended-over": (SpaceStatus.SUSPENDED, NOW - 42 * DAY),
    "closed": (SpaceStatus.CLOSED, NOW - DAY),
    "closed-over": (SpaceStatus.CLOSED, NOW - 3653 * DAY),
    "erasing": (SpaceStatus.CLOSED, NOW - 90 * DAY, NOW - 89 * DAY),
    "erased": (SpaceStatus.ERASED, NOW - DAY),
}
BORN = {
    date(2011, 3, 11): "child",
    date(2011, 3, 10): "teenager",
    date(2008, 3, 11): "teenager",
    date(2008, 3, 10): "adult",
    None: "unknown",
}
_DATES = {
    "current": {"start": NOW - 300 * DAY},
    "bounded": {"start": NOW - 300 * DAY, "end": NOW + SECOND},
    "ended": {"start": NOW - 300 * DAY, "end": NOW},
    "future": {"start": NOW + SECOND},
}


def _directive(kind, *actors, given=NOW - 300 * DAY, **more):
    name = "-".join([kind, *sorted(actors), str(sorted(map(str, more.items()))), given.isoformat()])
    return Directive(name, kind, frozenset(actors), recorded_at=given, **more)


def _agreement(*actors, given=NOW - 23 * HOUR - 59 * MINUTE, by_patient=False, proof=None, **more):
    shown = proof or (Proof.PATIENT if by_patient else Proof.ORAL)
    return _directive(DirectiveKind.AGREEMENT, *actors, given=given, by_patient=by_patient, proof=shown, **more)


_GIVEN_BY = {
    "professional": {},
    "patient": {"by_patient": True, "grade": Grade.PATIENT},
    "code": {"proof": Proof.CODE, "grade": Grade.PATIENT},
    "certificate": {"proof": Proof.WRITTEN, "grade": Grade.THIRD_PARTY},
    "code-of-relative": {"proof": Proof.CODE, "grade": Grade.PATIENT, "given_by": RELATED},
}
_LONG = {"given": NOW - 25 * HOUR, "start": NOW - 25 * HOUR, "end": NOW + HOUR}
CONSENT = {
    "named": {
        "none": (),
        "fresh": (ME, {}),
        "fresh-role": (ROLE, {}),
        "narrow": (ME, {"kinds": frozenset({"34112-3"})}),
        "stale": (ME, {"given": NOW - DAY}),
        "ended": (ME, {"end": NOW}),
        "future": (ME, {"start": NOW + SECOND}),
        "for-emergencies": (ME, {"purposes": frozenset({Purpose.BREAK_GLASS})}),
        "later": (ME, {"given": NOW - DAY, "start": NOW - HOUR, "by_patient": False, "grade": Grade.DECLARED}),
        "patient-long": (ME, _LONG),
        "professional-long": (
            ME,
            _LONG | {"by_patient": False, "proof": Proof.WRITTEN, "grade": Grade.DECLARED},
        ),
        "patient-short-proof": (ME, _LONG | {"proof": Proof.CARD}),
        "patient-too-long": (ME, _LONG | {"given": NOW - 90 * DAY, "start": NOW - 90 * DAY}),
    },
    "group": {
        "none": (),
        "establishment": (HOUSE, {"given": NOW - HOUR}),
        "establishment-old": (HOUSE, {"given": NOW - 400 * DAY}),
        "establishment-ended": (HOUSE, {"end": NOW}),
        "establishment-but-me": (HOUSE, {"excluded": frozenset({ME})}),
        "another-establishment": ("Organization/chu", {}),
        "team": (TEAM, {"given": NOW - 90 * DAY + SECOND}),
        "team-old": (TEAM, {"given": NOW - 90 * DAY}),
        "mixed": ((ME, "Organization/chu"), {"given": NOW - DAY + SECOND}),
        "mixed-old": ((ME, "Organization/chu"), {"given": NOW - DAY}),
    },
}


def _consent(axis, value, given_by):
    actors, more = CONSENT[axis][value]
    return _agreement(*([actors] if isinstance(actors, str) else actors), **(_GIVEN_BY[given_by] | more))


def _block(*actors, given=NOW - 30 * MINUTE, **more):
    return _directive(DirectiveKind.BLOCK, *actors, given=given, by_patient=True, **more)


BLOCK = {
    "none": (),
    "person": (_block(ME),),
    "role": (_block(ROLE),),
    "establishment": (_block(HOUSE),),
    "everyone": (_block(),),
    "everyone-but-me": (_block(excluded=frozenset({ME})),),
    "somebody-else": (_block(OTHER),),
    "ended": (_block(ME, end=NOW),),
    "future": (_block(ME, start=NOW + SECOND),),
    "lifted-since": (_directive(DirectiveKind.BLOCK_LIFTED, ME, given=NOW - 30 * MINUTE),),
    "switched-back": (_directive(DirectiveKind.BLOCK_LIFTED, purposes=frozenset({Purpose.BREAK_GLASS}), given=NOW),),
    "lifted-before": (_directive(DirectiveKind.BLOCK_LIFTED, ME, given=NOW - 800 * DAY),),
}
_OPPOSED = {
    "break-glass": _block(given=NOW - 300 * DAY, purposes=frozenset({Purpose.BREAK_GLASS})),
    "regulation": _block(given=NOW - 300 * DAY, purposes=frozenset({Purpose.EMERGENCY})),
}
OPPOSED = {"none": (), **{name: (one,) for name, one in _OPPOSED.items()}, "both": tuple(_OPPOSED.values())}
SETTINGS = {
    "third": ("on", DirectiveKind.HIDDEN_IN_EMERGENCY),
    "history": ("hidden", DirectiveKind.CARE_HISTORY_HIDDEN),
    "ask": ("on", DirectiveKind.ASK_FIRST),
}


OPENING = {
    "none": (),
    "right": (ME, "served", SECOND, "unconscious"),
    "expired": (ME, "served", timedelta(), "unconscious"),
    "of-another": (OTHER, "served", MINUTE, "unconscious"),
    "of-other-mode": (ME, "other", MINUTE, "unconscious"),
    "reasonless": (ME, "served", MINUTE, ""),
}
"""Whom an opening names, for which mode, how long before its end we are, and the reason."""


def _opening(value, mode):
    actor, which, left, reason = OPENING[value]
    long = HOUR if mode == "regulation" else DAY
    in_regulation = (mode == "regulation") is (which == "served")
    purposes = frozenset({Purpose.EMERGENCY if in_regulation else Purpose.BREAK_GLASS})
    given, kind = NOW - long + left, DirectiveKind.EMERGENCY_OPENING
    return _directive(kind, actor, given=given, start=given, purposes=purposes, reason=reason, recorder=actor)


APPOINTED = {"declared": DirectiveKind.DECLARED_PHYSICIAN, "administrator": DirectiveKind.ADMINISTRATOR}


def _appointment(axis, value):
    dates = _DATES.get(value, _DATES["current"])
    own = {"by_patient": True, "grade": Grade.PATIENT}
    return _directive(APPOINTED[axis], HOUSE if value == "establishment" else ME, **own, **dates)


def _authority(value, dates, scope):
    kinds = frozenset({"34112-3"}) if scope == "narrow" else None
    return _directive(DirectiveKind(value), RELATED, kinds=kinds, **_DATES[dates])


CARE = {
    "none": (),
    "person": (ME, {}),
    "house": (HOUSE, {}),
    "another": (OTHER, {}),
    "but-me": (HOUSE, {"excluded": frozenset({ME})}),
    "by-me": (ME, {"recorder": ME}),
    "by-my-software": (HOUSE, {"recorder": SOFTWARE}),
    "other-software": (HOUSE, {"recorder": "Device/admissions"}),
    "ended": (HOUSE, {"end": NOW}),
    "future": (HOUSE, {"start": NOW + SECOND}),
    "too-old": (HOUSE, {"given": NOW - 90 * DAY}),
    "declared": (HOUSE, {"grade": Grade.DECLARED}),
}
"""What a third party recorded of the care: whom it names, and by whom, when and on which grade."""


def _care(value):
    actor, more = CARE[value]
    given = {"proof": Proof.ADMISSION, "grade": Grade.THIRD_PARTY, "given": NOW - 90 * DAY + SECOND}
    return _directive(DirectiveKind.CARE, actor, **(given | more))


_IDLE = ("none", "no", "off", "open")
_SOME = {"kinds": frozenset({"34112-3"}), "by_patient": True}
WITHHELD = {
    "none": (),
    "everyone": (_directive(DirectiveKind.WITHHELD, **_SOME),),
    "me": (_directive(DirectiveKind.WITHHELD, ME, **_SOME),),
    "everyone-but-me": (_directive(DirectiveKind.WITHHELD, excluded=frozenset({ME}), **_SOME),),
    "somebody-else": (_directive(DirectiveKind.WITHHELD, OTHER, **_SOME),),
    "ended": (_directive(DirectiveKind.WITHHELD, end=NOW, **_SOME),),
}
_KINDS = {"kinds": frozenset({"34112-3"}), "by_patient": True}
_BY_NAME = _KINDS | {"documents": frozenset({""})}
"""By name: every document of the sample has the same id."""
KEPT = {
    "none": (),
    "all": (_directive(DirectiveKind.WITHHELD, RELATED, by_patient=True),),
    "some": (_directive(DirectiveKind.WITHHELD, RELATED, **_KINDS),),
    "by-name": (_directive(DirectiveKind.WITHHELD, RELATED, **_BY_NAME),),
    "of-another": (_directive(DirectiveKind.WITHHELD, "RelatedPerson/other", by_patient=True),),
    "ended": (_directive(DirectiveKind.WITHHELD, RELATED, end=NOW, by_patient=True),),
}
SHARED = {
    "none": (),
    "all": (_directive(DirectiveKind.AGREEMENT, RELATED, by_patient=True),),
    "some": (_directive(DirectiveKind.AGREEMENT, RELATED, **_KINDS),),
    "by-name": (_directive(DirectiveKind.AGREEMENT, RELATED, **_BY_NAME),),
    "with-another": (_directive(DirectiveKind.AGREEMENT, "RelatedPerson/other", **_KINDS),),
    "written-down": (_directive(DirectiveKind.AGREEMENT, RELATED, recorder=ME, **(_KINDS | {"by_patient": False})),),
    "ended": (_directive(DirectiveKind.AGREEMENT, RELATED, end=NOW, **_KINDS),),
}
_TABLES = {
    "block": BLOCK,
    "withheld": WITHHELD,
    "kept": KEPT,
    "shared": SHARED,
    "opposed": OPPOSED,
    **{axis: {on: (_directive(kind, by_patient=True),)} for axis, (on, kind) in SETTINGS.items()},
}
_MAKERS = {
    "named": lambda value, given_by: _consent("named", value, given_by),
    "group": lambda value, given_by: _consent("group", value, given_by),
    "care": _care,
    "opening": _opening,
    "declared": lambda value: _appointment("declared", value),
    "administrator": lambda value: _appointment("administrator", value),
    "authority": _authority,
}
_CONTEXT = {"named": ("given-by",), "group": ("given-by",), "opening": ("mode",), "authority": ("dates", "scope")}


@cache
def _directives(axis, value, context):
    """Return the directives for which a value of an axis stands; context: values of the axes that it needs."""
    if value in _IDLE:
        return ()
    return _TABLES[axis][value] if axis in _TABLES else (_MAKERS[axis](value, *context),)


def directives_of(facts):
    """Return the directives of a state, in the order of the axes."""
    axes = (*_MAKERS, *_TABLES)
    found = (_directives(axis, facts[axis], tuple(facts[name] for name in _CONTEXT.get(axis, ()))) for axis in axes)
    return tuple(one for some in found for one in some)


@cache
def _teams(member):
    dates = {
        "current": (NOW - 10 * DAY, None, Grade.THIRD_PARTY),
        "declared": (NOW - 10 * DAY, None, Grade.DECLARED),
        "past": (NOW - 10 * DAY, NOW, Grade.THIRD_PARTY),
        "future": (NOW + SECOND, None, Grade.THIRD_PARTY),
    }
    mine = (Membership(ME, *dates[member]),) if member in dates else ()
    return (Team(TEAM, (Membership(OTHER), *mine)),)


def question(facts):
    """Return the request and the record for which a state stands."""
    served = facts["served"] == "emergencies"
    who = replace(WHO[facts["who"]], vouched=facts["login"] == "vouched")
    request = AccessRequest(who, ACTION[facts["action"]], MODE[facts["mode"]], NOW, served)
    status, since, *asked = SPACE_STATE[facts["space"]]
    chosen = directives_of(facts)
    teams = _teams(facts["member"])
    return request, RecordState(SPACE, status, since, *(asked or [None]), facts["born"], chosen, teams)


def state(facts):
    """Complete a state with what follows from its values."""
    if facts["named"].startswith("patient-"):
        facts["given-by"] = "patient"
    facts["age"] = BORN[facts["born"]]
    return facts


def states(defaults, **axes):
    """Yield every combination of the values of some axes, with the defaults for all others."""
    for values in product(*axes.values()):
        yield state(defaults | dict(zip(axes, values, strict=True)))


YES_NO = ("no", "yes")
OWNERS = {
    "none": ("", "", ""),
    "person": (ME, "", ""),
    "establishment": (OTHER, HOUSE, ""),
    "software": ("", "", SOFTWARE),
    "relative": (RELATED, "", ""),
    "another": (OTHER, "Organization/chu", "Device/chu"),
}
SEALS = {"no": None, "over": NOW, "yes": NOW + SECOND}
KINDS = ("34112-3", "11502-2", "REMB", "ATTEST-RESID", "")
MARKS = {
    "mask": Mark.MASQUE_PS,
    "secret": Mark.INVISIBLE_REPRESENTANTS_LEGAUX,
    "social-mask": Mark.MASQUE_PSOCIAL,
    "third-mask": Mark.MASQUE_PT,
}


def _documents():
    for kind, seal, owner, *flags in product(KINDS, SEALS, OWNERS, *[YES_NO] * 4):
        marked = dict(zip(MARKS, flags, strict=True))
        marks = Mark(sum(MARKS[name] for name, flag in marked.items() if flag == "yes"))
        marks |= Mark.NONE if seal == "no" else Mark.INVISIBLE_PATIENT
        facts = marked | {"kind": kind, "sealed": "yes" if seal == "yes" else "no", "owner": owner}
        yield facts, AccessFacts(SPACE, kind, "", marks, SEALS[seal], *OWNERS[owner])


def _traces():
    for kind, secret, owner in product(("access", "refusal", "choice"), YES_NO, OWNERS):
        marks = Mark.INVISIBLE_REPRESENTANTS_LEGAUX if secret == "yes" else Mark.NONE
        facts = {"trace": kind, "secret": secret, "owner": owner}
        yield facts, AccessFacts(SPACE, kind, "", marks, None, *OWNERS[owner])


DOCUMENTS = tuple(_documents())
TRACES = tuple(_traces())


@cache
def row_of(profession):
    """Return the kinds of one row, read from the table itself."""
    table = files("consent_rules").joinpath("data", "habilitation_matrix_2023-10-26.csv").read_text("utf-8")
    rows = csv.DictReader(table.splitlines())
    return frozenset(row["kind"] for row in rows if row["profession"] == profession and row["access"] == "yes")


def cell(who, kind):
    """Return what the matrix says of a kind for somebody."""
    return "yes" if kind in row_of(WHO[who].profession) else "no"


def wide(text):
    """Return the French profile with everybody let in who is off by default."""
    for key in ("non_health_roles", "occupational_physicians"):
        text = text.replace(f"{key} = false", f"{key} = true")
    return parse(text)


def profiles():
    data = files("consent_rules").joinpath("data", "countries")
    french = data.joinpath("fr.toml").read_text("utf-8")
    return {"fr": parse(french), "ehds": parse(data.joinpath("ehds.toml").read_text("utf-8")), "wide": wide(french)}
