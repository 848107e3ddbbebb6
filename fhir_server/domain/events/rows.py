"""The rows of the kinds of events, by kind; which kind the codes of an event tell, and whether it is a choice.

Source: docs/adr/0073-one-row-for-each-kind-of-event.md.
"""

from collections.abc import Mapping
from types import MappingProxyType

from fhir_server.domain.events.kinds import EventKind
from fhir_server.domain.events.rules import Choice, EventRow
from fhir_server.domain.values import Interaction
from fhir_server.registry import AccessRule, types_under

_CHOICE_TYPES = types_under(AccessRule.DIRECTIVE)
ROWS: Mapping[EventKind, EventRow] = MappingProxyType({kind: kind.row for kind in EventKind})


def _by_codes() -> dict[tuple[Interaction, str, str], EventKind]:
    """Return the kind that codes alone tell: the first row with these codes."""
    found: dict[tuple[Interaction, str, str], EventKind] = {}
    for kind, row in ROWS.items():
        of = "" if row.operation else row.resource_type or ""
        for interaction in row.interactions:
            found.setdefault((interaction, of, row.operation), kind)
    return found


_BY_CODES = _by_codes()


def kind_by_codes(interaction: Interaction, resource_type: str, operation: str) -> EventKind:
    """Return the kind that the codes of an event tell, for events that name no kind.

    An operation is known by its name, whatever type it was called on; an unknown operation is `OPERATION_CALLED`.
    """
    of = "" if operation else resource_type
    return _BY_CODES.get((interaction, of, operation)) or _BY_CODES[interaction, "", ""]


def is_choice(kind: EventKind, resource_type: str, *, of_the_side: bool, in_a_space: bool) -> bool:
    """Tell whether an event is a choice of the patient.

    Whatever is done to a Consent or a relation is one. of_the_side: whether the patient or somebody for the patient
    acts. in_a_space: whether the event belongs to a space.
    """
    rule = ROWS[kind].choice
    return (
        rule is Choice.ALWAYS
        or resource_type in _CHOICE_TYPES
        or (rule is Choice.OF_THE_SIDE and of_the_side)
        or (rule is Choice.IN_A_SPACE and in_a_space)
    )
