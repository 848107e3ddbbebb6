"""The texts of the OpenAPI document are for integrators, and say what the server does today."""

import re

import pytest

METHODS = {"get", "put", "post", "patch", "delete"}
FOR_PROGRAMMERS = re.compile(r"Raises:|Problem\(|id_:|noqa")


@pytest.fixture(scope="module")
def document(web):
    return web.get("/api/openapi.json").get_json()


def operations(document):
    return [item[method] for item in document["paths"].values() for method in METHODS & item.keys()]


def texts(value):
    if isinstance(value, dict):
        yield from (value[name] for name in ("summary", "description") if isinstance(value.get(name), str))
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from texts(one)


def test_no_text_is_a_note_for_programmers(document):
    assert [text for text in texts(document) if FOR_PROGRAMMERS.search(text)] == []


def test_no_article_stands_before_the_wrong_sound(document):
    assert [text for text in texts(document) if re.search(r"\ba [AEIO][a-z]", text)] == []


def test_a_conditional_creation_takes_any_criteria(document):
    headers = {
        header["description"]
        for operation in operations(document)
        for header in operation.get("parameters", [])
        if header.get("name") == "If-None-Exist"
    }
    assert headers == {"search parameters of what must not exist yet, written as in a URL, without chains"}
