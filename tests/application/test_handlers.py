"""One row of the registry, one handler: a write that a row offers without one stops the start."""

from dataclasses import replace

import pytest

from fhir_server.app import create_app
from fhir_server.application.bundles import handlers
from fhir_server.application.bundles.handlers import demand_handlers
from fhir_server.registry import REGISTRY, AccessRule, Interaction, ResourceType

IMMUNIZATION = ResourceType("Immunization", AccessRule.DIRECTORY, frozenset({Interaction.READ, Interaction.CREATE}))


def test_every_write_of_the_registry_has_its_handler():
    demand_handlers()


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ({**REGISTRY, "Immunization": IMMUNIZATION}, "Immunization offers create without a handler"),
        (
            {**REGISTRY, "Consent": replace(REGISTRY["Consent"], interactions=frozenset({Interaction.READ}))},
            "Consent has a handler for create, which it does not offer",
        ),
        ({name: row for name, row in REGISTRY.items() if name != "Patient"}, "Patient: no row"),
    ],
    ids=["no handler", "not offered", "no row"],
)
def test_a_row_and_a_handler_that_do_not_fit_are_named(rows, fault):
    with pytest.raises(LookupError, match=fault):
        demand_handlers(rows)


def test_the_server_does_not_start_without_a_handler(settings, runtime, monkeypatch):
    missing = {name: one for name, one in handlers.HANDLERS.items() if name != "Organization"}
    monkeypatch.setattr(handlers, "HANDLERS", missing)
    with pytest.raises(LookupError, match="Organization offers create without a handler"):
        create_app(settings, runtime)
