"""What the landing page shows: a card for each person of the cast, and a tour of five requests to copy."""

from shlex import quote

from fhir_server.domain.documents.security_labels import TRE_A07
from fhir_server.domain.values import Json
from seed import cast
from seed.book import Demonstration, Said

HIDE = f'[{{"op":"add","path":"/securityLabel/-","value":{{"coding":[{{"system":"{TRE_A07}","code":"MASQUE_PS"}}]}}}}]'
"""JSON Patch that hides a document from professionals."""
_KINDS = {
    "backend": {"fr": "Logiciel qui agit seul", "en": "Software that acts alone"},
    "patient-app": {"fr": "Application pour les patients", "en": "App for patients"},
    "professional-app": {"fr": "Logiciel pour les professionnels", "en": "Software for professionals"},
}
_STAFF = {
    "auditor": {"fr": "Contrôle des accès", "en": "Control of accesses"},
    "support": {"fr": "Exploitation", "en": "Operation"},
}


def cards(demo: Demonstration) -> list[Json]:
    """Return the cards, in the order of the cast; people without a story have none."""
    found = [_patient(demo, part) for part in cast.PATIENTS]
    found += [_professional(demo, part) for part in cast.PROFESSIONALS if part.story]
    found += [
        _card(part.key, "software", part.name, _KINDS[part.kind], part.story) for part in cast.SOFTWARE if part.story
    ]
    found += [_card(part.key, "staff", part.name, _STAFF[part.kind], part.story) for part in cast.STAFF]
    for card in found:
        if card["key"] in demo.logins:
            card |= {"login": card["key"], "password": demo.logins[card["key"]]}
    return found


def tour(demo: Demonstration) -> list[Json]:
    """Return the five requests."""
    return [*_searches(demo), *_hiding(demo)]


def _searches(demo: Demonstration) -> list[Json]:
    documents = f"DocumentReference?patient={demo.patients['camille']}&status=current&_pretty=true"
    return [
        _step(
            {"fr": "Paul, kinésithérapeute, cherche les documents de Camille", "en": "Paul, physiotherapist, searches"},
            {
                "fr": "Il voit le compte rendu de l’hôpital, aucune biologie, et rien ne dit qu’il en existe.",
                "en": "He sees the hospital report, no laboratory result, and nothing tells that there is any.",
            },
            _curl(demo, "paul", documents),
        ),
        _step(
            {
                "fr": "Le Dr Stern, qui n’a jamais soigné Camille, essaie",
                "en": "Dr Stern, who never treated Camille, tries",
            },
            {
                "fr": "403 : il faut une preuve de soin. Camille verra la tentative.",
                "en": "403: a proof of care is needed. Camille will see the attempt.",
            },
            _curl(demo, "stern", documents),
        ),
    ]


def _hiding(demo: Demonstration) -> list[Json]:
    patient = demo.patients["camille"]
    report = demo.documents["camille-hospital-report"]
    return [
        _step(
            {"fr": "Camille masque le compte rendu de l’hôpital", "en": "Camille hides the hospital report"},
            {
                "fr": "Aussitôt, il n’existe plus pour Paul ; le Dr Martin et le CHU-A le lisent encore.",
                "en": "From the next request on it does not exist for Paul; Dr Martin and CHU-A still read it.",
            },
            _curl(
                demo,
                "camille",
                f"DocumentReference/{report}",
                "-X PATCH",
                "-H 'Content-Type: application/json-patch+json'",
                f"-d {quote(HIDE)}",
            ),
        ),
        _step(
            {"fr": "Paul demande le document par son adresse", "en": "Paul asks for the document by its address"},
            {
                "fr": "404, mot pour mot la réponse faite pour un document qui n’a jamais existé.",
                "en": "404, word for word the answer given for a document that never existed.",
            },
            _curl(demo, "paul", f"DocumentReference/{report}?_pretty=true"),
        ),
        _step(
            {"fr": "Camille lit son journal", "en": "Camille reads her journal"},
            {
                "fr": "Chaque accès et chaque refus, avec la personne, l’établissement, le document et le fondement.",
                "en": "Each access and each refusal, with the person, the establishment, the document and the ground.",
            },
            _curl(demo, "camille", f"AuditEvent?patient={patient}&date=ge2026-01-01&_sort=-date&_pretty=true"),
        ),
    ]


def _step(title: Said, expect: Said, curl: str) -> Json:
    return {"title": title, "expect": expect, "curl": curl}


def _curl(demo: Demonstration, who: str, path: str, *options: str) -> str:
    parts = ["curl -s", *options, f"-H 'Authorization: Bearer {demo.tokens[who]}'", quote(f"{demo.fhir}/{path}")]
    return " ".join(parts)


def _patient(demo: Demonstration, part: cast.PatientPart) -> Json:
    role = {"fr": f"INS de test {part.ins_value}", "en": f"Test INS {part.ins_value}"}
    card = _card(part.key, "patient", part.name, role, part.story)
    return card | {"given": part.given, "reference": f"Patient/{demo.patients[part.key]}", "reader": part.reader}


def _professional(demo: Demonstration, part: cast.ProfessionalPart) -> Json:
    place = cast.establishment(part.establishment).name
    english = cast.PROFESSIONS[part.profession_label]
    role = {"fr": f"{part.profession_label}, {place}", "en": f"{english}, {place}"}
    card = _card(part.key, "professional", part.name, role, part.story)
    return card | {"reference": f"Practitioner/{demo.professionals[part.key]}"}


def _card(key: str, kind: str, name: str, role: Said, story: Said) -> Json:
    return {"key": key, "kind": kind, "name": name, "given": name, "role": role, "story": story, "reference": ""}
