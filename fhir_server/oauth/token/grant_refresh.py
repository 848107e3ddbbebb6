"""The grant of a refresh token: rotated, checked again, never widened.

Sources: RFC 6749 6, RFC 9700 4.14.2, SMART App Launch 2.2.
"""

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidScopeError
from authlib.oauth2.rfc6749.grants import RefreshTokenGrant

from consent_rules.scopes import Scopes
from fhir_server.application.identity.access_tokens import Holder
from fhir_server.application.identity.grants import Grant, touch_grant
from fhir_server.domain.values import Json
from fhir_server.oauth.granted import tokens
from fhir_server.oauth.granted.records import Refresh, find_refresh
from fhir_server.oauth.login import regulation, sessions
from fhir_server.oauth.resource.possession import holder_of
from fhir_server.oauth.token.client_authentication import METHODS

_TEXT_LIMIT = 500


class RefreshGrant(RefreshTokenGrant):  # type: ignore[misc]  # Authlib ships no types
    """refresh_token: rotated at every use, checked again, limited further but never widened."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Refresh | None:
        """Return the token, spent or not."""
        runtime = self.request.context.runtime
        return find_refresh(runtime, refresh_token, runtime.ports.clock.now())

    def _validate_token_scope(self, token: Refresh) -> None:
        """Compare the meaning of scopes, not their spelling."""
        grant = tokens.standing(self.request.context.runtime, token)
        asked = self.request.payload.scope
        if asked and not is_within(asked, grant.scopes):
            raise InvalidScopeError(f"the scope goes beyond what was granted: {grant.scopes}"[:_TEXT_LIMIT])

    def authenticate_user(self, refresh_token: Refresh) -> Grant:
        """Use up the token and check the grant again."""
        context = self.request.context
        known = tokens.standing(context.runtime, refresh_token)
        self.holder = holder_of(self.request, Holder(known.jkt, known.x5t))
        grant = tokens.spend(context, refresh_token)
        if not sessions.may_continue(context.runtime, grant) or not regulation.still_holds(context.runtime, grant):
            raise InvalidGrantError("the person must log in again")
        return grant

    def issue_token(self, user: Grant, refresh_token: Refresh) -> Json:
        """Issue the next pair; the new refresh token keeps what was granted."""
        asked = self.request.payload.scope
        scopes = str(Scopes.parse(asked)) if asked else ""
        touch_grant(self.request.context.runtime, user)
        return tokens.respond(self.request.context, user, scopes, self.holder, renewable=True)

    def save_token(self, token: Json) -> None:
        """Do nothing: tokens are stored where they are made."""

    def revoke_old_credential(self, refresh_token: Refresh) -> None:
        """Do nothing: a spent token stays until it expires, so that its reuse is noticed."""


def is_within(asked: str, granted: str) -> bool:
    """Tell whether all requested scopes were granted; False for an empty or meaningless request."""
    wanted = Scopes.parse(asked)
    return bool(str(wanted)) and Scopes.parse(granted).contains(wanted)
