"""One plain French sentence for each audit event, for the patient to read.

Source: R.1111-43 of the French public health code (rule H3): date, time and identity of the person who acted.
"""

import re
from datetime import datetime
from html import escape

from fhir_server.domain.audit.interactions import AuditedInteraction, Outcome, OutcomeCode
from fhir_server.domain.caller import Caller
from fhir_server.domain.values import Interaction
from fhir_server.registry import REGISTRY

_GROUND = re.compile(r" Fondement : [a-z\-]+\.(?=</div>$)")
_THINGS = {name: row.words["fr"].one for name, row in REGISTRY.items() if row.words}
_THINGS |= {"CareTeam": "une équipe de soins"}  # no type of this server, but a request may ask for one
_ACTS = {
    (Interaction.READ, "Binary"): ("ouvrir", "un document"),
    (Interaction.SEARCH, "DocumentReference"): ("consulter", "la liste des documents"),
    (Interaction.SEARCH, "List"): ("consulter", "la liste des lots de documents"),
    (Interaction.SEARCH, "AuditEvent"): ("consulter", "le journal des accès"),
    (Interaction.SEARCH, "Consent"): ("consulter", "les choix d’accès"),
    (Interaction.SEARCH, "Patient"): ("rechercher", "l’identité"),
    (Interaction.CREATE, "DocumentReference"): ("déposer", "un document"),
    (Interaction.TRANSACTION, "DocumentReference"): ("déposer", "des documents"),
    (Interaction.PATCH, "DocumentReference"): ("modifier", "la visibilité ou l’état d’un document"),
    (Interaction.DELETE, "DocumentReference"): ("retirer", "un document"),
    (Interaction.CREATE, "Consent"): ("enregistrer", "un choix d’accès"),
}
_GENERIC = {
    Interaction.READ: ("consulter", ""),
    Interaction.VREAD: ("consulter", ""),
    Interaction.HISTORY: ("consulter", "l’historique de"),
    Interaction.SEARCH: ("rechercher", ""),
    Interaction.CREATE: ("créer", ""),
    Interaction.UPDATE: ("modifier", ""),
    Interaction.PATCH: ("modifier", ""),
    Interaction.DELETE: ("supprimer", ""),
    Interaction.LOGIN: ("se connecter", ""),
    Interaction.LOGOUT: ("se déconnecter", ""),
    Interaction.AUTHORIZE: ("autoriser", "une application à agir"),
    Interaction.TOKEN: ("recevoir", "un jeton d’accès"),
    Interaction.REVOKE: ("terminer", "une autorisation"),
    Interaction.TRANSACTION: ("transmettre", "un lot"),
    Interaction.BATCH: ("transmettre", "un lot"),
    Interaction.OPERATION: ("exécuter", "une opération"),
}
_OPERATIONS = {
    "announce-space": ("annoncer", "l’ouverture de l’espace"),
    "oppose-space": ("enregistrer", "l’opposition à l’ouverture de l’espace"),
    "open-space": ("ouvrir", "l’espace"),
    "suspend-space": ("suspendre", "l’accès à l’espace"),
    "close-space": ("clore", "l’espace"),
    "request-erasure": ("demander", "l’effacement de l’espace"),
    "erase-space": ("effacer", "l’espace"),
    "record-death": ("enregistrer", "le décès du patient"),
    "space-status": ("consulter", "l’état de l’espace"),
    "erasure-due": ("constater", "que l’espace est à effacer"),
    "end-seal": ("lever", "le délai avant lequel un document n’était pas visible"),
    "review-overdue": ("constater", "qu’une ouverture en urgence n’a pas été contrôlée à temps"),
    "break-glass": ("ouvrir", "l’espace en urgence (bris de glace)"),
    "regulation-access": ("ouvrir", "l’espace en régulation d’un appel d’urgence"),
    "review-queue": ("consulter", "les ouvertures en urgence à contrôler"),
    "review-status": ("consulter", "le contrôle d’une ouverture en urgence"),
    "review-emergency": ("contrôler", "une ouverture en urgence"),
    "contest-emergency": ("contester", "une ouverture en urgence"),
    "audience": ("consulter", "la liste de ceux qui peuvent lire un document"),
    "backup": ("enregistrer", "une sauvegarde du service"),
    "restore": ("rétablir", "le service dans un état antérieur"),
    "emergencies-only-on": ("arrêter", "tout sauf les urgences"),
    "emergencies-only-off": ("rétablir", "le service pour tous"),
    "retry-message": ("transmettre", "de nouveau un message resté sans effet"),
    "drop-message": ("supprimer", "un message resté sans effet"),
    "register-client": ("enregistrer", "une application"),
    "edit-client": ("modifier", "une application"),
    "remove-client": ("supprimer", "une application"),
    "disable-client": ("arrêter", "une application"),
    "enable-client": ("rétablir", "une application"),
    "rekey-client": ("remplacer", "les clés d’une application"),
    "add-user": ("enregistrer", "un compte"),
    "edit-user": ("modifier", "un compte"),
    "disable-user": ("arrêter", "un compte"),
    "enable-user": ("rétablir", "un compte"),
    "invite-user": ("créer", "un code de rattachement"),
    "set-password": ("changer", "le mot de passe d’un compte"),
    "set-code-generator": ("enregistrer", "un générateur de codes comme second facteur"),
    "add-passkey": ("enregistrer", "une clé d’accès comme second facteur"),
    "remove-passkey": ("retirer", "une clé d’accès"),
    "reset-factors": ("effacer", "les seconds facteurs d’un compte"),
    "issue-enrolment-code": ("créer", "un code d’enrôlement d’un second facteur"),
    "propose-notice-address": ("proposer", "une adresse pour les avis par courriel"),
    "set-notice-address": ("confirmer", "une adresse pour les avis par courriel"),
    "remove-notice-address": ("retirer", "l’adresse pour les avis par courriel"),
    "choose-notices": ("choisir", "les avis envoyés par courriel"),
    "rotate-keys": ("remplacer", "la clé des données"),
    "rotate-signing": ("remplacer", "la clé de signature"),
    "explain": ("consulter", "l’explication d’une décision d’accès"),
}
_DONE = {
    "annoncer": "a annoncé",
    "arrêter": "a arrêté",
    "autoriser": "a autorisé",
    "changer": "a changé",
    "choisir": "a choisi",
    "clore": "a clos",
    "confirmer": "a confirmé",
    "constater": "a constaté",
    "consulter": "a consulté",
    "contester": "a contesté",
    "contrôler": "a contrôlé",
    "créer": "a créé",
    "demander": "a demandé",
    "déposer": "a déposé",
    "effacer": "a effacé",
    "enregistrer": "a enregistré",
    "exécuter": "a exécuté",
    "lever": "a levé",
    "modifier": "a modifié",
    "ouvrir": "a ouvert",
    "proposer": "a proposé",
    "recevoir": "a reçu",
    "rechercher": "a recherché",
    "remplacer": "a remplacé",
    "rétablir": "a rétabli",
    "retirer": "a retiré",
    "se connecter": "s’est connecté",
    "se déconnecter": "s’est déconnecté",
    "supprimer": "a supprimé",
    "suspendre": "a suspendu",
    "terminer": "a terminé",
    "transmettre": "a transmis",
}


