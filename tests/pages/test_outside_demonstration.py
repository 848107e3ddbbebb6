"""Outside the demonstration the pages hand out nothing."""

import pytest


@pytest.mark.parametrize("path", ["/", "/journal", "/journal?person=camille"])
def test_no_token_and_no_name_of_the_cast_is_shown(web, path):
    text = web.get(path).get_data(as_text=True)
    assert "Camille" not in text
    assert "Bearer" not in text
    assert "Démonstration" not in text


def test_a_left_over_demo_file_is_not_read(web, settings):
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    (settings.data_dir / "demo.json").write_text('{"people": [], "tour": [], "tokens": {"x": "secret-token"}}')
    assert "secret-token" not in web.get("/").get_data(as_text=True)


def test_the_file_with_the_tokens_is_never_served(web):
    for path in ("/demo.json", "/assets/demo.json", "/assets/../demo.json", "/static/demo.json"):
        assert web.get(path).status_code == 404


def test_pages_are_not_kept_by_any_cache(web):
    assert web.get("/").headers["Cache-Control"] == "no-store"
