"""Collections for Postman (v2.1) and Bruno: the examples of the OpenAPI document as requests to send.

`python -m tests.conformance.api_collections` writes them to docs/collections; a test compares them with the document.
Sources: https://schema.postman.com/collection/json/v2.1.0/draft-07/docs/index.html, https://docs.usebruno.com/bru-lang.
"""

import json
import shutil
import tempfile
from pathlib import Path
from textwrap import indent
from urllib.parse import urlencode

from fhir_server.domain.values import Json
from fhir_server.http.fhir.examples.placing import PERSONAS
from tests.conformance.example_requests import SAMPLES
from tests.conformance.examples import demonstration
from tests.conformance.openapi_requests import Example, examples

FOLDER = Path(__file__).parents[2] / "docs" / "collections"
NAME = "Habilis"
_POSTMAN = "habilis.postman_collection.json"
_BASE = "http://localhost:8080"
_GUID = "{{$guid}}"
_MADE = {SAMPLES["new"]: _GUID}
_FOUND = {id_: f"{{{{{kind}Id}}}}" for kind, id_ in SAMPLES.items() if kind != "new"}
_FHIR_JSON = "application/fhir+json"


def token_variable(persona: str) -> str:
    """Return the variable that holds the token of a persona, such as `tokenPatient`."""
    return f"token{persona.title()}"


def files(document: Json) -> dict[str, str]:
    """Return the text of each file by its path below the folder."""
    asked = sorted(examples(document), key=_needs_what_others_find)
    folders = {persona: [one for one in asked if one.persona == persona] for persona in PERSONAS}
    written = {_POSTMAN: json.dumps(_postman(folders), indent=1, ensure_ascii=False) + "\n"}
    written["bruno/bruno.json"] = json.dumps({"version": "1", "name": NAME, "type": "collection"}, indent=2) + "\n"
    secret = ",\n".join(f"  {token_variable(persona)}" for persona in PERSONAS if persona != "stranger")
    written["bruno/environments/demonstration.bru"] = f"vars {{\n  baseUrl: {_BASE}\n}}\nvars:secret [\n{secret}\n]\n"
    for persona, found in folders.items():
        for place, one in enumerate(found, 1):
            written[f"bruno/{persona}/{place:02} {one.operation}.bru"] = _bru(one, place)
    return written


def _needs_what_others_find(one: Example) -> bool:
    """Tell whether a request needs an id that an earlier one finds; such requests come last."""
    return any(id_ in one.url + json.dumps(one.body) for id_ in _FOUND)


def _filled(text: str) -> str:
    for id_, variable in (_FOUND | _MADE).items():
        text = text.replace(id_, variable)
    return text


def _finds(one: Example) -> str:
    """Return the variable that the answer gives, "" for none: it shows the sample of this id as its first match."""
    entries = one.answer.get("entry") or [{}]
    found = _FOUND.get(entries[0].get("resource", {}).get("id", ""), "")
    return found.strip("{}")


def _statuses(one: Example) -> list[int]:
    """Return the statuses that are right; what was created by an earlier run may be there already."""
    return [200, 201] if one.status == 201 else [one.status]


def _body(one: Example) -> str:
    return _filled(json.dumps(one.body, indent=2, ensure_ascii=False))


def _postman(folders: dict[str, list[Example]]) -> Json:
    variables = ["baseUrl", *(token_variable(persona) for persona in PERSONAS if persona != "stranger")]
    variables += [variable.strip("{}") for variable in _FOUND.values()]
    return {
        "info": {
            "name": NAME,
            "description": "Requests of the people of the demonstration. Set the tokens; run the folder patient first.",
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "item": [
            {
                "name": persona,
                "description": PERSONAS[persona],
                "auth": _postman_auth(persona),
                "item": [_postman_item(one) for one in found],
            }
            for persona, found in folders.items()
        ],
        "variable": [{"key": name, "value": _BASE if name == "baseUrl" else ""} for name in variables],
    }


def _postman_auth(persona: str) -> Json:
    if persona == "stranger":
        return {"type": "noauth"}
    token = {"key": "token", "value": f"{{{{{token_variable(persona)}}}}}", "type": "string"}
    return {"type": "bearer", "bearer": [token]}


def _postman_item(one: Example) -> Json:
    path = _filled(one.path)
    query = [{"key": name, "value": _filled(value)} for name, value in one.query.items()]
    raw = f"{{{{baseUrl}}}}{path}" + ("?" + "&".join(f"{q['key']}={q['value']}" for q in query) if query else "")
    url: Json = {"raw": raw, "host": ["{{baseUrl}}"], "path": path.strip("/").split("/"), "query": query}
    headers = {"Accept": _FHIR_JSON} | one.headers | ({"Content-Type": one.media} if one.media else {})
    lines = [f'pm.test("status", () => pm.expect(pm.response.code).to.be.oneOf({_statuses(one)}));']
    if variable := _finds(one):
        lines.append(f'pm.collectionVariables.set("{variable}", pm.response.json().entry[0].resource.id);')
    request: Json = {
        "method": one.method,
        "header": [{"key": name, "value": value} for name, value in headers.items()],
        "url": url,
    }
    if one.media:
        request["body"] = {"mode": "raw", "raw": _body(one), "options": {"raw": {"language": "json"}}}
    event = {"listen": "test", "script": {"type": "text/javascript", "exec": lines}}
    return {"name": one.summary, "event": [event], "request": request}


def _bru(one: Example, place: int) -> str:
    query = [(name, urlencode({"": value})[1:]) for name, value in one.query.items()]
    url = f"{{{{baseUrl}}}}{_filled(one.path)}" + ("?" + "&".join(f"{n}={v}" for n, v in query) if query else "")
    is_known = one.persona != "stranger"
    headers = {"Accept": _FHIR_JSON} | one.headers | ({"Content-Type": one.media} if one.media else {})
    blocks = [
        ("meta", [f"name: {one.summary}", "type: http", f"seq: {place}"]),
        (
            one.method.lower(),
            [
                f"url: {_filled(url)}",
                f"body: {'json' if one.media else 'none'}",
                f"auth: {'bearer' if is_known else 'none'}",
            ],
        ),
        ("params:query", [f"{name}: {_filled(value)}" for name, value in query]),
        ("headers", [f"{name}: {value}" for name, value in headers.items()]),
        ("auth:bearer", [f"token: {{{{{token_variable(one.persona)}}}}}"] if is_known else []),
        ("body:json", [_body(one)] if one.media else []),
        ("script:post-response", _bru_script(one)),
        ("tests", [f'test("status", () => expect({_statuses(one)}).to.include(res.getStatus()));']),
    ]
    return "\n".join(f"{name} {{\n{indent(chr(10).join(lines), '  ')}\n}}\n" for name, lines in blocks if lines)


def _bru_script(one: Example) -> list[str]:
    variable = _finds(one)
    return [f'bru.setVar("{variable}", res.getBody().entry[0].resource.id);'] if variable else []


def main() -> None:
    """Write the collections anew."""
    with tempfile.TemporaryDirectory() as folder, demonstration(Path(folder)) as (web, _):
        written = files(web.get("/api/openapi.json").get_json())
    shutil.rmtree(FOLDER / "bruno", ignore_errors=True)
    for name, text in written.items():
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
