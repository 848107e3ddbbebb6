"""One plain French sentence for each entry of the trail, for the patient to read.

Source: R.1111-43 of the French public health code (rule H3): date, time and identity of whoever acted.
"""

from datetime import datetime
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fhir_server.domain.audit import Deed, Verdict
    from fhir_server.domain.caller import Caller

_VERBS = {
    ("read", "DocumentReference"): "a consulté la fiche d’un document",
    ("read", "Binary"): "a ouvert un document",
    ("search-type", "DocumentReference"): "a consulté la liste des documents",
    ("search-type", "List"): "a consulté la liste des lots de documents",
    ("search-type", "AuditEvent"): "a consulté le journal des accès",
    ("create", "DocumentReference"): "a déposé un document",
    ("transaction", "DocumentReference"): "a déposé des documents",
    ("patch", "DocumentReference"): "a modifié la visibilité ou l’état d’un document",
    ("delete", "DocumentReference"): "a retiré un document",
    ("create", "Consent"): "a enregistré un choix d’accès",
    ("update", "Consent"): "a modifié un choix d’accès",
    ("search-type", "Consent"): "a consulté les choix d’accès",
    ("read", "Patient"): "a consulté l’identité",
    ("search-type", "Patient"): "a recherché l’identité",
}
_GENERIC = {
    "read": "a consulté",
    "vread": "a consulté une version de",
    "history-instance": "a consulté l’historique de",
    "search-type": "a recherché",
    "create": "a créé",
    "update": "a modifié",
    "patch": "a modifié",
    "delete": "a supprimé",
    "login": "s’est connecté",
    "logout": "s’est déconnecté",
    "authorize": "a autorisé une application à agir",
    "token": "a reçu un jeton d’accès",
    "revoke": "a mis fin à une autorisation",
    "transaction": "a transmis un lot",
    "batch": "a transmis un lot",
    "operation": "a exécuté une opération",
}


def sentence_of(deed: "Deed", verdict: "Verdict", caller: "Caller", at: datetime) -> str:
    """Return the sentence as plain text; times are UTC and say so."""
    who = caller.display or caller.client_name or caller.client_id
    where = f" ({caller.organization_display})" if caller.organization_display else ""
    generic = f"{_GENERIC[deed.interaction]} {deed.resource_type}".rstrip()
    act = _VERBS.get((deed.interaction, deed.resource_type)) or generic
    text = f"Le {at:%d/%m/%Y} à {at:%H:%M:%S} UTC, {who}{where} "
    if verdict.outcome != "0":
        return f"{text}s’est vu refuser l’accès (demande : {act})."
    count = len(verdict.touched)
    shown = f" : {count} élément{'s' if count > 1 else ''} montré{'s' if count > 1 else ''}"
    ground = f" Fondement : {verdict.basis}." if verdict.basis else ""
    return f"{text}{act}{shown if deed.interaction == 'search-type' else ''}.{ground}"


def div_of(deed: "Deed", verdict: "Verdict", caller: "Caller", at: datetime) -> str:
    """Return the sentence as XHTML narrative."""
    return f'<div xmlns="http://www.w3.org/1999/xhtml">{escape(sentence_of(deed, verdict, caller, at))}</div>'