def sentence_of(audited: AuditedInteraction, outcome: Outcome, caller: Caller, at: datetime) -> str:
    """Return the sentence as plain text; times are UTC and say so.

    The sentence gives no counts, because the reader may not see everything that was touched.
    """
    granted = caller.granted
    who = granted.display or granted.client_name or granted.client_id
    where = f" ({granted.organization_display})" if granted.organization_display else ""
    verb, what = _act(audited)
    day, time = f"{at.day:02}/{at.month:02}/{at.year}", at.isoformat()[11:19]  # far quicker than strftime
    text = f"Le {day} à {time} UTC, {who}{where} "
    if outcome.code != OutcomeCode.DONE:
        return f"{text}a demandé à {verb} {what}".rstrip() + " : refusé."
    ground = f" Fondement : {outcome.basis}." if outcome.basis else ""  # in the form that _GROUND matches
    act = f"{_DONE[verb]} {what}".rstrip()
    return f"{text}{act}.{ground}"


def without_ground(div: str) -> str:
    """Return a narrative without the basis of the access."""
    return _GROUND.sub("", div)


def _act(audited: AuditedInteraction) -> tuple[str, str]:
    """Return the verb in the infinitive, and its object."""
    known = _OPERATIONS.get(audited.operation) or _ACTS.get((audited.interaction, audited.resource_type))
    if known:
        return known
    verb, what = _GENERIC[audited.interaction]
    if what and audited.interaction != Interaction.HISTORY:
        return verb, what
    thing = _THINGS.get(audited.resource_type, audited.resource_type)
    return verb, f"{what} {thing}".strip()


def div_of(audited: AuditedInteraction, outcome: Outcome, caller: Caller, at: datetime) -> str:
    """Return the sentence as XHTML narrative."""
    return in_french(sentence_of(audited, outcome, caller, at))


def in_french(text: str) -> str:
    """Return a French text as an XHTML narrative that declares its language, for readers and for XML."""
    return f'<div xmlns="http://www.w3.org/1999/xhtml" lang="fr" xml:lang="fr">{escape(text)}</div>'
