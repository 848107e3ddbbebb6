"""The settings of a space on its pages: reading them, and switching one on or off by the commands of an app.

Source: docs/consents.md; rules G4 and G5; docs/adr/0141-settings-are-read-as-the-rules-read-them.md.
"""

from collections.abc import Iterable, Mapping

from consent_rules.vocabulary import DirectiveKind
from fhir_server.application.bundles import handlers
from fhir_server.application.consents import recording
from fhir_server.application.consents.choices import (
    AskFirst,
    BeToldOfFiling,
    Choice,
    OpenHiddenInEmergencies,
    SwitchEmergenciesOff,
)
from fhir_server.application.core.write_request import WriteRequest
from fhir_server.application.spaces.settings import MODES, Setting, SpaceSettings, settings_of
from fhir_server.domain.consents.ppqm import plain_rule, template_of
from fhir_server.domain.values import Interaction, Json
from fhir_server.http.pages.frame.asking import find
from fhir_server.http.pages.frame.visits import Visit
from fhir_server.http.request_context import runtime
from fhir_server.registry import REGISTRY

CHANGING = "patient/Consent.crus patient/Patient.r"
"""The scopes of a form that changes a setting."""
_CHOICES: Mapping[str, type[Choice]] = {
    DirectiveKind.HIDDEN_IN_EMERGENCY: OpenHiddenInEmergencies,
    DirectiveKind.ASK_FIRST: AskFirst,
    DirectiveKind.TOLD_OF_FILING: BeToldOfFiling,
}


def read(visit: Visit) -> SpaceSettings:
    """Return the settings of the space in view. Raises: as `settings_of`."""
    return settings_of(runtime(), visit.caller, visit.patient)


def switch(visit: Visit, name: str, *, on: bool) -> None:
    """Set a setting, or open or close a mode of an emergency; what is so already changes nothing.

    Raises: KeyError for an unknown name; as `recording.record`.
    """
    told = read(visit)
    setting = told.of(name)
    if setting.is_on is on:
        return
    if name in MODES and on:
        _open(visit, setting, told)
    elif name in MODES:
        record(visit, SwitchEmergenciesOff.of_modes(visit.patient, (MODES[name],)))
    elif on:
        record(visit, _CHOICES[name].of(visit.patient))
    else:
        _end(visit, _consents(visit, setting.consents))


def record(visit: Visit, choice: Choice) -> str:
    """Record a choice; return the id of its Consent."""
    return recording.record(runtime(), visit.caller, choice).shown.stored.id


def _open(visit: Visit, setting: Setting, told: SpaceSettings) -> None:
    """Open a mode; a mode that the same Consents close gets one of its own, so that it stays closed.

    That one comes first, unless a default of the space closes both modes: no Consent may contradict a default.
    """
    closed_with = [
        mode
        for name, mode in MODES.items()
        if name != setting.name and told.of(name).consents and set(told.of(name).consents) <= set(setting.consents)
    ]
    found = _consents(visit, setting.consents)
    is_default = any(template_of(one) for one in found)
    for mode in () if is_default else closed_with:
        record(visit, SwitchEmergenciesOff.of_modes(visit.patient, (mode,)))
    _end(visit, found)
    for mode in closed_with if is_default else ():
        record(visit, SwitchEmergenciesOff.of_modes(visit.patient, (mode,)))


def _consents(visit: Visit, ids: Iterable[str]) -> list[Json]:
    """Return Consents by their ids, those that are no defaults first."""
    named = ",".join(ids)
    found = find(visit.caller, "Consent", [("patient", visit.patient), ("_id", named)]).resources if named else ()
    return sorted(found, key=lambda one: bool(template_of(one)))


def _end(visit: Visit, consents: Iterable[Json]) -> None:
    """End what some Consents set; a default of the space goes back to what applies when nobody has chosen."""
    for consent in consents:
        if template_of(consent):
            _restore(visit, consent)
        else:
            recording.revoke(runtime(), visit.caller, consent["id"])


def _restore(visit: Visit, consent: Json) -> None:
    plain = consent | {"status": "active", "policyRule": plain_rule(template_of(consent))}
    asked = WriteRequest(Interaction.UPDATE, REGISTRY["Consent"], consent["id"], plain)
    handlers.write(runtime(), visit.caller, asked)
