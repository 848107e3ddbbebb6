"""One record: sections of answers, each asked by somebody, and told in words that two runs share."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

from werkzeug.test import TestResponse

from tests.golden.frozen import CLOCK
from tests.golden.normal import Normal
from tests.golden.server import Server

Json = dict[str, Any]
FHIR_JSON = "application/fhir+json"
LEFT_OUT = frozenset({"Content-Length", "X-Request-Id", "Date"})
OFTEN_THE_SAME = (
    "Access-Control-",
    "Cache-Control",
    "Content-Type",
    "Referrer-Policy",
    "Vary",
    "X-Content-Type-Options",
)
OF_A_FILE = re.compile(r'"[0-9.]+-\d+-\d+"')
"""The ETag of a static file carries the instant at which it was written here."""
NOBODY, FORGED = "nobody", "forged"


class Record:
    """What was asked and answered. usual: the headers that most answers carry; an answer tells where it differs."""

    def __init__(self) -> None:
        self.normal = Normal({})
        self.usual: dict[str, str] = {}
        self.sections: dict[str, list[Json]] = {}
        self.section = ""

    def begin(self, section: str, names: str | None = None) -> None:
        """Go on in a section; what chance gives is named after it, or after `names`."""
        self.section, self.normal.section = section, section if names is None else names
        self.sections.setdefault(section, [])

    def add(self, asked: str, **told: Any) -> None:
        """Write down what was told to a question."""
        self.sections[self.section].append({"asked": self.normal.text(asked)} | told)

    def answer(self, asked: str, answer: TestResponse) -> None:
        """Write down the answer of a web client."""
        left_out = LEFT_OUT | (
            {"ETag", "Last-Modified"} if OF_A_FILE.fullmatch(answer.headers.get("ETag", "")) else set()
        )
        headers = [(n, self._header(n, value)) for n, value in answer.headers.items() if n not in left_out]
        self.usual = self.usual or {name: value for name, value in headers if name.startswith(OFTEN_THE_SAME)}
        told: Json = {"status": answer.status_code}
        differing = [f"{name}: {value}" for name, value in headers if self.usual.get(name) != value]
        differing += [f"{name} is missing" for name in self.usual if name not in answer.headers]
        if differing:
            told["headers"] = sorted(differing)
        body = answer.get_data()
        if answer.is_json and b"\n" in body.strip():
            told["lines"] = body.count(b"\n")
        self.add(asked, **told, body=self.normal.body(body, answer.mimetype))

    def _header(self, name: str, value: str) -> str:
        """Return a header; the methods of Allow come in any order."""
        return ", ".join(sorted(value.split(", "))) if name == "Allow" else self.normal.text(value)

    def told(self) -> Json:
        """Return the record as it is kept."""
        return {"usual": self.usual, "sections": self.sections}

    def save(self, path: Path) -> None:
        """Write the record; the same record gives the same bytes."""
        told = self.told()
        lines = ['{"usual":', _line(told["usual"]), ',"sections":{']
        for number, (name, answers) in enumerate(told["sections"].items()):
            lines += [f"{',' * bool(number)}{_line(name)}:[", ",\n".join(map(_line, answers)), "]"]
        data = "\n".join([*lines, "}}", ""]).encode()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(data, 6, mtime=0) if path.suffix == ".gz" else data)


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def load(path: Path) -> Json:
    """Read a record."""
    data = path.read_bytes()
    found: Json = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    return found


class Asking:
    """Somebody's questions to the server, written down with their answers."""

    def __init__(self, server: Server, record: Record) -> None:
        self.count = 0
        self.server, self.record, self.book = server, record, server.book
        self.web = server.app.test_client(use_cookies=False)
        self.tokens: dict[str, str] = {**self.book["tokens"], FORGED: "x" * 43}

    @property
    def everybody(self) -> tuple[str, ...]:
        """Who has a token in the demonstration, and two who have none that is good."""
        return (*self.book["tokens"], NOBODY, FORGED)

    @staticmethod
    def now() -> str:
        """Return the instant of the clock as FHIR writes it."""
        return CLOCK.at.isoformat(timespec="milliseconds")

    def later(self, **amount: float) -> None:
        """Let time pass."""
        CLOCK.advance(**amount)
        self.record.add(f"later: {amount}")

    def send(
        self, who: str, method: str, path: str, body: Any = None, mime: str = FHIR_JSON, note: str = "", **headers: str
    ) -> TestResponse:
        """Ask as somebody, one second after the question before; header names are written with underscores."""
        CLOCK.advance(seconds=1)
        self.count += 1
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        said = " ".join(f"[{name}: {value}]" for name, value in sent.items())
        sent.setdefault("X-Request-Id", f"question-{self.count}")  # by which an event can be found
        if who != NOBODY:
            sent.setdefault("Authorization", f"Bearer {self.tokens[who]}")
        data = body if isinstance(body, bytes | str | None) else json.dumps(body).encode()
        answer = self.web.open(
            path, method=method, data=data, content_type=mime if data is not None else None, headers=sent
        )
        self.record.answer(" ".join(part for part in (who, method, path, note, said) if part), answer)
        return answer

    def person(self) -> "Person":
        """Return a browser of its own."""
        return Person(self)

    def fhir(self, who: str, method: str, path: str, body: Any = None, **more: Any) -> TestResponse:
        """Ask below the FHIR endpoint."""
        return self.send(who, method, f"/fhir{path}", body, **more)

    def get(self, who: str, path: str, **headers: str) -> TestResponse:
        return self.fhir(who, "GET", path, **headers)

    def ids(self, who: str, path: str) -> list[str]:
        """Return the ids that a search shows, nothing when it is refused."""
        found = self.get(who, path)
        entries = found.get_json().get("entry", []) if found.status_code == 200 else []
        return [entry["resource"]["id"] for entry in entries if entry["resource"]["resourceType"] in path]

    def pages(self, who: str, path: str, most: int = 100) -> None:
        """Ask for a search and for every page that follows."""
        for _ in range(most):
            found = self.get(who, path).get_json()
            following = [link["url"] for link in found.get("link", ()) if link["relation"] == "next"]
            if not following:
                return
            path = following[0].partition("/fhir")[2]


class Person:
    """Somebody in a browser that keeps cookies, written down as the rest."""

    def __init__(self, asking: Asking) -> None:
        self.asking, self.web, self.page = asking, asking.server.app.test_client(), ""

    def open(self, method: str, path: str, note: str = "", **more: Any) -> TestResponse:
        CLOCK.advance(seconds=1)
        self.asking.count += 1
        headers = {"X-Request-Id": f"question-{self.asking.count}"} | more.pop("headers", {})
        answer = self.web.open(path, method=method, headers=headers, **more)
        self.asking.record.answer(f"a browser {method} {path} {note}".rstrip(), answer)
        self.page = answer.get_data(as_text=True) if answer.mimetype == "text/html" else self.page
        return answer

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.open("GET", path, **more)

    def send_form(self, path: str, note: str = "", **data: Any) -> TestResponse:
        """Send the form of the page that is shown, filled in."""
        shown = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', self.page))
        return self.open("POST", path, note, data=shown | data)

    def sign_in(self, login: str) -> TestResponse:
        self.get("/login")
        return self.send_form("/login", f"as {login}", login=login, password=self.asking.book["logins"][login])
