"""Explain first: which evidence explains an access, counting only what its actor could not have produced alone.

Source: statement V19 (docs/rules-index.csv); Fabbri and LeFevre, "Explanation-based auditing",
https://arxiv.org/abs/1109.6880.
"""

from consent_rules.vocabulary import Grade
from fhir_server.domain.detection.facts import Accessed, Around, Doubt, Explanation

_OF_ALL = (Explanation.THIRD_PARTY, Explanation.DEPOSIT)


def explain(access: Accessed, around: Around) -> Explanation | None:
    """Return the strongest explanation of an access, None when nobody but its actor explains it."""
    if access.grade is Grade.PATIENT:
        return Explanation.PATIENT
    if around.named:
        return Explanation.NAMED
    if around.teammate:
        return Explanation.TEAM
    if access.grade is Grade.THIRD_PARTY or around.care:
        return Explanation.THIRD_PARTY
    return Explanation.DEPOSIT if around.deposit else None


def doubt_of(explanation: Explanation | None) -> Doubt:
    """Return how much doubt is left about an access that has this explanation, or none.

    An admission and a deposit leave some doubt: they explain an access by any member of the establishment, also by one
    who has nothing to do with the patient.
    """
    if explanation is None:
        return Doubt.FULL
    return Doubt.SOME if explanation in _OF_ALL else Doubt.NONE
