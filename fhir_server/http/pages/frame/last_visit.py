"""When a person last looked at a space before this session: what came since is new to them.

The store keeps when this session and the earlier one began, for each person and space, for a year after the last visit;
nobody else sees it.
Source: docs/portal.md.
"""

from datetime import datetime, timedelta

from fhir_server.http.pages.frame.visits import Visit
from fhir_server.http.request_context import runtime
from fhir_server.oauth.base import page_state
from fhir_server.oauth.base.page_state import Kept

_KEPT = timedelta(days=366)
_NEVER = "-"


def before_this(visit: Visit) -> datetime | None:
    """Return when the person's earlier session in this space began, None at the first visit; note this session."""
    served = runtime()
    key, session = f"{visit.session.account.subject} {visit.patient}", visit.session.id
    noted = page_state.kept(served, Kept.LAST_VISIT, key) or ""
    in_session, began, before = (*noted.split(), "", "", "")[:3]
    if in_session != session:
        now = served.now()
        began, before = now.isoformat(), began or _NEVER
        page_state.keep(served, Kept.LAST_VISIT, key, f"{session} {began} {before}", now + _KEPT)
    return None if before == _NEVER else datetime.fromisoformat(before)
