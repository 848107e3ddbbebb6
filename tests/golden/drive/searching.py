"""Each parameter that the CapabilityStatement states, with values that find, miss, and are wrong."""

from itertools import product
from urllib.parse import quote

from tests.golden.drive.reading import OF_A_PATIENT, UNKNOWN
from tests.golden.recording import Asking

VALUES = {
    "token": ("current", "active", "http://loinc.org|34112-3", "|x", "http://loinc.org|", "a,b", ""),
    "string": ("Laurent", "la", "Compte rendu", ""),
    "date": ("2026", "ge2026-01-01", "lt2026-01-19", "eb2026-01-01", "ne2026-01-19", "ap2026-01-19", "2026-13-01", ""),
    "uri": ("urn:x", ""),
    "reference": ("Practitioner/", "Organization/", UNKNOWN, "http://elsewhere.example/Patient/1", ""),
    "special": ("x",),
    "number": ("1",),
}
MODIFIERS = {
    "token": (":not", ":missing", ":text", ":unheard"),
    "string": (":exact", ":contains", ":missing"),
    "date": (":missing", ":exact"),
    "uri": (":below", ":missing"),
    "reference": (":missing", ":identifier", ":Practitioner", ":Nothing"),
}
READERS = {
    "Patient": ("annuaire", "camille"),
    "AuditEvent": ("camille", "dana"),
    "DocumentReference": ("camille", "paul"),
    "RelatedPerson": ("camille/leo", "annuaire"),
}
INS = "urn:oid:1.2.250.1.213.1.4.10"


def run(asking: Asking) -> None:
    """Ask with each parameter, then with the results that a search may be asked to give."""
    stated = asking.send("nobody", "GET", "/fhir/metadata").get_json()["rest"][0]["resource"]
    for one in stated:
        for parameter in one.get("searchParam", ()):
            for who in READERS.get(one["type"], ("camille", "annuaire")):
                _parameter(asking, who, one["type"], parameter)
    for who in ("camille", "paul", "stern", "chu-a-ehr", "camille/leo", "dana", "nobody"):
        _results(asking, who)
    _known_values(asking)
    for who, (patient, type_) in product(("camille", "martin", "matension"), asking_spaces(asking)):
        asking.pages(who, f"/{type_}?patient={patient}&_count=4", 6)


def asking_spaces(asking: Asking) -> list[tuple[str, str]]:
    """Return a space and a type, in pairs."""
    types = ("DocumentReference", "List", "AuditEvent", "Consent")
    return [(asking.book["patients"][patient], type_) for patient in ("camille", "ines") for type_ in types]


def _parameter(asking: Asking, who: str, type_: str, parameter: dict[str, str]) -> None:
    name, kind = parameter["name"], parameter["type"]
    patient = asking.book["patients"]["leo" if who.endswith("/leo") else "camille"]
    first = f"patient={patient}&_summary=count&" if type_ in OF_A_PATIENT else ""
    if type_ == "Patient":
        first = f"_id={patient}&_summary=count&"
    for value in VALUES.get(kind, ("x",)):
        asking.get(who, f"/{type_}?{first}{name}={quote(value)}", Prefer="handling=strict")
    for modifier in MODIFIERS.get(kind, ()):
        value = "true" if modifier == ":missing" else "x"
        asking.get(who, f"/{type_}?{first}{name}{modifier}={value}", Prefer="handling=strict")


