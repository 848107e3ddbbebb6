"""A second policy, data only, written from the numbered statements: it shares nothing with consent_rules.

A state is a row of plain facts. The first refusal or ground whose conditions all hold gives the answer; a ground shows
a document when one of its ways of seeing holds. `tests/laws/test_oracle.py` compares it with `enter` on every state.
"""

from typing import NamedTuple


class State(NamedTuple):
    """Who asks, what for, and what the patient said."""

    actor: str
    purpose: str
    profile: str
    age: str
    open: bool
    declared: bool
    administrator: bool
    team: bool
    named: bool
    asks_first: bool
    by_patient: bool
    blocked: bool
    mode_off: bool
    opened: bool
    widened: bool
    history_hidden: bool


class Document(NamedTuple):
    """What matters of one document."""

    kind: str
    hidden: bool
    sealed: bool
    secret: bool
    not_social: bool
    not_third: bool
    owner: str


PROFESSIONALS = ("physiotherapist", "physician", "social", "occupational", "function", "unnamed")
OTHERS = ("holder", "stranger", "parent", "carer", "software", "unregistered", "auditor", "insurer")
STRICT = ("fr", "ehds")
EMERGENCIES = ("break-glass", "regulation")
SOCIETY = ("social", "function")

REFUSALS = (
    # what the caller is: I2, I8, I6, I4, C16, G1, G2, B1
    ("forbidden-party", {"actor": ("insurer",)}),
    ("unidentified", {"actor": ("unnamed", "unregistered")}),
    ("not-entitled", {"actor": ("auditor", "stranger", "function")}),
    ("not-entitled", {"actor": PROFESSIONALS, "purpose": ("audit",)}),
    ("not-entitled", {"actor": ("social", "occupational"), "profile": STRICT}),
    ("not-entitled", {"actor": ("social",), "purpose": EMERGENCIES}),
    ("not-entitled", {"actor": ("physiotherapist",), "purpose": ("regulation",)}),
    # what the patient is or decided: B11, A13, F3, G4
    ("too-young", {"actor": ("holder",), "age": ("child",)}),
    ("closed", {"open": (False,)}),
    ("blocked", {"actor": (*PROFESSIONALS, "software"), "blocked": (True,)}),
    ("emergency-off", {"actor": PROFESSIONALS, "purpose": EMERGENCIES, "mode_off": (True,)}),
)
CARE = {"actor": PROFESSIONALS, "purpose": ("care",)}
GROUNDS = (
    ("patient", {"actor": ("holder",)}),
    ("legal-representative", {"actor": ("parent",), "age": ("child", "teen")}),
    ("carer", {"actor": ("carer",)}),
    ("system", {"actor": ("software",)}),
    ("declared-physician", CARE | {"declared": (True,)}),
    ("administrator", CARE | {"administrator": (True,)}),
    (
        "care-team",
        CARE | {"actor": ("physiotherapist", "physician", "social"), "team": (True,), "asks_first": (False,)},
    ),
    ("care-team", CARE | {"actor": ("physiotherapist", "physician", "social"), "team": (True,), "by_patient": (True,)}),
    ("consent", CARE | {"named": (True,), "asks_first": (False,)}),
    ("consent", CARE | {"named": (True,), "by_patient": (True,)}),
    ("break-glass", {"actor": PROFESSIONALS, "purpose": ("break-glass",), "opened": (True,)}),
    ("emergency-regulation", {"actor": PROFESSIONALS, "purpose": ("regulation",), "opened": (True,)}),
)
EMERGENCY = ("break-glass", "emergency-regulation")
ORDINARY = ("care-team", "consent")
OWN = {"owner": ("person",)}
SEEN = (
    # (bases, conditions on the document, conditions on the state)
    (("patient",), {"sealed": (False,)}, {}),
    (("legal-representative",), {"sealed": (False,), "secret": (False,)}, {}),
    (("carer",), {"sealed": (False,), "secret": (False,), "not_third": (False,)}, {}),
    (("system",), {"owner": ("establishment",)}, {}),
    (("declared-physician",), {}, {"profile": ("fr", "open")}),
    (("declared-physician",), {"hidden": (False,)}, {}),
    (("declared-physician", "administrator", *ORDINARY, *EMERGENCY), OWN, {}),
    (
        ("declared-physician", "administrator", *ORDINARY, *EMERGENCY),
        {"owner": ("establishment",), "kind": ("row", "history")},
        {},
    ),
    (("administrator",), {"kind": ("row", "history")}, {"profile": ("fr", "open")}),
    *(
        (("administrator", *ORDINARY, *EMERGENCY), {"hidden": (False,)} | kind | social, history | actor)
        for kind, history in (
            ({"kind": ("row",)}, {}),
            ({"kind": ("row", "history")}, {"history_hidden": (False,)}),
        )
        for social, actor in (
            ({}, {"actor": ("physiotherapist", "physician", "occupational")}),
            ({"not_social": (False,)}, {"actor": ("social",)}),
        )
    ),
    (EMERGENCY, {"kind": ("row", "history")}, {"widened": (True,)}),
)


def _holds(conditions, row):
    return all(getattr(row, name) in allowed for name, allowed in conditions.items())


def decide(state):
    """Return ("refuse", reason) or ("enter", basis)."""
    for reason, conditions in REFUSALS:
        if _holds(conditions, state):
            return "refuse", reason
    for basis, conditions in GROUNDS:
        if _holds(conditions, state):
            return "enter", basis
    return "refuse", ""


def shows(state, basis, document):
    """Tell whether whoever entered on a ground sees a document."""
    return any(
        basis in bases and _holds(on_document, document) and _holds(on_state, state)
        for bases, on_document, on_state in SEEN
    )
