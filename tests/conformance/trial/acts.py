"""The edits by which the trial adds an operation, a kind of choice, and a notice, to one copy of the project."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

KINDS = "fhir_server/domain/events/kinds.py"
FRENCH = "fhir_server/translations/fr/LC_MESSAGES/events.po"


@dataclass(frozen=True)
class Trial:
    """One act to be added.

    inserted: by file, pairs of a pattern that is found once and what stands before it then; the group `old` goes.
    """

    name: str
    inserted: Mapping[str, tuple[tuple[str, str], ...]]
    appended: Mapping[str, str]

    @property
    def files(self) -> set[str]:
        """The files that are touched by hand."""
        return {*self.inserted, *self.appended}


def _french(kind: str, did: tuple[str, str], wish: tuple[str, str]) -> str:
    forms = (("did", did), ("wish", wish))
    return "".join(f'\nmsgctxt "{kind} {form}"\nmsgid "{en}"\nmsgstr "{fr}"\n' for form, (en, fr) in forms)


OPERATION = Trial(
    "operation",
    {
        KINDS: (
            (
                r"    SPACE_STATUS_READ = ",
                (
                    '    SPACE_CONFIRMED = ("space-confirmed", EventRow(_CALLED, _PATIENT, _ALWAYS, _OPEN, _UNTOLD, '
                    '"confirm-space"),\n        "confirmed the space", "confirm the space")\n'
                ),
            ),
        ),
        "fhir_server/application/spaces/lifecycle.py": (
            (
                r"@command\(EventKind.DEATH_RECORDED\)\n",
                (
                    "@command(EventKind.SPACE_CONFIRMED)\n"
                    "def confirm(runtime: Runtime, caller: Caller, patient: PatientId) -> SpaceReport:\n"
                    '    """Confirm that the space is wanted as it stands; it stays as it is. Raises: as `change`."""\n'
                    "    return _carry_out(\n"
                    "        runtime, caller, patient, EventKind.SPACE_CONFIRMED, "
                    "lambda work: _plan_confirmation(work, patient)\n"
                    "    )\n\n\n"
                ),
            ),
            (
                r"def _plan_look\(",
                (
                    "def _plan_confirmation(work: UnitOfWork, patient: PatientId) -> SpaceReport:\n"
                    "    _enter(work, patient, PATIENTS_SIDE)\n"
                    "    return _finish(work, work.record())\n\n\n"
                ),
            ),
        ),
        "fhir_server/http/fhir/operations/spaces.py": (
            (
                r'    Operation\(\n        "space-status",',
                (
                    '    Operation(\n        "confirm-space",\n        "Patient",\n        "Confirm a space",\n'
                    '        "Say that the space is wanted as it stands. For the patient and representatives.",\n'
                    "        _reporting(lifecycle.confirm),\n        output=_REPORT,\n    ),\n"
                ),
            ),
        ),
    },
    {
        FRENCH: _french(
            "space-confirmed",
            ("confirmed the space", "a confirmé l’espace"),
            ("confirm the space", "confirmer l’espace"),
        )
    },
)
CHOICE = Trial(
    "choice",
    {
        "consent_rules/vocabulary.py": (
            (r"\n\nSETTINGS = ", '    NO_RESEARCH = "no-research"\n'),
            (r'    \}\n\)\n"""Directives that set', "        DirectiveKind.NO_RESEARCH,\n"),
        ),
        "fhir_server/application/consents/choices.py": (
            (
                r"@command\(EventKind.SWITCH_SET\)\nclass RestoreDefault",
                (
                    "@command(EventKind.RESEARCH_REFUSED)\nclass RefuseResearch(Choice):\n"
                    '    """Keep the data of the space out of research."""\n\n'
                    "    kind = DirectiveKind.NO_RESEARCH\n\n\n"
                ),
            ),
            (r"    \)\n    if one.kind\n", "        RefuseResearch,\n"),
        ),
        KINDS: (
            (
                r"    CHOICES_REPAIRED = ",
                (
                    '    RESEARCH_REFUSED = ("research-refused", '
                    "EventRow(_SAYS, _CONSENT, _ALWAYS, _DOCUMENTS, _UNTOLD),\n"
                    '        "kept the space out of research", "keep the space out of research")\n'
                ),
            ),
        ),
        "tests/rules/test_recording.py": ((r"    K.TOLD_OF_FILING,\n\}", "    K.NO_RESEARCH,\n"),),
    },
    {
        FRENCH: _french(
            "research-refused",
            ("kept the space out of research", "a exclu l’espace de la recherche"),
            ("keep the space out of research", "exclure l’espace de la recherche"),
        )
    },
)
NOTICE = Trial(
    "notice",
    {
        "fhir_server/domain/events/rules.py": (
            (
                r"    # fmt: on\n",
                (
                    '    CONTESTED = ("access-contested", "An emergency access was contested",\n'
                    '        "%(who)s contested an emergency access to the space.")\n'
                ),
            ),
        ),
        KINDS: ((r'(?P<old>_UNTOLD), "contest-emergency"', "_told(NoticeKind.CONTESTED)"),),
        "fhir_server/application/spaces/break_glass_reviews.py": (
            (
                r"        return replace\(_report\(disputed, work.at\), to_auditor=False\)",
                "        notices_owed.of_space(work, work.record(), EventKind.ACCESS_CONTESTED)\n",
            ),
        ),
    },
    {
        FRENCH: (
            '\nmsgctxt "notice access-contested"\nmsgid "%(who)s contested an emergency access to the space."\n'
            'msgstr "%(who)s a contesté une ouverture de l’espace en urgence."\n'
            '\nmsgctxt "notice access-contested label"\nmsgid "An emergency access was contested"\n'
            'msgstr "Une ouverture en urgence est contestée"\n'
        )
    },
)


def edit(root: Path, trial: Trial) -> None:
    """Add an act to one copy of the project."""
    for name, insertions in trial.inserted.items():
        text = (root / name).read_text(encoding="utf-8")
        for pattern, inserted in insertions:
            places = list(re.finditer(pattern, text))
            if len(places) != 1:
                raise ValueError(f"{name}: not one place to insert at: {pattern!r}")
            at, old = places[0].start(), places[0].groupdict().get("old", "")
            text = text[:at] + inserted + text[at + len(old) :]
        (root / name).write_text(text, encoding="utf-8")
    for name, appended in trial.appended.items():
        with (root / name).open("a", encoding="utf-8") as file:
            file.write(appended)
