"""Which axes of a decision are multiplied with each other, and with which values.

Source: the groups of statements of docs/rules.md that name the axes together.
"""

from math import prod

from tests.laws.abstract_states import (
    ACTION,
    BLOCK,
    BORN,
    CARE,
    CONSENT,
    KEPT,
    MODE,
    OPENING,
    OPPOSED,
    SHARED,
    SPACE_STATE,
    WHO,
    WITHHELD,
)

DEFAULTS = {
    "action": "consult",
    "profile": "fr",
    "mode": "care",
    "space": "active",
    "born": None,
    "named": "none",
    "given-by": "professional",
    "group": "none",
    "member": "none",
    "ask": "off",
    "declared": "no",
    "administrator": "no",
    "block": "none",
    "opposed": "none",
    "opening": "none",
    "third": "off",
    "history": "open",
    "authority": "none",
    "dates": "current",
    "scope": "all",
    "withheld": "none",
    "kept": "none",
    "shared": "none",
    "served": "all",
    "care": "none",
    "login": "own",
}
"""Values that neither grant nor forbid."""

EVERYTHING = {
    "who": tuple(WHO),
    "action": tuple(ACTION),
    "profile": ("fr", "ehds", "wide"),
    "mode": tuple(MODE),
    "space": tuple(SPACE_STATE),
    "born": tuple(BORN),
    "named": tuple(CONSENT["named"]),
    "given-by": ("professional", "patient", "code", "certificate", "code-of-relative"),
    "group": tuple(CONSENT["group"]),
    "member": ("none", "current", "declared", "past", "future"),
    "ask": ("off", "on"),
    "declared": ("no", "current", "ended", "future", "establishment"),
    "administrator": ("no", "current", "ended", "future", "establishment"),
    "block": tuple(BLOCK),
    "opposed": tuple(OPPOSED),
    "opening": tuple(OPENING),
    "third": ("off", "on"),
    "history": ("open", "hidden"),
    "authority": ("none", "representative", "guardian", "carer"),
    "dates": ("current", "bounded", "ended", "future"),
    "scope": ("all", "narrow"),
    "withheld": tuple(WITHHELD),
    "kept": tuple(KEPT),
    "shared": tuple(SHARED),
    "served": ("all", "emergencies"),
    "care": tuple(CARE),
    "login": ("own", "vouched"),
}
"""Every value of every axis."""

LET_IN = ("physician", "coordinating", "occupational", "physiotherapist", "psychologist", "social-worker")
LIVE_BLOCKS = ("none", "person", "everyone", "everyone-but-me", "lifted-since", "lifted-before")


def _all(*axes, **chosen):
    return {axis: EVERYTHING[axis] for axis in axes} | {axis.replace("_", "-"): some for axis, some in chosen.items()}


SPACES = {
    "grades": _all(
        "given-by",
        "care",
        "login",
        who=("physician", "physiotherapist"),
        named=("none", "fresh", "fresh-role", "later", "patient-long"),
        group=("none", "establishment", "establishment-old", "team", "team-old", "mixed", "mixed-old"),
        member=("none", "current", "declared"),
        declared=("no", "current"),
    ),
    "codes of representatives": _all(
        "profile",
        "kept",
        given_by=("code", "code-of-relative"),
        who=("physician", "social-worker"),
        named=("none", "fresh", "narrow"),
        group=("none", "establishment"),
        declared=("no", "current"),
        administrator=("no", "current"),
        withheld=("none", "everyone", "me", "everyone-but-me"),
    ),
    "grounds of care": _all(
        "profile",
        "ask",
        given_by=("professional", "patient"),
        who=("physician", "occupational", "physiotherapist", "social-worker"),
        named=("none", "fresh", "narrow", "stale"),
        group=("none", "establishment", "establishment-but-me", "team"),
        member=("none", "current"),
        declared=("no", "current"),
        administrator=("no", "current"),
        block=LIVE_BLOCKS,
    ),
    "every consent": _all(
        "named",
        "group",
        "member",
        "block",
        "ask",
        who=("physician", "occupational", "social-worker"),
        profile=("wide",),
    ),
    "every appointment": _all(
        "declared", "administrator", "block", "profile", "history", who=LET_IN, named=("none", "fresh", "narrow")
    ),
    "what is withheld": _all(
        "withheld",
        "history",
        "third",
        who=("related", "software", "physician", "physiotherapist"),
        profile=("fr", "ehds"),
        mode=("care", "break-glass"),
        named=("none", "fresh", "narrow"),
        declared=("no", "current"),
        administrator=("no", "current"),
        opening=("none", "right"),
        authority=("none", "carer"),
        dates=("bounded",),
        scope=("all", "narrow"),
    ),
    "emergencies": _all(
        "opening",
        "opposed",
        "third",
        "history",
        who=("physician", "occupational", "physiotherapist", "psychologist"),
        profile=("fr", "wide"),
        mode=("break-glass", "regulation"),
        named=("none", "fresh", "for-emergencies"),
        block=(*LIVE_BLOCKS, "establishment"),
    ),
    "every life of a space": _all(
        "who",
        "action",
        "mode",
        "space",
        profile=("fr", "wide"),
        named=("none", "fresh"),
        opening=("none", "right"),
    ),
    "nothing but emergencies": _all(
        "who",
        "action",
        "mode",
        "served",
        profile=("fr", "wide"),
        space=("active", "closed"),
        named=("none", "fresh"),
        opening=("none", "right"),
        authority=("none", "guardian"),
        block=("none", "person"),
    ),
    "what a minor keeps": _all(
        "born",
        "authority",
        "profile",
        "kept",
        shared=("none", "some", "by-name", "written-down"),
        who=("holder", "related"),
        action=("consult", "traces"),
        mode=("family-request",),
        dates=("bounded", "ended"),
        withheld=("none", "everyone"),
    ),
    "families": _all(
        "born",
        "authority",
        "dates",
        "scope",
        who=("holder", "other-patient", "related"),
        action=("consult", "deposit", "traces"),
        mode=("patient-request", "family-request"),
        space=("active", "announced", "closed"),
        history=("open", "hidden"),
        block=("none", "everyone"),
    ),
}
"""What is compared on every commit."""

WHOLE = {
    name: axes
    | {
        "codes of representatives": _all("named", "shared", "history", who=LET_IN),
        "grades": _all("named", "group", "member", "ask", administrator=("no", "current")),
        "grounds of care": _all("who", "history", "given-by"),
        "every consent": _all("profile", "given-by", who=LET_IN),
        "every appointment": _all("named", "ask"),
        "what is withheld": _all("profile", who=("holder", "related", "software", *LET_IN)),
        "emergencies": _all(
            "profile",
            "block",
            "ask",
            declared=("no", "current"),
            who=(*LET_IN, "unnamed-physician", "forbidden", "software"),
        ),
        "every life of a space": _all("profile", "block", declared=("no", "current")),
        "nothing but emergencies": _all("opposed"),
        "what a minor keeps": _all(
            "action", "dates", "scope", "shared", who=("holder", "related", "software", "physician")
        ),
        "families": _all("mode", "space", "profile", "ask"),
    }[name]
    for name, axes in SPACES.items()
}
"""What is compared when asked for: more axes multiplied."""


def count(spaces):
    """Return how many states some spaces have."""
    return sum(prod(len(values) for values in axes.values()) for axes in spaces.values())
