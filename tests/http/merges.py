"""Merging and undoing over HTTP, in a word or two."""

TWICE = "284039999900249"


def twice(world):
    """Record Camille a second time, as `double`."""
    return world.patient("double", TWICE)


def named(world, source="double", target="camille", **more):
    sides = [
        {"name": f"{role}-patient", "valueReference": {"reference": f"Patient/{world.ids.get(name, name)}"}}
        for role, name in (("source", source), ("target", target))
    ]
    flags = [{"name": name, "valueBoolean": value} for name, value in more.items()]
    return {"resourceType": "Parameters", "parameter": [*sides, *flags]}


def merge(world, source="double", target="camille", who="keeper", **more):
    return world.send(who, "POST", "/Patient/$merge", named(world, source, target, **more))


def unmerge(world, source="double", target="camille", who="keeper"):
    return world.send(who, "POST", "/Patient/$unmerge", named(world, source, target))


def done(answer):
    """Return the parts of an answer by name, and what the outcome says."""
    assert answer.status_code == 200, answer.get_data(as_text=True)
    parts = {part["name"]: part["resource"] for part in answer.get_json()["parameter"]}
    return parts, parts["outcome"]["issue"][0]["details"]["text"]


def agreed(world, patient, actor="martin", type_="permit", who=None):
    """Record a Consent about one professional in a space, by its patient."""
    consent = world.consent(actor, type_) | {"patient": {"reference": f"Patient/{world.ids[patient]}"}}
    answer = world.send(who or patient, "POST", "/Consent", consent)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return answer.get_json()["id"]


def documents(world, who, patient):
    """Return the status of a search, and what it shows."""
    answer = world.get(who, f"/DocumentReference?patient={world.ids[patient]}")
    found = answer.get_json().get("entry", ()) if answer.status_code == 200 else ()
    return answer.status_code, sorted(entry["resource"]["id"] for entry in found)
