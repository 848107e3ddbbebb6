"""One plain French sentence for each audit event, for the patient to read.

Source: R.1111-43 of the French public health code (rule H3): date, time and identity of the person who acted.
"""

import re
from datetime import datetime
from html import escape

from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome, OutcomeCode
from fhir_server.domain.caller import Caller
from fhir_server.domain.events import sentences, words

_GROUND = re.compile(r" Fondement : [a-z\-]+(?: \([^()]+\))?\.(?=</div>$)")
_LANGUAGE = "fr"
"""An audit event is stored once, in French; the journal says the same in the language of its reader."""


def sentence_of(audited: AuditedInteraction, outcome: Outcome, caller: Caller, at: datetime) -> str:
    """Return the sentence as plain text; times are UTC and say so.

    The sentence gives no counts, because the reader may not see everything that was touched.
    """
    granted = caller.granted
    who = granted.display or granted.client_name or granted.client_id
    where = f" ({granted.organization_display})" if granted.organization_display else ""
    day, time = f"{at.day:02}/{at.month:02}/{at.year}", at.isoformat()[11:19]  # far quicker than strftime
    if granted.requester.vouched:
        app = granted.client_name or granted.client_id
        who = sentences.phrase(words.WITHOUT_LOGIN, _LANGUAGE).replace("%(app)s", app).replace("%(person)s", who)
    return f"Le {day} à {time} UTC, {who}{where} {_told(audited, outcome, caller)}"


def _told(audited: AuditedInteraction, outcome: Outcome, caller: Caller) -> str:
    kind, type_ = audited.event_kind, audited.resource_type
    app = caller.granted.client_name or caller.granted.client_id
    if outcome.code != OutcomeCode.DONE:
        return f"{sentences.wanted(kind, type_, _LANGUAGE)} : refusé.".replace("%(app)s", app)
    grade = outcome.grade
    graded = f" ({sentences.grade(grade, _LANGUAGE)})" if grade else ""
    ground = f" Fondement : {outcome.basis}{graded}." if outcome.basis else ""  # in the form that _GROUND matches
    return f"{sentences.act(kind, type_, _LANGUAGE).did}.{ground}".replace("%(app)s", app)


def without_ground(div: str) -> str:
    """Return a narrative without the basis of the access."""
    return _GROUND.sub("", div)


def div_of(audited: AuditedInteraction, outcome: Outcome, caller: Caller, at: datetime) -> str:
    """Return the sentence as XHTML narrative."""
    return in_french(sentence_of(audited, outcome, caller, at))


def in_french(text: str) -> str:
    """Return a French text as an XHTML narrative that declares its language, for readers and for XML."""
    return f'<div xmlns="http://www.w3.org/1999/xhtml" lang="fr" xml:lang="fr">{escape(text)}</div>'
