"""The filters of one reader for many types: each by the action that reading the type is, decided about once.

A single search or read names its type beforehand and enters the space for it. A reading of several types, or of a
body that may name any type, asks here for one filter after the other.
"""

from dataclasses import dataclass, field

from consent_rules.model import Deny
from consent_rules.visibility import Visibility
from consent_rules.vocabulary import Action
from fhir_server.application.core.access import Access, Opened
from fhir_server.application.core.enforcement_point import judge_again


@dataclass(slots=True)
class FiltersByType:
    """What a caller who has entered a space sees of each type; a subclass says within which scopes.

    This costs no read: the decisions use the state that was already loaded.
    """

    access: Access
    _made: dict[str, Visibility] = field(default_factory=dict)
    _opened: dict[Action, Opened | None] = field(default_factory=dict)

    def of(self, type_: str) -> Visibility:
        """Return the filter of a type."""
        found = self._made.get(type_)
        if found is None:
            found = self._made[type_] = self._filter(type_)
        return found

    def _filter(self, type_: str) -> Visibility:
        """Make the filter of a type."""
        raise NotImplementedError(type_)

    def _allowed(self, opened: Opened, action: Action) -> Opened | None:
        """Return the space as the caller enters it for an action, None when the rules deny the action."""
        if action not in self._opened:
            answer = judge_again(self.access, opened, action)
            self._opened[action] = None if isinstance(answer, Deny) else answer
        return self._opened[action]
