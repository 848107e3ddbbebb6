"""No page of the server is left out of the walk that looks for faults (`tests/pages/test_walk.py`)."""

from tests.pages.walked import NOT_WALKED, VISITED

OF_PAGES = ("portal.", "pages.", "oauth_pages.", "status.", "Matrix.")


def shown(web) -> set[str]:
    """Return the endpoints that answer a GET of a browser."""
    rules = web.application.url_map.iter_rules()
    return {rule.endpoint for rule in rules if rule.endpoint.startswith(OF_PAGES) and "GET" in (rule.methods or ())}


def test_every_page_is_walked(web):
    walked = {one.endpoint(web.application) for one in VISITED}
    missing = shown(web) - walked - NOT_WALKED.keys()
    assert not missing, f"give each a row in a module of tests/pages/walked: {sorted(missing)}"


def test_what_is_not_walked_is_there_and_not_walked(web):
    walked = {one.endpoint(web.application) for one in VISITED}
    assert sorted(NOT_WALKED.keys() - shown(web)) == []
    assert sorted(NOT_WALKED.keys() & walked) == []
    assert all(NOT_WALKED.values())
