"""What the tests of exports do: ask, let the worker plan, and fetch."""

import json

from fhir_server import worker
from tests.world import World

ASYNC = {"Prefer": "respond-async"}


def ask(world: World, who: str, path: str = "/$export", body=None, **headers: str):
    """Ask for an export; return the answer."""
    return world.send(who, "GET" if body is None else "POST", path, body, **{**ASYNC, **headers})


def place_of(answer) -> str:
    """Return the path of the state of an export that was accepted."""
    assert answer.status_code == 202, answer.get_data(as_text=True)
    return answer.headers["Content-Location"].partition("/fhir")[2]


def planned(world: World, who: str, path: str = "/$export", body=None) -> str:
    """Ask for an export and let the worker plan it; return the path of its state."""
    place = place_of(ask(world, who, path, body))
    work(world)
    return place


def work(world: World) -> None:
    """Let the worker do what is ready, also what that puts."""
    for _ in range(3):
        worker.build(world.runtime).work_once()


def manifest(world: World, who: str, place: str):
    """Return the manifest of an export that is ready."""
    answer = world.get(who, place)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()


def files(world: World, who: str, place: str) -> dict[str, list[str]]:
    """Return the paths of the files of an export, by type."""
    found: dict[str, list[str]] = {}
    for one in manifest(world, who, place)["output"]:
        found.setdefault(one["type"], []).append(one["url"].partition("/fhir")[2])
    return found


def lines(answer):
    """Return the resources of a file."""
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.content_type == "application/fhir+ndjson"
    return [json.loads(line) for line in answer.get_data().splitlines()]


def exported(world: World, who: str, path: str = "/$export", body=None) -> list[str]:
    """Return "Type/id" of all that an export holds, in order of its files."""
    place = planned(world, who, path, body)
    urls = [url for urls in files(world, who, place).values() for url in urls]
    return [f"{one['resourceType']}/{one['id']}" for url in urls for one in lines(world.get(who, url))]
