"""The choice of documents on the consent page of a patient's own app: which were listed, which are still ticked.

The server remembers the list as shown, so that a document that is filed meanwhile does not count as excluded.
Source: SMART App Launch 2.2 (the person may grant less than was asked); docs/smart.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from consent_rules.scopes import Scopes
from consent_rules.vocabulary import PatientId
from fhir_server.application.documents import listing_for_apps
from fhir_server.application.documents.listing_for_apps import Offered
from fhir_server.application.identity import grant_replacement, grants
from fhir_server.application.identity.accounts import Grantee
from fhir_server.application.identity.clients import Client, ClientKind
from fhir_server.domain.caller import SERVER, AppExclusions, Caller
from fhir_server.domain.problem import Category, Problem
from fhir_server.oauth.authorize.interactions import LiveState, PendingAuthorization
from fhir_server.oauth.base.wire import Context
from fhir_server.ports.vault import Secret
from fhir_server.registry import AccessRule, types_under

KIND = "documents-listed"
_CARRIERS = types_under(AccessRule.DOCUMENT, AccessRule.CONTENT, AccessRule.GATHERING) | {"*"}
_READING = Scopes.parse("patient/DocumentReference.rs user/DocumentReference.rs")
_PAGE = Client(SERVER, "Habilis", ClientKind.PATIENT_APP)


@dataclass(frozen=True, slots=True)
class Listing:
    """Documents that a person may exclude, newest first. before: what they exclude from this app so far."""

    documents: tuple[Offered, ...]
    is_cut: bool
    before: AppExclusions

    @property
    def kinds(self) -> dict[str, tuple[Offered, ...]]:
        """The documents by kind, sorted by the labels of the kinds."""
        found: dict[str, list[Offered]] = {}
        for document in self.documents:
            found.setdefault(document.kind, []).append(document)
        by_label = sorted(found.items(), key=lambda group: min(item.label.casefold() for item in group[1]))
        return {kind: tuple(items) for kind, items in by_label}


def is_open(party: Grantee | None, offer: str) -> bool:
    """Tell whether a person may exclude single documents: if the app reads, and is of a patient, guardian or carer."""
    if party is None or party.client.kind is not ClientKind.PATIENT_APP or party.practice is not None:
        return False
    return any(scope.type in _CARRIERS and set("rs") & set(scope.letters) for scope in Scopes.parse(offer).resources)


def listing(context: Context, interaction: PendingAuthorization, live: LiveState) -> Listing | None:
    """Return the documents to choose from, and remember the list; None when the person may not see any.

    Raises: Problem(UNAVAILABLE) during a lockdown to emergencies.
    """
    runtime = context.runtime
    try:
        found, is_cut = listing_for_apps.documents_of(runtime, reader(context, interaction, live))
    except Problem as problem:
        if problem.category is Category.UNAVAILABLE:
            raise  # without the list a person could exclude nothing, and earlier exclusions would be lost
        return None
    shown = {"documents": [item.id for item in found], "kinds": sorted({item.kind for item in found})}
    vault = runtime.ports.vault
    vault.drop(KIND, interaction.id)
    vault.add(Secret(KIND, interaction.id, orjson.dumps(shown), expires=interaction.expires))
    return Listing(found, is_cut, before(context, interaction, live)) if found else None


def withheld(
    context: Context, interaction: PendingAuthorization, live: LiveState, documents: Iterable[str], kinds: Iterable[str]
) -> AppExclusions:
    """Return what a person unticked in the list; documents that were not listed keep their earlier state.

    documents, kinds: what is still ticked.
    """
    runtime = context.runtime
    entry = runtime.ports.vault.get(KIND, interaction.id, runtime.ports.clock.now())
    earlier = before(context, interaction, live)
    if entry is None:
        return earlier
    shown = orjson.loads(entry.value)
    left_out = (set(shown["documents"]) - set(documents)) | (set(earlier.documents) - set(shown["documents"]))
    closed = (set(shown["kinds"]) - set(kinds)) | (set(earlier.kinds) - set(shown["kinds"]))
    return listing_for_apps.withhold(runtime, reader(context, interaction, live), left_out, closed)


def reader(context: Context, interaction: PendingAuthorization, live: LiveState) -> Caller:
    """Return the person as the caller who reads the list: the person, not the app, looks into the space."""
    account = live.account
    patient = interaction.patient or (PatientId(account.person.partition("/")[2]) if account else None)
    granted = Grantee(_PAGE, account, launch_patient=patient).on_page(interaction.id)
    return Caller.of_page(granted, _READING, context.received.origin, in_lockdown=live.in_lockdown)


def before(context: Context, interaction: PendingAuthorization, live: LiveState) -> AppExclusions:
    """Return what the person excludes from this app now."""
    subject = live.account.subject if live.account else ""
    earlier = (
        grant.withheld
        for grant in grant_replacement.in_force(grants.grants_of(context.runtime, subject))
        if grant.client_id == interaction.asked.client_id and grant.launch_patient == interaction.patient
    )
    return next(earlier, AppExclusions())
