"""Requirement 42 over a whole run: what a server printed, traced, answered and redirected to holds no secret.

A real server process of log level DEBUG is walked through every flow, the failing ones too; then everything that it
produced is searched for every secret that was in play: passwords, codes, tokens, assertions, proofs, cookies, handles.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

import pytest
import requests
from joserfc.jwk import ECKey

from fhir_server.adapters.system import SystemClock
from fhir_server.domain.search.criteria import Search
from fhir_server.oauth.resource.dpop import hash_of
from tests.engines import SqliteEngine
from tests.factories import all_of, runtime_on
from tests.live import Live, free_port, running
from tests.oauth.conftest import (
    ASSERTION,
    PASSWORD,
    SECRET,
    VERIFIER,
    Person,
    assertion,
    csrf_of,
    furnish,
    query_of,
    request_for,
)
from tests.oauth.steps import BREAK_GLASS, OFFLINE, TOTP, may_enrol, proof
from tests.oauth.steps import code_now as totp_now

pytestmark = pytest.mark.live
CLOCK = SystemClock()
CALLBACK = "https://app.example/cb"
INTROSPECTED = "token that nobody has issued"


@dataclass
class Run:
    """One server and everything that it said. secrets: name to value. answers: pages, bodies and addresses."""

    base: str
    log: Path
    engine: SqliteEngine
    secrets: dict[str, str] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)

    def keep(self, name: str, value: str) -> str:
        self.secrets[f"{name}-{len(self.secrets)}"] = value
        return value

    def post(self, path: str, headers: dict[str, str] | None = None, **form: str) -> requests.Response:
        return requests.post(f"{self.base}{path}", data=form, headers=headers, timeout=60)

    def failing(self, answer: requests.Response) -> None:
        """Keep what a refusal says: the body, and every header."""
        assert answer.status_code >= 400, answer.text
        self.answers.append(answer.text + str(dict(answer.headers)))

    def told(self) -> str:
        """Return all that was printed, traced, shown and redirected to."""
        traces = []
        with self.engine.ports.store.snapshot() as snapshot:
            for compartment in ("", "camille"):
                page = snapshot.find(Search("AuditEvent", limit=1000), all_of(compartment))
                traces += [row.body.decode() for row in page.rows]
        assert len(traces) > 20
        printed = self.log.read_text()
        assert printed.count("/oauth/token") > 5
        return "\n".join([printed, *traces, *self.answers])


class Human(Person):
    """Somebody in a browser: each page and each address that the browser is sent to is kept."""

    def __init__(self, run: Run, login: str = "camille", **choices: str) -> None:
        self.web, self.run, self.base = requests.Session(), run, run.base
        self.login, self.choices, self.pages, self.unticked = login, choices, [], set()

    def get(self, path: str, **query: str) -> requests.Response:
        return self._kept(self.web.get(f"{self.base}{path}", params=query, allow_redirects=False, timeout=60))

    def post(self, path: str, data: dict[str, object]) -> requests.Response:
        return self._kept(self.web.post(f"{self.base}{path}", data=data, allow_redirects=False, timeout=60))

    def _kept(self, answer: requests.Response) -> requests.Response:
        where = answer.headers.get("Location", "")
        sent = {name: values[0] for name, values in parse_qs(urlsplit(where).query).items()}
        if "code" in sent:  # the one place where a code belongs
            where = where.replace(self.run.keep("code", sent["code"]), "CODE")
        self.run.answers += [answer.text, unquote(where)]
        for name, value in answer.cookies.items():
            self.run.keep(name, value)
        return answer


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("run")
    engine = SqliteEngine(folder)
    base = f"http://127.0.0.1:{(port := free_port())}"
    furnish(engine.ports, base)
    settings = {"HABILIS_KEY_FILE": str(engine.key_file), "HABILIS_LOG_LEVEL": "DEBUG"}
    server = Live(folder / "data", port, settings)
    with running(server):
        yield Run(base, folder / f"server-{port}.log", engine)
    engine.close()


def person_and_app(run: Run) -> None:
    """Log in, consent, redeem, use, renew, replay, revoke."""
    person = Human(run)
    run.failing(
        person.post(
            "/login",
            {
                "csrf": csrf_of(person.get("/login").text),
                "login": "camille",
                "password": run.keep("wrong", "wrong horse battery"),
            },
        )
    )
    where = person.authorize(aud=f"{run.base}/fhir", scope=OFFLINE)
    form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "client_id": "app"}
    code = query_of(where)["code"]
    run.failing(run.post("/oauth/token", code=code, code_verifier=run.keep("guess", "w" * 43), **form))
    body = run.post("/oauth/token", code=code, code_verifier=VERIFIER, **form).json()
    for name in ("access_token", "refresh_token"):
        run.keep(name, body[name])
    bearer = {"Authorization": f"Bearer {body['access_token']}"}
    requests.get(f"{run.base}/oauth/userinfo", headers=bearer, timeout=60)
    for path in ("DocumentReference", "DocumentReference/none", "Nonsense", "Patient/camille"):
        found = requests.get(f"{run.base}/fhir/{path}", headers=bearer, timeout=60)
        run.answers.append(found.text + str(dict(found.headers)))
    run.failing(
        requests.get(
            f"{run.base}/fhir/DocumentReference",
            headers={"Authorization": f"Bearer {run.keep('bad', 'x' * 43)}"},
            timeout=60,
        )
    )
    renewed = run.post(
        "/oauth/token", grant_type="refresh_token", refresh_token=body["refresh_token"], client_id="app"
    ).json()
    for name in ("access_token", "refresh_token"):
        run.keep(name, renewed[name])
    run.failing(
        run.post("/oauth/token", grant_type="refresh_token", refresh_token=body["refresh_token"], client_id="app")
    )
    run.failing(run.post("/oauth/token", code=code, code_verifier=VERIFIER, **form))
    run.post("/oauth/revoke", token=renewed["access_token"], client_id="app")
    may_enrol(person, runtime_on(run.engine.ports, run.base))
    for path in ("/account/apps", "/account/second-factor"):
        page = person.get(path)
        if path.endswith("factor"):  # shown once, to the person who sets it up
            run.answers.remove(page.text)
            run.keep("totp", re.search(r"<code>([A-Z2-7]+)</code>", page.text)[1])


def software(run: Run) -> None:
    """Assertions that hold and that fail, a wrong secret, introspection, a launch."""
    for changes in ({}, {"exp": 0}, {"aud": "https://elsewhere.example"}):
        signed = run.keep("assertion", signed_by("ehr", run, **changes))
        answer = run.post(
            "/oauth/token",
            grant_type="client_credentials",
            client_assertion_type=ASSERTION,
            client_assertion=signed,
            scope="system/DocumentReference.rs",
        )
        if answer.status_code == 200:
            run.keep("access_token", answer.json()["access_token"])
        else:
            run.failing(answer)
    run.failing(
        requests.post(
            f"{run.base}/oauth/token",
            data={"grant_type": "refresh_token", "refresh_token": "x"},
            auth=("web", run.keep("secret", SECRET + "x")),
            timeout=60,
        )
    )
    run.failing(
        requests.post(
            f"{run.base}/oauth/token?client_secret={run.keep('in-url', 'hidden-in-the-url')}",
            data={"client_id": "post"},
            timeout=60,
        )
    )
    asking = {"client_assertion_type": ASSERTION, "client_assertion": run.keep("assertion", signed_by("rs", run))}
    run.post("/oauth/introspect", token=run.keep("introspected", INTROSPECTED), **asking)
    asking["client_assertion"] = run.keep("assertion", signed_by("ehr", run))
    handle = run.post("/oauth/launch", app="pro", login="luc", patient="camille", **asking).json()["launch"]
    emergency(run, handle)


def emergency(run: Run, handle: str) -> None:
    """Declare an emergency from a launch, with two factors."""
    code = run.keep("otp", totp_now(CLOCK))
    answers = {"code": code, "reason": "unconscious", "explanation": "found at home", "confirmed": "yes"}
    where = Human(run, "luc", **answers).authorize(
        client_id="pro", aud=f"{run.base}/fhir", scope=f"launch {BREAK_GLASS}", launch=handle
    )
    run.keep("launch", handle)
    form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "client_id": "pro", "code_verifier": VERIFIER}
    body = run.post("/oauth/token", code=query_of(where)["code"], **form).json()
    run.keep("access_token", body["access_token"])


def pushed_and_proven(run: Run) -> None:
    """A pushed request, tokens bound to a key, proofs that hold and that fail, pages of errors."""
    key = ECKey.generate_key("P-256")
    address = run.post("/oauth/par", **request_for(aud=f"{run.base}/fhir")).json()["request_uri"]
    person = Human(run)
    where = person.walk(person.get("/oauth/authorize", client_id="app", request_uri=address))
    shown = run.keep("proof", proof(CLOCK, key, url=f"{run.base}/oauth/token"))
    form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "client_id": "app", "code_verifier": VERIFIER}
    token = run.post("/oauth/token", {"DPoP": shown}, code=query_of(where)["code"], **form).json()["access_token"]
    run.keep("access_token", token)
    for url in (f"{run.base}/fhir/DocumentReference", "https://elsewhere.example"):
        shown = run.keep("proof", proof(CLOCK, key, "GET", url, ath=hash_of(token)))
        headers = {"Authorization": f"DPoP {token}", "DPoP": shown}
        found = requests.get(f"{run.base}/fhir/DocumentReference", headers=headers, timeout=60)
        run.answers.append(found.text + str(dict(found.headers)))
    for query in (
        {"client_id": run.keep("odd", "<script>-an-odd-client")}, {"client_id": "app", "request_uri": address},
        {"client_id": "app", "redirect_uri": "https://evil.example", "access_token": token},
    ):  # fmt: skip
        run.failing(person.get("/oauth/authorize", **query))
    run.failing(requests.get(f"{run.base}/fhir/DocumentReference?access_token={token}", timeout=60))
    run.failing(person.get("/oauth/interaction/none"))


def signed_by(client: str, run: Run, **changes: object) -> str:
    claims = {"iss": client, "sub": client, "aud": f"{run.base}/oauth/token", "jti": str(uuid4())}
    return assertion(CLOCK, **claims | changes)


def test_42_nothing_that_a_whole_run_produced_holds_a_secret(run):
    run.keep("password", PASSWORD)
    run.keep("verifier", VERIFIER)
    run.keep("key", TOTP)
    person_and_app(run)
    software(run)
    pushed_and_proven(run)
    told = run.told()
    kinds = {name.rpartition("-")[0] for name in run.secrets}
    assert {"code", "access_token", "refresh_token", "assertion", "proof", "launch", "otp", "secret"} <= kinds
    assert {name for name, value in run.secrets.items() if is_told(value, told)} == set()


def is_told(secret: str, told: str) -> bool:
    """Tell whether a text holds a secret; six digits count where they stand alone, for instants are full of digits."""
    if len(secret) > 6:
        return secret in told
    return re.search(rf"(?<![\w.]){secret}(?!\w)", told) is not None
