"""The way to a mail server, against real SMTP servers: what is handed over, and what each refusal means."""

from dataclasses import replace
from datetime import UTC, datetime
from threading import Thread
from time import monotonic, sleep

import pytest

from fhir_server.adapters.mail import PLACES, SmtpMailer
from fhir_server.ports.mail import AddressRefused, Letter, MailUnavailable
from fhir_server.settings.server import Settings, SettingsError
from tests.mail import SENDER, Post, cutting, serving
from tests.tls import certificate

CAMILLE = "camille@example.org"
LETTER = Letter(
    "abc123", CAMILLE, "Votre espace de santé : un nouvel avis", "Un avis vous attend.\n\nhttps://habilis.example/a\n",
    "fr", datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
)  # fmt: skip
GREETING, HELLO, OK, GO_AHEAD = b"220 here\r\n", b"250 here\r\n", b"250 OK\r\n", b"354 go ahead\r\n"


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def post():
    return Post()


def mailer(server, **more):
    return SmtpMailer(server, "habilis.example", **more)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_letter_arrives_over_an_encrypted_connection(post, pem, security):
    with serving(post, pem, security) as server:
        mailer(replace(server, name="Espace de santé « Éole »")).send(LETTER)
    [(recipient, message)] = post.taken
    assert post.encrypted == [True]
    assert recipient == CAMILLE
    assert message["From"] == f"Espace de santé « Éole » <{SENDER}>"
    assert message["To"] == CAMILLE
    assert message["Subject"] == LETTER.subject
    assert message["Message-ID"] == "<abc123@habilis.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"].datetime == LETTER.at
    assert message.get_content().replace("\r\n", "\n") == LETTER.text


def test_a_letter_has_these_headers_and_no_other(post):
    with serving(post, None, "none") as server:
        mailer(server).send(LETTER)
    [(_, message)] = post.taken
    assert set(message.keys()) - {"X-Peer", "X-MailFrom", "X-RcptTo"} == {
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Language", "Content-Type",
        "Content-Transfer-Encoding", "MIME-Version",
    }  # fmt: skip


def test_a_repeat_is_the_same_letter_to_the_byte(post):
    with serving(post, None, "none") as server:
        for _ in range(2):
            mailer(server).send(LETTER)
    first, second = (message.as_bytes() for _, message in post.taken)
    assert first == second


def test_a_server_that_wants_a_password_gets_it_over_an_encrypted_connection(post, pem):
    with serving(post, pem, password="s3cret") as server:
        mailer(server).send(LETTER)
        with pytest.raises(MailUnavailable, match="SMTPAuthenticationError 535"):
            mailer(replace(server, password="wrong")).send(LETTER)
    assert len(post.taken) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_nothing_is_handed_over_under_a_certificate_that_nobody_vouches_for(post, pem, security):
    with serving(post, pem, security) as server:
        with pytest.raises(MailUnavailable, match="SSLCertVerificationError"):
            mailer(replace(server, ca_file=None)).send(LETTER)
        with pytest.raises(MailUnavailable, match="SSLCertVerificationError"):
            mailer(replace(server, host="127.0.0.1")).send(LETTER)
    assert post.taken == []


def test_nothing_is_handed_over_in_the_clear_when_encryption_is_wanted(post):
    with serving(post, None, "none") as server, pytest.raises(MailUnavailable, match="SMTPNotSupportedError"):
        mailer(replace(server, security="starttls")).send(LETTER)
    assert post.taken == []


@pytest.mark.parametrize(
    "reply",
    ["550 5.1.1 no such user", "550 no such user", "553 not a name", "551 not local", "550 5.2.1 mailbox disabled",
     "550 5.1.10 null MX"],
)  # fmt: skip
def test_an_address_that_does_not_exist_is_told_apart(post, reply):
    post.replies["RCPT"] = reply
    with serving(post, None, "none") as server, pytest.raises(AddressRefused) as refused:
        mailer(server).send(LETTER)
    assert CAMILLE not in str(refused.value)


@pytest.mark.parametrize(
    ("step", "reply"),
    [
        ("RCPT", "450 4.2.1 try later"),
        ("RCPT", "452 4.2.2 mailbox full"),
        ("RCPT", "552 5.2.2 mailbox full"),
        ("RCPT", "554 5.7.1 relay access denied"),
        ("RCPT", "550 5.7.1 blocked by policy"),
        ("MAIL", "451 4.3.0 not now"),
        ("MAIL", "550 5.7.1 sender refused"),
        ("DATA", "451 4.7.1 greylisted"),
        ("DATA", "554 5.6.0 content refused"),
        ("RCPT", "421 4.3.2 going down"),
    ],
)
def test_any_other_refusal_may_be_repeated_and_blames_no_address(post, step, reply):
    post.replies[step] = reply
    with serving(post, None, "none") as server, pytest.raises(MailUnavailable) as refused:
        mailer(server).send(LETTER)
    assert CAMILLE not in str(refused.value)
    assert post.taken == []


