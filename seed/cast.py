"""The invented people of the demonstration, as plain data.

Nobody here exists. National health identities come from the test range (system of INS test numbers, place of birth
99999), professional and establishment numbers from ranges that are never issued.
"""

from dataclasses import dataclass, field

Said = dict[str, str]
"""One text in both languages: {"fr": …, "en": …}."""
INS_TEST = "urn:oid:1.2.250.1.213.1.4.10"
RPPS = "https://rpps.esante.gouv.fr"
FINESS = "https://finess.esante.gouv.fr"


@dataclass(frozen=True, slots=True)
class PatientPart:
    """One insured person.

    ins: thirteen digits; the control key is computed. guardians: keys of the patient's guardians. own_account: whether
        the patient is old enough to have one.
    """

    key: str
    family: str
    given: str
    gender: str
    birth: str
    ins: str
    guardians: tuple[str, ...] = ()
    own_account: bool = True
    story: Said = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name as shown."""
        return f"{self.given} {self.family}"

    @property
    def reader(self) -> str:
        """The name of the token that reads this patient's journal: the patient's token, or a guardian's."""
        return self.key if self.own_account else f"{self.guardians[0]}/{self.key}"

    @property
    def ins_value(self) -> str:
        """The fifteen digits: number and control key."""
        return f"{self.ins}{97 - int(self.ins) % 97:02d}"


@dataclass(frozen=True, slots=True)
class EstablishmentPart:
    """One establishment or practice. sector: code of TRE_R02."""

    key: str
    name: str
    finess: str
    sector: str
    setting: str


@dataclass(frozen=True, slots=True)
class ProfessionalPart:
    """One professional in one practice situation. profession: code of the matrix row."""

    key: str
    family: str
    given: str
    prefix: str
    profession: str
    profession_label: str
    rpps: str
    establishment: str
    story: Said = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name as shown."""
        return " ".join(part for part in (self.prefix, self.given, self.family) if part)


@dataclass(frozen=True, slots=True)
class SoftwarePart:
    """One OAuth client. kind: a code of ClientKind. establishment: key of the client's establishment, "" for none."""

    key: str
    name: str
    kind: str
    establishment: str = ""
    scopes: str = ""
    story: Said = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StaffPart:
    """One person who runs or audits the service and reads no document. kind: "auditor" or "support"."""

    key: str
    name: str
    kind: str
    story: Said = field(default_factory=dict)


PATIENTS: tuple[PatientPart, ...] = (
    PatientPart(
        "camille",
        "Laurent",
        "Camille",
        "female",
        "1984-03-17",
        "2840399999001",
        story={
            "fr": "42 ans, opérée du genou ; elle décide qui lit quoi.",
            "en": "42, operated on the knee; she decides who reads what.",
        },
    ),
    PatientPart(
        "leo",
        "Laurent-Dubois",
        "Léo",
        "male",
        "2019-02-20",
        "1190299999002",
        ("camille", "marc"),
        own_account=False,
        story={"fr": "7 ans, enfant de Camille et de Marc.", "en": "7, child of Camille and of Marc."},
    ),
    PatientPart(
        "ines",
        "Laurent",
        "Inès",
        "female",
        "2011-01-15",
        "2110199999003",
        ("camille",),
        story={
            "fr": "15 ans, fille de Camille ; un soin reste confidentiel pour ses parents.",
            "en": "15, daughter of Camille; one visit stays confidential from her parents.",
        },
    ),
    PatientPart(
        "marc",
        "Dubois",
        "Marc",
        "male",
        "1981-09-02",
        "1810999999004",
        story={"fr": "Père de Léo.", "en": "Father of Léo."},
    ),
)

ESTABLISHMENTS: tuple[EstablishmentPart, ...] = (
    EstablishmentPart("chu-a", "CHU-A", "990000018", "SA01", "ETABLISSEMENT"),
    EstablishmentPart("cabinet-martin", "Cabinet médical du Dr Martin", "990000026", "SA07", "AMBULATOIRE"),
    EstablishmentPart("cabinet-paul", "Cabinet de kinésithérapie des Lilas", "990000034", "SA07", "AMBULATOIRE"),
    EstablishmentPart("optique-zoe", "Optique du Marché", "990000042", "SA42", "AMBULATOIRE"),
    EstablishmentPart("samu", "SAMU 990, centre de régulation", "990000059", "SA01", "SAMU_SMUR"),
    EstablishmentPart("labo", "Laboratoire de biologie des Tilleuls", "990000067", "SA25", "AMBULATOIRE"),
    EstablishmentPart("centre-sante", "Centre de santé du Port", "990000075", "SA05", "AMBULATOIRE"),
)

