"""Words of the journal for what was done (“looked at …”), and for what somebody tried to do (“look at …”).

Every interaction that a type of a patient's space offers is told, and so is each step of signing in. A type has a
phrase of its own only where the regular phrase with its words of the registry would be wrong.
"""

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _

Act = tuple[Any, Any]

ACTS: Mapping[tuple[str, str], Act] = {
    ("read", "DocumentReference"): (
        _("looked at the description of a document"),
        _("look at the description of a document"),
    ),
    ("vread", "DocumentReference"): (
        _("looked at an earlier description of a document"),
        _("look at an earlier description of a document"),
    ),
    ("history-instance", "DocumentReference"): (
        _("looked at how a document changed"),
        _("look at how a document changed"),
    ),
    ("search", "DocumentReference"): (_("looked at the list of documents"), _("look at the list of documents")),
    ("create", "DocumentReference"): (_("filed a document"), _("file a document")),
    ("patch", "DocumentReference"): (
        _("changed the visibility or the state of a document"),
        _("change the visibility or the state of a document"),
    ),
    ("delete", "DocumentReference"): (_("withdrew a document"), _("withdraw a document")),
    ("read", "Binary"): (_("opened a document"), _("open a document")),
    ("read", "List"): (_("looked at a delivery of documents"), _("look at a delivery of documents")),
    ("vread", "List"): (
        _("looked at an earlier state of a delivery of documents"),
        _("look at an earlier state of a delivery of documents"),
    ),
    ("history-instance", "List"): (
        _("looked at how a delivery of documents changed"),
        _("look at how a delivery of documents changed"),
    ),
    ("search", "List"): (_("looked at the list of deliveries"), _("look at the list of deliveries")),
    ("vread", "Consent"): (
        _("looked at an earlier choice about access"),
        _("look at an earlier choice about access"),
    ),
    ("history-instance", "Consent"): (
        _("looked at how a choice about access changed"),
        _("look at how a choice about access changed"),
    ),
    ("read", "RelatedPerson"): (
        _("looked at who represents or helps the patient"),
        _("look at who represents or helps the patient"),
    ),
    ("vread", "RelatedPerson"): (
        _("looked at an earlier entry of who represents or helps the patient"),
        _("look at an earlier entry of who represents or helps the patient"),
    ),
    ("history-instance", "RelatedPerson"): (
        _("looked at how the entry of a representative or carer changed"),
        _("look at how the entry of a representative or carer changed"),
    ),
    ("search", "RelatedPerson"): (
        _("looked up who represents or helps the patient"),
        _("look up who represents or helps the patient"),
    ),
    ("create", "RelatedPerson"): (_("recorded a representative or carer"), _("record a representative or carer")),
    ("update", "RelatedPerson"): (
        _("changed the entry of a representative or carer"),
        _("change the entry of a representative or carer"),
    ),
    ("patch", "RelatedPerson"): (
        _("changed the entry of a representative or carer"),
        _("change the entry of a representative or carer"),
    ),
    ("vread", "Patient"): (_("looked at an earlier identity"), _("look at an earlier identity")),
    ("history-instance", "Patient"): (
        _("looked at how the identity changed"),
        _("look at how the identity changed"),
    ),
    ("search", "Patient"): (_("looked up the identity"), _("look up the identity")),
    ("create", "Patient"): (_("opened the space"), _("open the space")),
    ("read", "AuditEvent"): (_("looked at a line of the journal"), _("look at a line of the journal")),
    ("vread", "AuditEvent"): (_("looked at a line of the journal"), _("look at a line of the journal")),
    ("transaction", ""): (_("filed documents"), _("file documents")),
    ("batch", ""): (_("sent several requests at once"), _("send several requests at once")),
    ("login", ""): (_("signed in"), _("sign in")),
    ("logout", ""): (_("signed out"), _("sign out")),
    ("authorize", ""): (
        _("let the app %(app)s act for them"),
        _("let the app %(app)s act on their behalf"),
    ),
    ("token", ""): (_("received access for a declared emergency"), _("receive access for a declared emergency")),
    ("revoke", ""): (_("ended the right of the app %(app)s to act"), _("end the right of the app %(app)s to act")),
}
"""Phrases of their own, by interaction and type of the resource, "" where no type is named.

%(app)s stands for the name of an app.
"""
ACTS_ON: Mapping[str, Act] = {
    "read": (_("looked at %(thing)s"), _("look at %(thing)s")),
    "vread": (_("looked at an earlier version %(of_thing)s"), _("look at an earlier version %(of_thing)s")),
    "history-instance": (_("looked at the history %(of_thing)s"), _("look at the history %(of_thing)s")),
    "search": (_("looked at %(things)s"), _("look at %(things)s")),
    "create": (_("recorded %(thing)s"), _("record %(thing)s")),
    "update": (_("changed %(thing)s"), _("change %(thing)s")),
    "patch": (_("changed %(thing)s"), _("change %(thing)s")),
    "delete": (_("withdrew %(thing)s"), _("withdraw %(thing)s")),
}
"""Phrases for any other type, by interaction; the registry has the words that the placeholders stand for."""
ANY_ACT: Mapping[str, Act] = {
    "R": (_("consulted a part of the space"), _("consult a part of the space")),
    "E": (_("searched a part of the space"), _("search a part of the space")),
    "C": (_("added something to the space"), _("add something to the space")),
    "U": (_("changed something in the space"), _("change something in the space")),
    "D": (_("deleted something from the space"), _("delete something from the space")),
}
"""By action, for interactions that a later version may have recorded."""
