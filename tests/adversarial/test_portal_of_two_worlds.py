"""Pages of two worlds that differ in one secret are equal, byte for byte after ids, for who must not know of it."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from consent_rules.vocabulary import RequesterKind
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.reading import read, search
from tests.adversarial.test_two_worlds import on_mongodb
from tests.adversarial.two_worlds import KINDS, Side, alike, sides
from tests.pages.visitors import Visitor, an_account

__all__ = ["on_mongodb"]
_CSRF = re.compile(r'name="csrf" value="[^"]+"')
_HEADERS = ("Content-Type", "Content-Security-Policy", "Content-Length")
AT_PATIENTS_SIDE = [kind for kind in KINDS if kind.blind[0] in ("marc", "camille")]
PAGES = (
    "/documents",
    "/documents?class=10&hidden=1&from=2020-01-01&words=cr",
    "/documents/{plain}",
    "/people",
    "/documents/{plain}/audience",
    "/documents/{%s}/audience",
    "/documents/{%s}",
    "/contents/{content}",
    "/contents/{%s-content}",
    "/contents/{%s-content}/file",
)
FORMS = ("/documents/{%s}/hide", "/documents/{%s}/show")
"""Addresses of pages, and those to which forms are sent.

%s: the secret where it is, and an unknown id where it is not.
"""


@dataclass
class Reader(Visitor):
    """Somebody on the pages of one of the two worlds."""

    def __post_init__(self) -> None:
        """Sign in there."""
        self.world.here()
        super().__post_init__()

    def told(self, path: str) -> str:
        """Return a page, or the answer to a form, without ids, instants and the token of forms."""
        side = self.world
        side.here()
        named = "secret" if side.has_secret else "unknown"
        ids = {"unknown-content": side.ids["unknown"], **side.ids}
        address = (path.replace("%s", named)).format(**ids)
        answer = self.send(address) if path in FORMS else self.get(address)
        body = _in_order(alike(side, _CSRF.sub("csrf", answer.text)))
        return "\n".join([str(answer.status_code), *(answer.headers.get(name, "") for name in _HEADERS), body])


def _in_order(page: str) -> str:
    """Order the documents of a list: those of one date come in the order of their random ids."""
    start, found, rest = page.partition('<ul class="documents-list">')
    items, end, last = rest.partition("</ul>")
    return start + found + "<li>".join(sorted(items.split("<li>"))) + end + last


def reader(side: Side, who: str) -> Reader:
    kind = RequesterKind.PATIENT if who == side.space else RequesterKind.RELATED
    side.here()
    an_account(side, who, side.space, kind=kind)
    return Reader(side, who, side.ids[side.space])


def differing(pair: tuple[Side, Side], who: str, pages: tuple[str, ...]) -> list[str]:
    first, second = (reader(side, who) for side in pair)
    return [path for path in pages if first.told(path) != second.told(path)]


@pytest.mark.parametrize("kind", AT_PATIENTS_SIDE, ids=lambda kind: kind.name)
def test_no_page_depends_on_a_secret(tmp_path, kind):
    with sides(tmp_path, kind) as pair:
        assert differing(pair, kind.blind[0], PAGES + FORMS + PAGES[:1]) == []


@pytest.mark.mongo
def test_on_mongodb_too_no_page_depends_on_a_secret(tmp_path, request):
    kind = AT_PATIENTS_SIDE[0]
    with sides(tmp_path, kind, request.getfixturevalue("on_mongodb")) as pair:
        assert differing(pair, kind.blind[0], PAGES + FORMS + PAGES[:1]) == []


def test_who_may_know_the_secret_sees_it(tmp_path):
    kind = AT_PATIENTS_SIDE[0]
    with sides(tmp_path, kind) as pair:
        assert "/documents" in differing(pair, "ines", PAGES)


@pytest.mark.parametrize(
    ("module", "page"), [(search, "/documents"), (read, "/documents/{%s}"), (read, "/contents/{%s-content}")]
)
def test_the_leak_of_a_page_that_is_read_without_the_filter_is_found(tmp_path, monkeypatch, module, page):
    """The fault is planted: the query of the page is asked without the caller's filter."""
    monkeypatch.setattr(module, *_planted(module))
    with sides(tmp_path, AT_PATIENTS_SIDE[0]) as pair:
        assert page in differing(pair, "marc", PAGES)


def _planted(module: object) -> tuple[str, Callable[..., object]]:
    if module is search:
        original = search._page
        return "_page", lambda access, wanted, _filters: original(access, wanted, _everything(access))
    return "enter_by_id", lambda access, row: _everything(_entered(access, row))


_entered_before = read.enter_by_id


def _entered(access, row):
    _entered_before(access, row)
    return access


def _everything(access):
    return whole_space(ReadingReason.REGISTERED, access.entered.patient)