SCRIPT = [GREETING, HELLO, OK, OK, GO_AHEAD]


@pytest.mark.parametrize("said", range(len(SCRIPT) + 1))
def test_a_connection_that_is_cut_at_any_step_may_be_repeated(said):
    with cutting(SCRIPT[:said]) as server, pytest.raises(MailUnavailable):
        mailer(server).send(LETTER)


@pytest.mark.parametrize("said", range(len(SCRIPT) + 1))
def test_a_server_that_hangs_at_any_step_is_left(said):
    with cutting(SCRIPT[:said], hangs=True) as server, pytest.raises(MailUnavailable):
        mailer(server, step_seconds=0.05).send(LETTER)


def test_the_whole_has_a_limit_too():
    with cutting(SCRIPT[:2], hangs=True) as server, pytest.raises(MailUnavailable):
        mailer(server, step_seconds=600, whole_seconds=0.05).send(LETTER)


def test_a_letter_that_was_accepted_is_no_failure_when_the_farewell_is_cut():
    with cutting([*SCRIPT, OK]) as server:
        mailer(server).send(LETTER)


def test_a_server_that_is_not_there_is_unavailable():
    with cutting([]) as server:
        gone = server
    with pytest.raises(MailUnavailable, match="ConnectionRefusedError"):
        mailer(gone).send(LETTER)


def test_a_server_that_hangs_holds_a_few_threads_only():
    with cutting(SCRIPT[:1], hangs=True) as server:
        slow = mailer(server, step_seconds=600, whole_seconds=600)
        waiting = [Thread(target=_left, args=(slow,), daemon=True) for _ in range(PLACES)]
        for thread in waiting:
            thread.start()
        until = monotonic() + 60
        while slow._places._value and monotonic() < until:
            sleep(0.005)
        with pytest.raises(MailUnavailable, match="busy"):
            slow.send(LETTER)
    for thread in waiting:
        thread.join(60)
        assert not thread.is_alive()


def _left(slow):
    with pytest.raises(MailUnavailable):
        slow.send(LETTER)


def test_a_letter_cannot_carry_a_header_of_its_own(post):
    with serving(post, None, "none") as server, pytest.raises(MailUnavailable):
        mailer(server).send(replace(LETTER, recipient="a@example.org\r\nBcc: b@example.org"))
    assert post.taken == []


MAIL = {"HABILIS_MAIL_HOST": "mail.example", "HABILIS_MAIL_FROM": SENDER}


@pytest.mark.parametrize(
    ("changes", "variable"),
    [
        ({"HABILIS_MAIL_FROM": ""}, "HABILIS_MAIL_FROM is required when HABILIS_MAIL_HOST is set"),
        ({"HABILIS_MAIL_FROM": "Mon espace <a@example.org>"}, "HABILIS_MAIL_FROM must be one mail address"),
        ({"HABILIS_MAIL_SECURITY": "none"}, "HABILIS_MAIL_SECURITY may be none only"),
        ({"HABILIS_MAIL_SECURITY": "ssl"}, "HABILIS_MAIL_SECURITY must be"),
        ({"HABILIS_MAIL_PORT": "0"}, "HABILIS_MAIL_PORT must be at least 1"),
        (
            {"HABILIS_MAIL_HOST": "localhost", "HABILIS_MAIL_SECURITY": "none", "HABILIS_MAIL_USER": "habilis"},
            "HABILIS_MAIL_USER needs a connection that is encrypted",
        ),
    ],
)
def test_an_unsafe_mail_server_stops_the_start(changes, variable):
    with pytest.raises(SettingsError, match=variable):
        Settings.from_environment(MAIL | changes)


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_port_is_the_usual_one_and_the_connection_encrypted_unless_the_operator_says_otherwise(security, port):
    host = "localhost" if security == "none" else "mail.example"
    found = Settings.from_environment(MAIL | {"HABILIS_MAIL_HOST": host, "HABILIS_MAIL_SECURITY": security}).mail
    assert (found.security, found.actual_port) == (security, port)
    assert Settings.from_environment(MAIL).mail.security == "starttls"
    assert Settings.from_environment({}).mail is None
