"""The rows of types of which the store holds nothing under their own name.

PUBLISHED: what the server is, and which codes it knows. These resources come from the code. They have no patient and no
access decision: everybody reads and searches them, without a token. NATIVE: a FHIR document, which is stored as a
content like any other. OWNED: what a client keeps here for itself, in the vault.
Source: https://hl7.org/fhir/R4/conformance-module.html, https://hl7.org/fhir/R4/terminology-module.html; IHE MHD 4.2.4,
FHIR Documents Publish Option.
"""

from collections.abc import Mapping
from types import MappingProxyType

from fhir_server.registry.model import AccessRule, Interaction, ResourceType, Words
from fhir_server.registry.resource_types import with_search

_PUBLIC = frozenset({Interaction.READ, Interaction.SEARCH})
_ROWS = (
    ResourceType("CapabilityStatement", AccessRule.PUBLIC, _PUBLIC),
    ResourceType("OperationDefinition", AccessRule.PUBLIC, _PUBLIC),
    ResourceType(
        "CodeSystem",
        AccessRule.PUBLIC,
        _PUBLIC,
        documentation="Our own systems are whole. Of others' systems the server holds the codes that the matrix and "
        "the rules use (`fragment`).",
    ),
    ResourceType("ValueSet", AccessRule.PUBLIC, _PUBLIC),
    ResourceType(
        "Basic",
        AccessRule.PUBLIC,
        _PUBLIC,
        transactions={Interaction.SEARCH: "ITI-114"},
        documentation="The topics of subscriptions, with the code `SubscriptionTopic`, and nothing else.",
    ),
    ResourceType(
        "StructureDefinition",
        AccessRule.PUBLIC,
        _PUBLIC,
        documentation="Our own extensions. The definitions of R4 and of other guides are served by their publishers.",
    ),
)
PUBLISHED: Mapping[str, ResourceType] = MappingProxyType({row.name: row for row in map(with_search, _ROWS)})
"""The types by name. They are no part of `REGISTRY`, whose types are stored and decided about."""
_NATIVE = ResourceType(
    "Bundle",
    AccessRule.CONTENT,
    frozenset({Interaction.READ}),
    transactions={Interaction.READ: "ITI-68"},
    stored_as="Binary",
    documentation="A FHIR document is filed as a Bundle of a submission (ITI-65), or as the content of a simplified "
    "publication (ITI-105), and returned as the Bundle that it is. It is a content: whoever reads it needs what the "
    "Binary of a document needs, the scope too.",
)
NATIVE: Mapping[str, ResourceType] = MappingProxyType({_NATIVE.name: _NATIVE})
"""The types that are another form of a stored type, by name."""
_OWNED = ResourceType(
    "Subscription",
    AccessRule.OWNER,
    frozenset({Interaction.READ, Interaction.CREATE, Interaction.UPDATE, Interaction.DELETE, Interaction.SEARCH}),
    profiles=("http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription",),
    words={
        "en": Words("a subscription", "of a subscription", "the subscriptions", "notifications of what is new"),
        "fr": Words("un abonnement", "d’un abonnement", "les abonnements", "l’envoi de notifications"),
    },
    transactions={Interaction.CREATE: "ITI-110", Interaction.SEARCH: "ITI-113"},
    unconditional=True,
    documentation="A client sees its own subscriptions. An update ends one (`off`) or begins it anew (`requested`). "
    "Each event is decided about when it is told, like a search; `full-resource` is refused.",
)
OWNED: Mapping[str, ResourceType] = MappingProxyType({_OWNED.name: with_search(_OWNED)})
"""The types that belong to the client that created them, by name."""
