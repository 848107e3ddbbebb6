"""The resources that come from the code, as the store would hold them: built once for an address of the server.

Source: https://hl7.org/fhir/R4/capabilitystatement.html, operationdefinition.html, codesystem.html and valueset.html.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from importlib.metadata import version
from types import MappingProxyType

from fhir_server.application.reading.conformance.published import as_stored
from fhir_server.domain.stored import Stored
from fhir_server.domain.subscriptions.topics import TOPICS, Topic
from fhir_server.domain.terminology.code_systems import OWN, CodeSystem, Concept, code_systems
from fhir_server.domain.terminology.value_sets import ValueSet, value_sets
from fhir_server.domain.values import Json
from fhir_server.http.fhir.capabilities import RELEASED, statement_of
from fhir_server.http.fhir.operations.all_operations import OPERATIONS
from fhir_server.http.fhir.operations.model import definition_of
from fhir_server.http.fhir.published.extensions import EXTENSIONS, Extension
from fhir_server.http.fhir.published.extensions import definition_of as definition_of_extension
from fhir_server.registry import PUBLISHED

_TOPIC = "http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic."
_CHANGED = datetime.fromisoformat(f"{RELEASED}T00:00:00+00:00")


@lru_cache(maxsize=4)
def published(fhir_base: str) -> Mapping[str, tuple[Stored, ...]]:
    """Return the resources of each published type, sorted by id."""
    made: dict[str, list[Stored]] = {name: [] for name in PUBLISHED}
    for resource in _resources(fhir_base):
        row = PUBLISHED[str(resource["resourceType"])]
        made[row.name].append(as_stored(resource, row, _CHANGED))
    return MappingProxyType({name: tuple(sorted(found, key=lambda one: one.id)) for name, found in made.items()})


def _resources(fhir_base: str) -> Iterator[Json]:
    yield {"id": "habilis"} | statement_of(fhir_base)
    yield from (definition_of(operation, fhir_base, RELEASED) for operation in OPERATIONS)
    yield from map(_code_system, code_systems().values())
    yield from map(_value_set, value_sets().values())
    yield from map(_structure, EXTENSIONS)
    yield from map(_topic, TOPICS.values())


def _head(type_: str, id_: str, url: str, title: str) -> Json:
    name = "".join(word[:1].upper() + word[1:] for word in id_.split("-"))
    return {
        "resourceType": type_,
        "id": id_,
        "url": url,
        "version": version("habilis"),
        "name": name,
        "title": title,
        "status": "active",
        "experimental": False,
        "date": RELEASED,
        "publisher": "Habilis",
    }


def _structure(extension: Extension) -> Json:
    head = _head("StructureDefinition", extension.name, f"{OWN}{extension.name}", extension.title)
    return head | definition_of_extension(extension)


def _code_system(system: CodeSystem) -> Json:
    built = _head("CodeSystem", system.id, system.url, system.title) | {"language": "fr"}
    if system.copyright:
        built["copyright"] = system.copyright
    return built | {
        "caseSensitive": True,
        "content": "complete" if system.is_own else "fragment",
        "count": len(system.concepts),
        "concept": [_concept(concept) for concept in system.concepts.values()],
    }


def _concept(concept: Concept) -> Json:
    """Describe a code, with its English display as a designation when it also has a French one."""
    built: Json = {"code": concept.code, "display": concept.display("fr")}
    return built | ({"designation": [{"language": "en", "value": concept.en}]} if concept.fr and concept.en else {})


def _value_set(value_set: ValueSet) -> Json:
    built = _head("ValueSet", value_set.id, value_set.url, value_set.title)
    if value_set.copyright:
        built["copyright"] = value_set.copyright
    by_system: dict[str, list[Concept]] = {}
    for system, concept in value_set.concepts():
        by_system.setdefault(system, []).append(concept)
    include = [_included(system, concepts) for system, concepts in by_system.items()]
    return built | {"immutable": False, "compose": {"include": include}}


def _included(system: str, concepts: Iterable[Concept]) -> Json:
    return {"system": system, "concept": [{"code": one.code, "display": one.display("fr")} for one in concepts]}


def _topic(topic: Topic) -> Json:
    """Return the Basic that describes a topic of subscriptions, with the elements of R5 as extensions.

    Source: Subscriptions R5 Backport 1.1.0, topics in R4; IHE DSUBm ITI-114.
    """
    told = ["create", "update"] if topic.updates else ["create"]
    about = {"url": "resource", "valueUri": f"http://hl7.org/fhir/StructureDefinition/{topic.type}"}
    trigger = [about, *({"url": "supportedInteraction", "valueCode": code} for code in told)]
    filters = (*topic.filters, *(() if topic.many else ("patient", "patient.identifier")))
    values: list[Json] = [
        {"url": f"{_TOPIC}url", "valueUri": topic.url},
        {"url": f"{_TOPIC}title", "valueString": topic.title},
        {"url": f"{_TOPIC}resourceTrigger", "extension": trigger},
    ]
    values += [
        {"url": f"{_TOPIC}canFilterBy", "extension": [about, {"url": "filterParameter", "valueString": name}]}
        for name in filters
    ]
    return {
        "resourceType": "Basic",
        "id": topic.id,
        "extension": values,
        "modifierExtension": [{"url": f"{_TOPIC}status", "valueCode": "active"}],
        "code": {"coding": [{"system": "http://hl7.org/fhir/fhir-types", "code": "SubscriptionTopic"}]},
        "created": RELEASED,
    }
