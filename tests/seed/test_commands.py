"""`habilis clients` and `habilis users` beside the demonstration, as an operator types them."""

import io
import json
import os
import pty
import re
import subprocess
import sys
from base64 import urlsafe_b64encode

import pytest
from joserfc.jwk import ECKey

from fhir_server.app import build_runtime
from fhir_server.application.identity.accounts import authenticate, find_account
from fhir_server.cli import main
from fhir_server.domain.search.criteria import Search
from fhir_server.settings.server import Settings
from seed import book
from tests import commands
from tests.factories import all_of

PASSWORD = "sept chats dorment sur le toit"
ADD = ["clients", "add", "my-app", "--name", "My app", "--kind", "patient-app",
       "--scopes", "openid patient/DocumentReference.rs", "--redirect-uri", "https://app.example/cb"]  # fmt: skip
NOBODY = "11111111-2222-4333-8444-555555555555"


@pytest.fixture(autouse=True)
def _settings(monkeypatch, copied):
    for name in [name for name in os.environ if name.startswith("HABILIS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HABILIS_DATA_DIR", str(copied))
    monkeypatch.setenv("HABILIS_DEMO", "yes")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n" * 20))


@pytest.fixture
def demo(copied) -> book.Demonstration:
    return book.read(copied)


@pytest.fixture
def run(capsys):
    """Run a command beside the demonstration; return its status and what it printed."""
    return commands.runner(capsys)


@pytest.fixture
def opened():
    """Open the data that the commands have changed."""
    served = build_runtime(Settings.from_environment(os.environ))
    yield served
    served.ports.store.close()


def traced(runtime, compartment: str = "") -> list[tuple[str, str, str]]:
    """Return what the trail says of operations: name, who, and why."""
    with runtime.ports.store.snapshot() as snapshot:
        page = snapshot.find(Search("AuditEvent", limit=1000), all_of(compartment))
    events = [json.loads(row.body) for row in page.rows]
    return [
        (event["subtype"][-1]["code"], event["agent"][0]["who"]["display"], event.get("outcomeDesc", ""))
        for event in events
    ]


@pytest.mark.parametrize("command", ["clients", "users"])
def test_both_commands_take_the_data_of_the_demonstration(run, monkeypatch, command):
    monkeypatch.delenv("HABILIS_DEMO")
    assert run(command, "list", "--demo")[0] == 0


# --- clients ----------------------------------------------------------------------------------------------------------


def test_a_client_is_added_shown_edited_stopped_opened_again_and_rekeyed(run, opened):
    assert run(*ADD, "--secret", "--by", "eve")[0] == 0
    assert run(*ADD)[0] == 2, "the id is taken"
    status, shown = run("clients", "show", "my-app")
    assert status == 0
    assert json.loads(shown)["redirect_uris"] == ["https://app.example/cb"]
    assert "hash" not in shown
    assert run("clients", "edit", "my-app", "--name", "Mine", "--require-par", "--by", "eve")[0] == 0
    assert json.loads(run("clients", "show", "my-app")[1])["par_required"] is True
    assert run("clients", "edit", "my-app", "--no-require-par")[0] == 0
    for audited in ("disable", "enable", "rotate"):
        assert run("clients", audited, "my-app", "--by", "eve")[0] == 0
    assert '"disabled": false' in run("clients", "show", "my-app")[1]
    told = [item for item in traced(opened) if item[1] == "eve"]
    assert {name for name, _, _ in told} == {
        "register-client", "edit-client", "disable-client", "enable-client", "rekey-client",
    }  # fmt: skip
    assert ("edit-client", "eve", "changed: name, par_required") in told


def test_an_app_gets_an_address_for_calls(run):
    assert run(*ADD)[0] == 0
    status, printed = run("clients", "webhook", "my-app", "--url", "https://app.example/notices")
    assert status == 0
    assert re.search(r"secret, shown once: whsec_\S{44}", printed)
    shown = run("clients", "show", "my-app")[1]
    assert json.loads(shown)["webhook"] == {"url": "https://app.example/notices", "failures": 0, "stopped": False}
    assert "secret" not in shown
    assert run("clients", "webhook", "my-app", "--off")[0] == 0
    assert json.loads(run("clients", "show", "my-app")[1])["webhook"] is None
    for wrong in ((), ("--url", "http://app.example/"), ("--url", "https://app.example/", "--off")):
        assert run("clients", "webhook", "my-app", *wrong)[0] == 2


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_client_with_a_secret_says_how_it_sends_it(run, method):
    status, printed = run(*ADD, "--auth-method", method)
    assert status == 0
    assert method in printed
    assert re.search(r"secret, shown once: \S{43}", printed)


BAD = {
    "a script as redirect": (["--redirect-uri", "javascript:alert(1)"], "--redirect-uri"),
    "a redirect with a fragment": (["--redirect-uri", "https://app.example/cb#x"], "--redirect-uri"),
    "a redirect that changes a policy": (["--redirect-uri", "https://x;sandbox/cb"], "--redirect-uri"),
    "a malformed scope": (["--scopes", "patient/DocumentReference"], "--scopes"),
    "no scope": (["--scopes", " "], "--scopes"),
    "an origin with a path": (["--origin", "https://app.example/x"], "--origin"),
    "an unknown organization": (["--organization", NOBODY], "--organization"),
    "an empty name": (["--name", " "], "--name"),
    "keys by http": (["--jwks-uri", "http://app.example/keys"], "--jwks-uri"),
    "a method without its keys": (["--auth-method", "private_key_jwt"], "--jwks"),
    "a secret beside keys": (["--jwks-uri", "https://app.example/keys", "--secret"], "--secret"),
    "software without keys": (["--kind", "backend"], "--jwks"),
    "a file that is not there": (["--jwks", "nowhere.json"], "--jwks"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_in_a_registration_is_told_in_one_line_that_names_the_argument(run, case):
    arguments, named = BAD[case]
    status, printed = run(*ADD, *arguments)
    assert status == 2
    assert re.fullmatch(rf"habilis: {named}: [^\n]+\n", printed)


KEY_FILES = {
    "no JSON": "{",
    "a number": "5",
    "an empty object": "{}",
    "no keys": '{"keys": []}',
    "keys that are none": '{"keys": [5]}',
    "junk": '{"keys": [{"kty": "EC", "crv": "P-384", "x": "eA", "y": "eQ", "kid": "k"}]}',
    "a private key": json.dumps({"keys": [ECKey.generate_key("P-384", {"kid": "k"}).as_dict(private=True)]}),
    "nested": json.dumps({"keys": [{"kty": "RSA", "n": {"a": {}}, "kid": "k"}]}),
}


@pytest.mark.parametrize("case", [*KEY_FILES, "1024 bits"])
def test_a_file_of_keys_that_cannot_be_used_is_told_in_one_line(run, tmp_path, case):
    file = tmp_path / "keys.json"
    file.write_text(KEY_FILES.get(case, "") or short_key())
    status, printed = run(*ADD, "--jwks", str(file))
    assert status == 2
    assert re.fullmatch(r"habilis: --jwks: [^\n]+\n", printed)


def short_key() -> str:
    """Return a key whose modulus has 1,024 bits."""
    modulus = urlsafe_b64encode(((1 << 1023) + 1).to_bytes(128)).decode().rstrip("=")
    return json.dumps({"keys": [{"kty": "RSA", "kid": "k", "e": "AQAB", "n": modulus}]})


@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
def test_keys_that_are_made_are_taken_and_never_overwritten(run, tmp_path, capsys, algorithm):
    private, public = tmp_path / "private.json", tmp_path / "public.json"
    make = ["clients", "make-keys", str(private), str(public), "--algorithm", algorithm]
    assert main(make) == 0
    assert private.stat().st_mode & 0o077 == 0
    assert "d" not in json.loads(public.read_text())["keys"][0]
    assert main(make) == 2
    capsys.readouterr()
    software = ["clients", "add", "my-ehr", "--name", "EHR", "--kind", "backend", "--scopes", "system/List.crs"]
    assert run(*software, "--jwks", str(public))[0] == 0
    assert run("clients", "rotate", "my-ehr", "--jwks", str(public))[0] == 0
    assert run("clients", "rotate", "my-ehr")[0] == 2


# --- users ------------------------------------------------------------------------------------------------------------


def person(demo: book.Demonstration) -> list[str]:
    return ["users", "add", "dr-b", "--display", "Dr B", "--practitioner", demo.professionals["martin"],
            "--role", demo.roles["martin"]]  # fmt: skip


def test_a_professional_is_what_the_directory_says(run, demo, opened):
    assert run(*person(demo))[0] == 0
    (practice,) = find_account(opened, "dr-b").practices
    (known,) = find_account(opened, "martin").practices
    assert (practice.role, practice.organization, practice.profession) == (
        known.role, known.organization, known.profession,
    )  # fmt: skip
    assert "practises as 10" in run("users", "show", "dr-b")[1]


def test_a_guardian_gets_an_account_that_acts_for_the_child(run, demo, opened):
    both, related = next((key, id_) for key, id_ in demo.guardians.items())
    child = both.partition("/")[2]
    assert run("users", "add", "tutrice", "--display", "Tutrice", "--acts-for", related)[0] == 0
    account = find_account(opened, "tutrice")
    assert (account.person, account.kind.value) == (f"RelatedPerson/{related}", "related")
    assert account.represented_patient(demo.patients[child]).person == f"RelatedPerson/{related}"
    own = ["users", "add", "parent", "--display", "Parent", "--patient", demo.patients["camille"]]
    assert run(*own, "--acts-for", related)[0] == 0
    assert len(find_account(opened, "parent").patients) == 2


def users_cases(demo: book.Demonstration) -> dict[str, tuple[list[str], str]]:
    other = demo.professionals["paul"]
    known = ["--practitioner", other]
    return {
        "nobody": ([], "--patient"),
        "both": (["--patient", demo.patients["camille"], "--practitioner", other], "--patient"),
        "an unknown patient": (["--patient", NOBODY], "--patient"),
        "an unknown practitioner": (["--practitioner", NOBODY, "--profession", "10"], "--practitioner"),
        "an unknown role": (["--practitioner", other, "--role", NOBODY], "--role"),
        "the role of somebody else": (["--practitioner", other, "--role", demo.roles["martin"]], "--role"),
        "no profession": (["--practitioner", other], "--role"),
        "an unknown profession": (["--practitioner", other, "--profession", "999"], "--profession"),
        "another profession": ([*known, "--role", demo.roles["paul"], "--profession", "10"], "--profession"),
        "an unknown place": ([*known, "--profession", "10", "--organization", NOBODY], "--organization"),
        "an unknown relative": (["--acts-for", NOBODY], "--acts-for"),
        "a patient who audits": (["--patient", demo.patients["camille"], "--auditor"], "--patient"),
    }  # fmt: skip


NAMES = {
    "an empty login": (["", "--display", "X"], "LOGIN"),
    "a login with a blank": (["dr x", "--display", "X"], "LOGIN"),
    "a login that nobody sees": (["x\u200b", "--display", "X"], "LOGIN"),
    "a long login": (["x" * 129, "--display", "X"], "LOGIN"),
    "a name of blanks": (["x", "--display", " "], "--display"),
    "a name that turns the page": (["x", "--display", "X\u202ey"], "--display"),
    "a number that is none": (["x", "--display", "X", "--national-id", "8 99"], "--national-id"),
}


@pytest.mark.parametrize("case", NAMES)
def test_a_name_that_nobody_could_read_is_refused(run, demo, case):
    arguments, named = NAMES[case]
    status, printed = run("users", "add", *arguments, "--patient", demo.patients["camille"])
    assert status == 2
    assert re.fullmatch(rf"habilis: {named}: [^\n]+\n", printed)


def test_a_national_number_is_of_one_account(run, demo):
    assert run(*person(demo), "--national-id", "899700009999")[0] == 0
    other = [word.replace("dr-b", "dr-c") for word in person(demo)]
    assert "--national-id: another account" in run(*other, "--national-id", "899700009999")[1]


def test_what_is_wrong_about_a_person_is_told_in_one_line_that_names_the_argument(run, demo):
    for case, (arguments, named) in users_cases(demo).items():
        status, printed = run("users", "add", "x", "--display", "X", *arguments)
        assert status == 2, case
        assert re.fullmatch(rf"habilis: {named}: [^\n]+\n", printed), case


def at_terminal(answers: list[tuple[bytes, str]], *words: str) -> tuple[int, str]:
    """Run a command at a terminal; return its status and what the terminal showed.

    answers: what is typed after the end of each question. Whatever is typed before a question is shown would be lost.
    """
    ours, its = pty.openpty()
    code = "import sys; from fhir_server.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, *words]
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, start_new_session=True) as process:
        os.close(its)
        shown, heard, waiting = b"", b"", list(answers)
        while part := _next_of(ours):
            shown, heard = shown + part, heard + part
            if waiting and heard.endswith(waiting[0][0]):
                os.write(ours, f"{waiting.pop(0)[1]}\n".encode())
                heard = b""
    os.close(ours)
    return process.returncode, shown.decode()


def _next_of(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the command has ended
        return b""


def test_a_password_is_asked_for_twice_at_a_terminal_and_never_shown(opened):
    first, again = b"identity provider): ", b"the same password again: "
    answers = [(first, PASSWORD), (again, "a slip"), (first, PASSWORD), (again, PASSWORD)]
    status, shown = at_terminal(answers, "users", "set-password", "martin")
    assert status == 0, shown
    assert authenticate(opened, "martin", PASSWORD)
    assert "do not match" in shown
    assert PASSWORD not in shown
    assert "a slip" not in shown


@pytest.mark.parametrize("password", ["a", "motdepasse12345", "Dr B Dr B Dr B Dr B"])
def test_a_weak_password_is_refused(run, demo, monkeypatch, password):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
    status, printed = run(*person(demo))
    assert status == 2
    assert printed.startswith("habilis: password: ")
    assert "\n" not in printed.strip()


def test_passwords_are_set_accounts_stopped_and_opened_again_and_each_act_is_traced(run, demo, opened):
    assert run("users", "set-password", "martin", "--by", "eve")[0] == 0
    assert authenticate(opened, "martin", PASSWORD)
    assert run("users", "disable", "martin", "--by", "eve")[0] == 0
    assert authenticate(opened, "martin", PASSWORD) is None
    assert run("users", "enable", "martin", "--by", "eve")[0] == 0
    assert authenticate(opened, "martin", PASSWORD)
    for audited in ("enrol", "reset-factors"):
        status, printed = run("users", audited, "martin", "--by", "eve")
        assert status == 0
        assert re.search(r": ([A-Z2-9]{4}-){4}[A-Z2-9]{4}$", printed.strip())
    assert run("users", "edit", "martin", "--display", "Dr Martin Senior", "--by", "eve")[0] == 0
    names = {name for name, who, _ in traced(opened) if who == "eve"}
    assert names == {
        "set-password", "disable-user", "enable-user", "issue-enrolment-code", "reset-factors", "edit-user",
    }  # fmt: skip
    assert run("users", "invite", "camille", "--by", "eve")[0] == 0
    assert ("invite-user", "eve", "") in traced(opened, demo.patients["camille"])


@pytest.mark.parametrize(
    "audited", ["show", "edit", "set-password", "enrol", "reset-factors", "invite", "disable", "enable"]
)
def test_an_unknown_user_is_named(run, audited):
    status, printed = run("users", audited, "nobody")
    assert status == 2
    assert "there is no user nobody" in printed


@pytest.mark.parametrize("audited", ["show", "edit", "disable", "enable", "rotate"])
def test_an_unknown_client_is_named(run, audited):
    status, printed = run("clients", audited, "nobody")
    assert status == 2
    assert "there is no client nobody" in printed


def test_signing_keys_are_rotated_and_those_of_yesterday_still_verify(run, opened):
    from fhir_server.oauth.base import keys  # noqa: PLC0415

    before = keys.signing_key(opened).kid
    assert run("keys", "rotate-signing", "--by", "eve")[0] == 0
    published = [key["kid"] for key in keys.public_keys(opened)["keys"]]
    assert keys.signing_key(opened).kid != before
    assert published == [keys.signing_key(opened).kid, before]
    assert keys.OVERLAP.days >= 1
    assert ("rotate-signing", "eve", "") in traced(opened)
