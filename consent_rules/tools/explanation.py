"""Explains an answer in plain words: the rules that were applied, the cell of the matrix, the consents used.

Two renderings. `full` is for the patient and for auditors. `safe` is for everybody else: it says only what the caller
is and what is published, so that it says the same of a hidden document and of a document that does not exist.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType

from consent_rules.consents.visibility_marks import is_sealed
from consent_rules.matrix.table import Matrix
from consent_rules.model import AccessRequest, Deny, Permit, RuleApplied
from consent_rules.visibility import AccessFacts
from consent_rules.vocabulary import Basis, Mark, Reason, View

LANGUAGES = ("fr", "en")
_DATA = Path(__file__).parents[1] / "data"
_TOLD = frozenset({Reason.FORBIDDEN_PARTY, Reason.UNIDENTIFIED, Reason.NOT_ENTITLED, Reason.EMERGENCIES_ONLY})
_WORDS = {
    "fr": {
        "entered": "Accès accordé : {basis}.",
        "patient": "Preuve : un acte du patient lui-même.",
        "third_party": "Preuve : enregistrée par un tiers, et non par qui lit.",
        "declared": "Preuve : la parole de qui lit, sans autre appui.",
        "refused": "Accès refusé : {reason}.",
        "refused-alike": "Aucun accès n’est possible sans une preuve de la prise en charge et l’accord de la personne.",
        "rule": "{text} (règle {statement}{used})",
        "used": ", au titre de {consents}",
        "yes": "La matrice du {version} ouvre le type {kind} à la profession {profession} ({source}).",
        "no": "La matrice du {version} n’ouvre pas le type {kind} à la profession {profession} ({source}).",
        "silent": "La matrice du {version} ne dit rien du type {kind} pour la profession {profession}.",
        "visible": "Ce document est visible.",
        "invisible": "Ce document n’est pas visible.",
        "no-such": "Aucun document de ce nom n’est visible.",
        "mark": "Ce document porte la marque {mark}.",
        "kept": "Le patient ne partage pas ce document avec le demandeur (au titre de {consents}).",
        "sealed": "Ce document s’ouvre au patient le {until:%d/%m/%Y}.",
    },
    "en": {
        "entered": "Access given: {basis}.",
        "patient": "Evidence: an act of the patient.",
        "third_party": "Evidence: recorded by a third party, not by who reads.",
        "declared": "Evidence: the word of who reads, with no other support.",
        "refused": "Access refused: {reason}.",
        "refused-alike": "No access is possible without a proof of care and the person’s agreement.",
        "rule": "{text} (rule {statement}{used})",
        "used": ", by {consents}",
        "yes": "The matrix of {version} opens type {kind} to profession {profession} ({source}).",
        "no": "The matrix of {version} does not open type {kind} to profession {profession} ({source}).",
        "silent": "The matrix of {version} says nothing of type {kind} for profession {profession}.",
        "visible": "This document is visible.",
        "invisible": "This document is not visible.",
        "no-such": "No document of that name is visible.",
        "mark": "This document has the mark {mark}.",
        "kept": "The patient does not share this document with the requester (by {consents}).",
        "sealed": "This document opens to the patient on {until:%Y-%m-%d}.",
    },
}
_OUTSIDE_THE_MATRIX = frozenset(
    {Basis.PATIENT, Basis.REPRESENTATIVE, Basis.CARER, Basis.SYSTEM, Basis.DECLARED_PHYSICIAN}
)


@dataclass(frozen=True, slots=True)
class Explainer:
    """How to explain. language: "fr" or "en". safe: for a reader who must not learn what the patient decided."""

    matrix: Matrix
    language: str = "fr"
    safe: bool = True

    def answer(self, answer: Permit | Deny) -> tuple[str, ...]:
        """Explain why somebody may enter, or may not."""
        if isinstance(answer, Permit):
            graded = (self._say(answer.grade),) if answer.grade else ()
            return (self._say("entered", basis=answer.basis), *(self._rule(rule) for rule in answer.rules), *graded)
        if self.safe and answer.reason not in _TOLD:
            return (self._say("refused-alike"),)
        return (self._say("refused", reason=answer.reason), *(self._rule(rule) for rule in answer.rules))

    def document(
        self, request: AccessRequest, answer: Permit | Deny, facts: AccessFacts | None, kept_by: tuple[str, ...] = ()
    ) -> tuple[str, ...]:
        """Explain why a document is seen or not. facts: None for a document that does not exist.

        kept_by: ids of the directives that withhold the document from the requester.
        """
        if isinstance(answer, Deny):
            return self.answer(answer)
        if facts is not None and answer.sees(View.DOCUMENTS).admits(facts):
            return (self._say("visible"), *self._cell(request, answer, facts))
        if facts is None or self.safe:
            return (self._say("no-such"),)
        kept = (self._say("kept", consents=", ".join(kept_by)),) if kept_by else ()
        return (self._say("invisible"), *self._cell(request, answer, facts), *self._marks(facts, request.at), *kept)

    def kind(self, profession: str, kind: str) -> str:
        """Say what the published matrix says of a kind for a profession; the text is the same for every patient."""
        cell = self.matrix.cell(profession, kind)
        if cell is None:
            return self._say("silent", version=self.matrix.version, kind=kind, profession=profession)
        source = cell.source if cell.confidence == "sourced" else f"{cell.confidence}, {cell.rule}"
        word = "yes" if cell.access else "no"
        return self._say(word, version=self.matrix.version, kind=kind, profession=profession, source=source)

    def _cell(self, request: AccessRequest, permit: Permit, facts: AccessFacts) -> tuple[str, ...]:
        if permit.basis in _OUTSIDE_THE_MATRIX:
            return ()
        return (self.kind(request.requester.profession, facts.kind),)

    def _marks(self, facts: AccessFacts, at: datetime) -> tuple[str, ...]:
        said = [self._say("mark", mark=mark.name) for mark in Mark if mark and mark & facts.marks]
        if is_sealed(facts, at) and facts.sealed_until is not None:
            said.append(self._say("sealed", until=facts.sealed_until))
        return tuple(said)

    def _rule(self, rule: RuleApplied) -> str:
        used = self._say("used", consents=", ".join(rule.consents)) if rule.consents and not self.safe else ""
        return self._say("rule", text=text_of(rule.statement, self.language), statement=rule.statement, used=used)

    def _say(self, word: str, **values: object) -> str:
        return _WORDS[self.language][word].format(**values)


def text_of(statement: str, language: str) -> str:
    """Return what a numbered statement says; the number itself when it has no text."""
    return statements().get(statement, {}).get(language, statement)


@cache
def statements() -> Mapping[str, Mapping[str, str]]:
    """Return the texts of the statements that the rules name, by number and language."""
    rows = csv.DictReader((_DATA / "statements.csv").read_text("utf-8").splitlines())
    return MappingProxyType({row["statement"]: {language: row[language] for language in LANGUAGES} for row in rows})
