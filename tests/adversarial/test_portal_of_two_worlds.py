"""Every page of the portal, in two worlds that differ only in what its reader may not see: equal, byte for byte.

Each page and each form is asked for each way of hiding and each reader; names and ids are replaced first. The addresses
stand in `pages_asked`; a page of the portal that is missing there fails the first test.
Source: docs/portal.md (Tests of a page).
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest

from consent_rules.decision import document_filters
from consent_rules.vocabulary import DirectiveKind, Mark, RequesterKind
from fhir_server.application.core.system_views import ReadingReason, whole_space
from fhir_server.application.identity import access_tokens
from fhir_server.application.reading import read, search
from fhir_server.domain.consents.elements import DIRECTIVE
from fhir_server.http.pages.frame.roles import Role
from tests.adversarial.pages_asked import FORMS, NO_SPACE, PAGES, Asked
from tests.adversarial.pages_asked.professional import EMERGENCY
from tests.adversarial.test_two_worlds import on_mongodb
from tests.adversarial.two_worlds import KINDS, Kind, Side, alike, sides
from tests.http.spaces import UNKNOWN
from tests.pages.professionals import proven_again
from tests.pages.visitors import SITE, Visitor, a_professional, an_account

__all__ = ["on_mongodb"]
_RANDOM = re.compile(r'name="csrf" value="[^"]+"|<code>[A-Z0-9]{4}(?:-[A-Z0-9]{4}){2}</code>')
"""Tokens of forms, and codes that somebody is given."""
_LIST = re.compile(r'(<ul class="documents(?:-list)?">)(.*?)(</ul>)', re.DOTALL)
_HEADERS = ("Content-Type", "Content-Security-Policy", "Content-Length", "Location")
_END = "2026-12-31"


@dataclass(frozen=True)
class Way:
    """A way of hiding something from a reader. kind: of the secret, which the first of its blind reads about.

    prepare: what else happens in both worlds, and the rest of the secret where it is.
    """

    kind: Kind
    role: Role = Role.PATIENT
    prepare: Callable[[Side], None] = lambda _side: None

    @property
    def reader(self) -> str:
        return self.kind.blind[0]


def _carer(side: Side, *documents: str) -> None:
    """Let Camille name Carla as her carer. documents: names of those that she may see, all when there are none."""
    holder = {"reference": f"Patient/{side.ids['camille']}"}
    related = side.record("carla", {"resourceType": "RelatedPerson", "patient": holder})
    named = side.consent("nour") | {"policyRule": {"coding": [{"system": DIRECTIVE, "code": DirectiveKind.CARER}]}}
    actor = named["provision"]["actor"][0] | {"reference": {"reference": f"RelatedPerson/{related}"}}
    named["provision"] = {"type": "permit", "actor": [actor], "period": {"end": _END}}
    if documents:
        named["provision"]["data"] = [_instance(side, name) for name in documents]
    assert side.send("camille", "POST", "/Consent", named).status_code == 201


def _limits_marc(side: Side) -> None:
    """Let Ines keep a document from Marc by her own choice, and the secret too where it is (B2)."""
    side.runtime = replace(side.runtime, profile=replace(side.runtime.profile, minor_limits_representatives=True))
    own = {"reference": f"Patient/{side.ids['ines']}"}
    for name in ("other", "secret") if side.has_secret else ("other",):
        kept = side.consent("nour", "deny") | {"patient": own, "performer": [own]}
        actor = kept["provision"]["actor"][0] | {"reference": {"reference": f"RelatedPerson/{side.ids['marc']}"}}
        kept["provision"] = {"type": "deny", "actor": [actor], "data": [_instance(side, name)]}
        assert side.send("ines", "POST", "/Consent", kept).status_code == 201


def _instance(side: Side, name: str) -> dict[str, object]:
    return {"meaning": "instance", "reference": {"reference": f"DocumentReference/{side.ids[name]}"}}


def _of_software(name: str, space: str, mark: str, knowing: tuple[str, ...], reader: str) -> Kind:
    return Kind(name, space, mark, "chu-ehr", knowing, (reader,))


_WAITING = next(kind for kind in KINDS if kind.mark == "INVISIBLE_PATIENT")
_OF_MINORS = [kind for kind in KINDS if kind.blind == ("marc",)]
OF_PATIENTS = (Way(_WAITING),)
OF_GUARDIANS = (
    *(Way(kind) for kind in _OF_MINORS),
    Way(
        _of_software("what a minor withholds from a parent", "ines", "MASQUE_PS", ("ines", "nour"), "marc"),
        prepare=_limits_marc,
    ),
)
OF_CARERS = (
    Way(_of_software("hidden from carers", "camille", "MASQUE_PT", ("camille", "dora"), "carla"), prepare=_carer),
    Way(
        _of_software("beyond what a carer may see", "camille", "MASQUE_PS", ("camille", "dora"), "carla"),
        prepare=lambda side: _carer(side, "plain", "other"),
    ),
    Way(replace(_WAITING, name="a result that waits, and a carer", blind=("carla",)), prepare=_carer),
)
OF_PROFESSIONALS = tuple(
    Way(replace(kind, name=f"{kind.name}, from {who}", blind=(who,)), Role.PROFESSIONAL)
    for kind in KINDS
    for who in kind.blind
    if who in ("dora", "martin", "blocked")
)
WAYS = (*OF_PATIENTS, *OF_GUARDIANS, *OF_CARERS, *OF_PROFESSIONALS)
"""Every way of hiding, from every reader."""


@dataclass
class Reader(Visitor):
    """Somebody on the pages of one of the two worlds."""

    token: str = field(init=False, default="")

    def __post_init__(self) -> None:
        """Sign in there."""
        self.world.here()
        super().__post_init__()
        self.begin()

    def begin(self) -> None:
        """Take the token of forms from the first page of the present session."""
        start = self.web.get("/account/start", base_url=SITE, follow_redirects=True)
        self.token = re.search(r'name="csrf" value="([^"]+)"', start.text)[1]

    def told(self, asked: Asked) -> str:
        """Return a page, or the answer to a form, without ids, instants and the token of forms."""
        side = self.world
        side.here()
        address, sent = self._filled(asked.address), {k: self._filled(v) for k, v in (asked.sent or {}).items()}
        if asked.sent is None:
            answer = self.get(f"/{address}")
        else:
            answer = self.web.post(address, data={"csrf": self.token} | sent, base_url=SITE)
        headers = (answer.headers.get(name, "") for name in _HEADERS)
        body = alike(side, _RANDOM.sub("random", "\n".join([str(answer.status_code), *headers, answer.text])))
        return _LIST.sub(_in_order, body)

    def _filled(self, text: str) -> str:
        side = self.world
        ids = {"unknown-content": side.ids["unknown"], "space": side.ids[side.space], **side.ids}
        return text.replace("%s", "secret" if side.has_secret else "unknown").format(**ids)


def _in_order(found: re.Match[str]) -> str:
    """Order the documents of a list: those of one date come in the order of their random ids."""
    return found[1] + "<li>".join(sorted(found[2].split("<li>"))) + found[3]


def reader(side: Side, who: str, role: Role = Role.PATIENT) -> Reader:
    side.here()
    if role is Role.PATIENT:
        kind = RequesterKind.PATIENT if who == side.space else RequesterKind.RELATED
        an_account(side, who, side.space, kind=kind)
        return Reader(side, who, side.ids[side.space])
    token = access_tokens.find_access(side.runtime, side.tokens[who])
    side.ids["place"] = token.grant.requester.organization.partition("/")[2]
    a_professional(side, who, "place")
    side.ids["situation"] = side.ids[f"{who}@place"]
    found = proven_again(Reader(side, who, side.ids[side.space]))
    found.begin()
    assert found.told(EMERGENCY)[:3] == ("422" if who == "blocked" else "303")
    return found


@contextmanager
def worlds(tmp_path, way: Way, ports=None) -> Iterator[tuple[Side, Side]]:
    with sides(tmp_path, way.kind, ports) as pair:
        for side in pair:
            way.prepare(side)
        yield pair


def differing(pair: tuple[Side, Side], way: Way, wanted: Iterable[Asked], who: str = "") -> list[str]:
    """Return what is answered differently in the two worlds. who: the reader, that of the way unless it is said."""
    first, second = (reader(side, who or way.reader, way.role) for side in pair)
    return [f"{one.method} {one.address}" for one in wanted if first.told(one) != second.told(one)]


def asked_of(way: Way, *addresses: str) -> list[Asked]:
    """Return what a reader asks: all pages of the role, its forms, and the lists again. addresses: only these pages."""
    pages = [one for one in PAGES if one.role is way.role and (not addresses or one.address.endswith(addresses))]
    if addresses:
        return pages
    again = [one for one in pages if "{plain}" not in one.address and "%s" not in one.address]
    return [*pages, *(one for one in FORMS if one.role is way.role), *again]


def unasked(app, asked: Iterable[Asked]) -> set[str]:
    """Return the pages and forms of the portal that are not among those asked, each as its method and endpoint."""
    to = app.url_map.bind("localhost")
    known = {
        (one.method, to.match(re.sub(r"\{.*?\}", UNKNOWN, one.address.partition("?")[0]), one.method)[0])
        for one in asked
    }
    served = {
        (method, rule.endpoint)
        for rule in app.url_map.iter_rules()
        for method in ("GET", "POST")
        if rule.endpoint.startswith("portal.") and method in (rule.methods or ()) and rule.endpoint not in NO_SPACE
    }
    return {" ".join(one) for one in served - known}


def test_every_page_and_form_of_the_portal_is_asked_in_two_worlds(world):
    missing = unasked(world.web.application, (*PAGES, *FORMS))
    assert not missing, (
        f"asked in no two worlds: {sorted(missing)}. Add their addresses to the module of their room in "
        "tests/adversarial/pages_asked (its __init__ says how), or to NO_SPACE there."
    )


def test_a_page_that_nobody_asks_for_is_found(world):
    assert unasked(world.web.application, [one for one in PAGES if not one.address.endswith("/people")]) >= {
        "GET portal.people",
        "POST portal.hide",
    }


def test_every_page_of_every_role_has_a_reader():
    assert {one.role for one in (*PAGES, *FORMS)} <= {way.role for way in WAYS}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.kind.name)
def test_no_page_depends_on_what_its_reader_may_not_see(tmp_path, way):
    with worlds(tmp_path, way) as pair:
        assert differing(pair, way, asked_of(way)) == []


@pytest.mark.mongo
def test_on_mongodb_too_no_page_depends_on_a_secret(tmp_path, request):
    way = OF_GUARDIANS[0]
    with worlds(tmp_path, way, request.getfixturevalue("on_mongodb")) as pair:
        assert differing(pair, way, asked_of(way)) == []


def test_who_may_know_the_secret_sees_it(tmp_path):
    way = OF_GUARDIANS[0]
    with worlds(tmp_path, way) as pair:
        assert differing(pair, way, asked_of(way, "/documents"), "ines") == ["GET /account/spaces/{space}/documents"]


@pytest.mark.parametrize(
    ("module", "page"), [(search, "/documents"), (read, "/documents/{%s}"), (read, "/contents/{%s-content}")]
)
def test_the_leak_of_a_page_that_is_read_without_the_filter_is_found(tmp_path, monkeypatch, module, page):
    """The fault is planted: the query of the page is asked without the caller's filter."""
    monkeypatch.setattr(module, *_planted(module))
    way = OF_GUARDIANS[0]
    with worlds(tmp_path, way) as pair:
        assert len(differing(pair, way, asked_of(way, page))) == 1


@pytest.mark.parametrize(
    ("module", "page"),
    [
        (search, "/patients/{space}/documents"),
        (read, "/patients/{space}/documents/{%s}"),
        (read, "/emergencies/{space}/contents/{%s-content}"),
    ],
)
def test_the_leak_of_a_page_of_a_professional_is_found(tmp_path, monkeypatch, module, page):
    """The fault is planted: as above."""
    monkeypatch.setattr(module, *_planted(module))
    way = OF_PROFESSIONALS[-2]
    with worlds(tmp_path, way) as pair:
        assert len(differing(pair, way, asked_of(way, page))) == 1


def test_the_leak_of_what_is_hidden_from_carers_is_found(tmp_path, monkeypatch):
    """The fault is planted: no mark keeps a document from carers."""
    monkeypatch.setattr(document_filters, "_CLOSED_TO_CARERS", Mark.NONE)
    with worlds(tmp_path, OF_CARERS[0]) as pair:
        assert len(differing(pair, OF_CARERS[0], asked_of(OF_CARERS[0], "/documents"))) == 1


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