def _results(asking: Asking, who: str) -> None:
    patient = asking.book["patients"]["camille"]
    space = f"/DocumentReference?patient={patient}"
    for asked in (
        "_count=0", "_count=2", "_count=-1", "_count=x", "_count=100000", "_sort=date", "_sort=-date",
        "_sort=-_lastUpdated",
        "_sort=unheard", "_sort=type", "_total=none", "_total=accurate", "_total=estimate", "_total=x", "_summary=x",
        "_include=DocumentReference:author", "_include=DocumentReference:custodian", "_include=*", "_contained=true",
        "_revinclude=List:item", "_revinclude=AuditEvent:entity", "_include:iterate=List:item", "_elements=id",
        "_format=xml",
        "_page=x", "_summary=count&_format=xml", "_type=List", "_has:List:item:code=x", "_text=a", "_content=a",
        "_filter=a",
        "_query=x", "status=current&status=superseded", "status=current,superseded", "patient=x", "subject=Patient/x",
    ):  # fmt: skip
        asking.get(who, f"{space}&{asked}")
        asking.get(who, f"{space}&{asked}", Prefer="handling=strict")
    for path in ("?_type=DocumentReference", "?_type=List,Consent", "?_type=Nothing", "", "?_type=AuditEvent"):
        asking.get(who, f"{path}{'&' if path else '?'}patient={patient}&_count=2")
    form = "application/x-www-form-urlencoded"
    for body in (
        f"patient={patient}&_count=2",
        f"patient={patient}&date=x",
        "",
        "%%%",
        f"patient={patient}&_count=2&_type=List",
    ):
        asking.fhir(who, "POST", "/DocumentReference/_search", body, mime=form, note=body)
        asking.fhir(who, "POST", "/_search", body, mime=form, note=body)
    asking.fhir(who, "POST", f"/DocumentReference/_search?patient={patient}", "_count=1", mime=form)
    asking.fhir(who, "POST", "/DocumentReference/_search", "{}", mime="application/json")


def _known_values(asking: Asking) -> None:
    """Ask with values that the demonstration has."""
    book = asking.book
    patient, marc = book["patients"]["camille"], book["patients"]["marc"]
    document, report = book["documents"]["camille-hospital-report"], book["documents"]["camille-lipids"]
    number = f"{INS}|284039999900148"
    for who in ("camille", "martin", "paul", "chu-a-ehr", "stern", "dana", "annuaire", "marc", "camille/ines"):
        for query in (
            f"DocumentReference?patient.identifier={number}", f"DocumentReference?subject.identifier={number}&_count=2",
            f"DocumentReference?patient={patient}&related=DocumentReference/{document}",
            f"DocumentReference?patient={patient}&relatesto=DocumentReference/{report}",
            f"DocumentReference?patient={patient}&type=http://loinc.org|34112-3",
            f"DocumentReference?patient={patient}&author.family=Vidal",
            f"DocumentReference?patient={patient}&author.given=Elsa",
            f"DocumentReference?patient={patient}&author.identifier=https://rpps.esante.gouv.fr|99700000107",
            f"DocumentReference?patient={patient}&custodian=Organization/{book['organizations']['chu-a']}",
            f"DocumentReference?patient={patient}&security-label=N",
            f"DocumentReference?patient={patient}&security-label=MASQUE_PS",
            f"DocumentReference?patient={patient}&contenttype=application/pdf",
            f"DocumentReference?patient={patient}&_id={document}",
            "DocumentReference?identifier=urn:ietf:rfc:3986|urn:oid:1.2.250.1.213.1.4.99999.1",
            f"DocumentReference?patient={patient},{marc}", f"List?patient={patient}&item=DocumentReference/{document}",
            f"List?patient={patient}&code=submissionset&_include=List:item",
            "List?identifier=urn:ietf:rfc:3986|urn:oid:1.2.250.1.213.1.4.99999.1.1",
            f"Consent?patient={patient}&status=active",
            f"Consent?patient={patient}&actor=Practitioner/{book['professionals']['martin']}",
            f"Consent?patient={patient}&_sort=-date&_count=1", f"AuditEvent?patient={patient}&outcome=4&_count=2",
            f"AuditEvent?patient={patient}&agent=Practitioner/{book['professionals']['paul']}&_count=2",
            f"AuditEvent?patient={patient}&entity=DocumentReference/{document}&_count=2",
            f"AuditEvent?patient={patient}&subtype=read&_count=2", f"Patient?identifier={number}",
            "Patient?family=Laurent&birthdate=1984-03-17",
            "Patient?name=Camille", "Practitioner?identifier=https://rpps.esante.gouv.fr|99700000016",
            "Practitioner?name=Martin&_count=1",
            f"PractitionerRole?practitioner=Practitioner/{book['professionals']['martin']}&_include=PractitionerRole:organization",
            "Organization?identifier=https://finess.esante.gouv.fr|990000018", "Organization?name:contains=cabinet",
            f"RelatedPerson?patient={book['patients']['leo']}",
        ):  # fmt: skip
            asking.get(who, f"/{query}")