PROFESSIONALS: tuple[ProfessionalPart, ...] = (
    ProfessionalPart(
        "martin",
        "Martin",
        "Julien",
        "Dr",
        "10",
        "Médecin",
        "99700000016",
        "cabinet-martin",
        {
            "fr": "Médecin traitant déclaré de Camille : lit tout, y compris ce qui est masqué.",
            "en": "Camille’s declared physician (médecin traitant): reads everything, even what is hidden.",
        },
    ),
    ProfessionalPart(
        "paul",
        "Morel",
        "Paul",
        "",
        "70",
        "Masseur-kinésithérapeute",
        "99700000024",
        "cabinet-paul",
        {
            "fr": "Rééduque le genou de Camille : lit le compte rendu de l’hôpital, pas la biologie.",
            "en": "Treats Camille’s knee: reads the hospital report, not the laboratory results.",
        },
    ),
    ProfessionalPart(
        "zoe",
        "Petit",
        "Zoé",
        "",
        "28",
        "Opticien-lunetier",
        "99700000032",
        "optique-zoe",
        {
            "fr": "Demande l’accord de Camille à chaque consultation ; ne voit jamais un résultat de biologie.",
            "en": "Asks for Camille’s agreement at each visit; never sees a laboratory result.",
        },
    ),
    ProfessionalPart(
        "roux",
        "Roux",
        "Antoine",
        "Dr",
        "10",
        "Médecin",
        "99700000040",
        "samu",
        {"fr": "Médecin régulateur du SAMU.", "en": "Physician who answers emergency calls (SAMU)."},
    ),
    ProfessionalPart(
        "awa",
        "Diallo",
        "Awa",
        "Dr",
        "10",
        "Médecin",
        "99700000057",
        "chu-a",
        {"fr": "Urgentiste au CHU-A.", "en": "Emergency physician at CHU-A."},
    ),
    ProfessionalPart(
        "nour",
        "Haddad",
        "Nour",
        "Dr",
        "10",
        "Médecin",
        "99700000065",
        "chu-a",
        {
            "fr": "Oncologue au CHU-A ; dépose un résultat à annoncer de vive voix.",
            "en": "Oncologist at CHU-A; has filed a result that is to be told in person.",
        },
    ),
    ProfessionalPart(
        "luc",
        "Bernard",
        "Luc",
        "",
        "60",
        "Infirmier",
        "99700000073",
        "chu-a",
        {"fr": "Infirmier de cardiologie au CHU-A.", "en": "Cardiology nurse at CHU-A."},
    ),
    ProfessionalPart(
        "stern",
        "Stern",
        "Félix",
        "Dr",
        "10",
        "Médecin",
        "99700000081",
        "centre-sante",
        {"fr": "N’a jamais soigné Camille : il n’entre pas.", "en": "Never treated Camille: he does not get in."},
    ),
    ProfessionalPart(
        "anna",
        "Lopez",
        "Anna",
        "",
        "50",
        "Sage-femme",
        "99700000099",
        "centre-sante",
        {
            "fr": "Suit Inès ; son compte rendu reste invisible pour les représentants légaux.",
            "en": "Looks after Inès; her report stays invisible to the legal representatives.",
        },
    ),
    ProfessionalPart("elsa", "Vidal", "Elsa", "Dr", "10", "Médecin", "99700000107", "chu-a"),
    ProfessionalPart("sami", "Benali", "Sami", "Dr", "10", "Médecin", "99700000115", "labo"),
    ProfessionalPart("lea", "Fontaine", "Léa", "Dr", "10", "Médecin", "99700000123", "centre-sante"),
    ProfessionalPart("eva", "Klein", "Éva", "Dr", "10", "Médecin", "99700000131", "centre-sante"),
    ProfessionalPart("remi", "Garnier", "Rémi", "Dr", "40", "Chirurgien-dentiste", "99700000149", "centre-sante"),
)

SOFTWARE: tuple[SoftwarePart, ...] = (
    SoftwarePart(
        "annuaire",
        "Annuaire de la démonstration",
        "backend",
        scopes="system/*.cruds",
        story={"fr": "Tient l’annuaire et ouvre les espaces.", "en": "Keeps the directory and opens the spaces."},
    ),
    SoftwarePart(
        "chu-a-ehr",
        "Dossier patient du CHU-A",
        "backend",
        "chu-a",
        "system/*.cruds",
        {
            "fr": "Dépose les documents de l’hôpital et relit les siens.",
            "en": "Files the hospital’s documents, reads its own.",
        },
    ),
    SoftwarePart("labo-lis", "Logiciel du laboratoire des Tilleuls", "backend", "labo", "system/*.cruds"),
    SoftwarePart("centre-sante-ehr", "Dossier patient du centre de santé", "backend", "centre-sante", "system/*.cruds"),
    SoftwarePart("espace", "Espace de démonstration", "patient-app", scopes="patient/*.cruds"),
    SoftwarePart("poste", "Poste du professionnel", "professional-app", scopes="user/*.cruds"),
    SoftwarePart(
        "matension",
        "MaTension",
        "patient-app",
        scopes="launch/patient patient/DocumentReference.rs patient/Patient.r",
        story={
            "fr": "Application choisie par Camille : lit ses documents, rien d’autre.",
            "en": "App that Camille chose: reads her documents, nothing else.",
        },
    ),
)

STAFF: tuple[StaffPart, ...] = (
    StaffPart(
        "dana",
        "Dana Weiss",
        "auditor",
        {"fr": "Déléguée à la protection des données.", "en": "Data protection officer."},
    ),
    StaffPart(
        "oscar",
        "Oscar Nunez",
        "support",
        {
            "fr": "D’astreinte : fait tourner le serveur, ne lit aucun document.",
            "en": "On call: keeps the server running, reads no document.",
        },
    ),
)


def patient(key: str) -> PatientPart:
    """Return the patient with a key."""
    return next(part for part in PATIENTS if part.key == key)


def professional(key: str) -> ProfessionalPart:
    """Return the professional with a key."""
    return next(part for part in PROFESSIONALS if part.key == key)


def establishment(key: str) -> EstablishmentPart:
    """Return the establishment with a key."""
    return next(part for part in ESTABLISHMENTS if part.key == key)


def software(key: str) -> SoftwarePart:
    """Return the OAuth client with a key."""
    return next(part for part in SOFTWARE if part.key == key)


PROFESSIONS: dict[str, str] = {
    # label of TRE_G15: its English translation
    "Médecin": "Physician",
    "Masseur-kinésithérapeute": "Physiotherapist",
    "Opticien-lunetier": "Optician",
    "Infirmier": "Nurse",
    "Sage-femme": "Midwife",
    "Chirurgien-dentiste": "Dental surgeon",
}
