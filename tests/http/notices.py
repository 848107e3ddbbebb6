"""The notices of a space, as somebody finds them."""

PCP = {
    "system": "https://mos.esante.gouv.fr/NOS/TRE_R259-HL7ParticipationFunction/FHIR/TRE-R259-HL7ParticipationFunction",
    "code": "PCP",
}


def told(world, who="camille", more=""):
    """Return the notices of Camille's space that somebody finds, oldest first."""
    answer = world.get(who, f"/Communication?patient={world.ids['camille']}&_sort=sent&_count=50{more}")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [entry["resource"] for entry in answer.get_json().get("entry", [])]


def kinds(found):
    return [notice["category"][0]["coding"][0]["code"] for notice in found]
