"""What each named rule says to the officer, in one sentence; docs/evidence.md says it to everybody.

A sentence names nobody and no document.
Source: statement V20 (docs/rules-index.csv).
"""

from types import MappingProxyType

from fhir_server.domain.detection.facts import Rule

REASONS = MappingProxyType(
    {
        Rule.SAME_ADDRESS: "Reader and patient share an address, a street or a telephone number, and nobody who knows "
        "the reader's part in the care explains the access.",
        Rule.SAME_NAME: "Reader and patient share a family name, and nobody who knows the reader's part in the care "
        "explains the access.",
        Rule.SAME_EMPLOYER: "The patient works where the reader works, and nobody who knows the reader's part in the "
        "care explains the access.",
        Rule.OUT_OF_PLACE: "Nobody who knows the reader's part in the care explains the access, and several things "
        "about it are unusual for this reader.",
        Rule.CELEBRITY: "Readers of several units, who seldom enter where their own unit has not been, all entered "
        "this space within a day.",
        Rule.SEQUENCE: "The reader entered several spaces of people born in one place and month, and nothing explains "
        "it.",
        Rule.VOLUME: "The reader newly entered more spaces without explanation than the reader's profession usually "
        "does.",
        Rule.DORMANT: "An account that was not used for a long time entered a space, and nothing explains it.",
        Rule.ENDED: "The space was entered long after the patient's death or after the space was closed.",
        Rule.EMERGENCIES: "A large share of the spaces that the reader entered in a day were declared emergencies.",
        Rule.REFUSALS: "The reader was refused access to many spaces in a day.",
    }
)
