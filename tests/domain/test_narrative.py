"""H3: each entry of the trail reads as one plain French sentence."""

from datetime import UTC, datetime

import pytest

from consent_rules.model import Requester
from consent_rules.vocabulary import RequesterKind
from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome, OutcomeCode
from fhir_server.domain.audit.narrative import div_of, sentence_of
from fhir_server.domain.values import Interaction
from tests.factories import a_caller

AT = datetime(2026, 3, 2, 9, 5, 7, tzinfo=UTC)
PAUL = a_caller(
    Requester(RequesterKind.PROFESSIONAL, "Practitioner/p"),
    display="Paul Morel",
    organization_display="Cabinet des Lilas",
)
START = "Le 02/03/2026 à 09:05:07 UTC, Paul Morel (Cabinet des Lilas) "


def test_a_search_says_on_which_ground_and_counts_nothing_that_its_reader_may_not_see():
    outcome = Outcome(basis="care-team", touched=("DocumentReference/a", "DocumentReference/b"))
    told = sentence_of(AuditedInteraction(Interaction.SEARCH, "DocumentReference"), outcome, PAUL, AT)
    assert told == START + "a consulté la liste des documents. Fondement : care-team."


def test_a_refusal_says_what_was_asked():
    told = sentence_of(
        AuditedInteraction(Interaction.READ, "Binary"), Outcome(OutcomeCode.REFUSED, "blocked"), PAUL, AT
    )
    assert told == START + "a demandé à ouvrir un document : refusé."


@pytest.mark.parametrize("interaction", sorted(Interaction))
@pytest.mark.parametrize("outcome", ["0", "4"])
def test_every_interaction_has_a_sentence(interaction, outcome):
    told = sentence_of(AuditedInteraction(interaction, "Consent"), Outcome(outcome), PAUL, AT)
    assert told.startswith(START)
    assert told.endswith(".")
    assert "  " not in told


def test_names_cannot_break_the_narrative():
    sly = a_caller(PAUL.requester, display="<script>&")
    assert "&lt;script&gt;&amp;" in div_of(AuditedInteraction(Interaction.READ, "Patient"), Outcome(), sly, AT)
