"""Mails about notices: who gets one, when, and that nothing in them depends on what the notice is about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from structlog.testing import capture_logs

from consent_rules.model import Requester
from consent_rules.vocabulary import DirectiveKind, Mark, Purpose, RequesterKind
from fhir_server import telemetry
from fhir_server.adapters import opening
from fhir_server.adapters.mail import SmtpMailer
from fhir_server.application.core import access_notices, audit_log
from fhir_server.application.identity import accounts, credentials
from fhir_server.application.identity.accounts import Account, PractitionerRoleRef, RepresentedPatient, add_account
from fhir_server.application.identity.credentials import Act
from fhir_server.application.notices import choices, delivery
from fhir_server.application.notices.choices import Timing
from fhir_server.application.spaces import break_glass
from fhir_server.domain import record_codec
from fhir_server.domain.caller import Caller
from fhir_server.domain.events.rules import NoticeKind
from fhir_server.domain.notices import Named, Notice
from fhir_server.ports.store import Change, SpaceWrite, Write
from tests.factories import a_caller, a_document, a_trace, creating, following, marked, runtime_on
from tests.mail import Post, serving, work
from tests.oauth.conftest import FixedClock
from tests.rules.builders import TEEN, directive, space

CAMILLE, MARC, MARTIN = "camille@example.org", "marc@example.org", "martin@example.org"
HOLDER, PARENT, PHYSICIAN = "Patient/camille", "RelatedPerson/marc-camille", "Practitioner/martin"
BOTH = (HOLDER, PARENT)
NOON = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
"""Noon in Paris."""
SECRET_WORDS = (
    "Laurent",
    "Dubois",
    "Martin",
    "CHU",
    "camille",
    "biopsy",
    "urgence",
    "emergency",
    "document",
    "Patient/",
)


@pytest.fixture
def clock():
    return FixedClock(NOON)


@pytest.fixture
def post():
    return Post()


@pytest.fixture
def server(post):
    with serving(post, None, "none") as found:
        yield found


@pytest.fixture
def runtime(tmp_path, clock, server):
    """A server with a mail server, a minor who has an account, her father, and a declared physician."""
    opening.create_keys(tmp_path / "keys.json")
    opened = opening.open_sqlite(tmp_path / "data", tmp_path / "keys.json")
    ports = replace(opened, clock=clock, mail=SmtpMailer(server, "habilis.example"))
    found = runtime_on(ports, "https://habilis.example")
    people(found)
    guardian = directive(DirectiveKind.GUARDIAN, PARENT)
    declared = directive(DirectiveKind.DECLARED_PHYSICIAN, PHYSICIAN)
    state = record_codec.dump(space(guardian, declared, born=TEEN))
    opened.store.commit(Change((), spaces=(SpaceWrite("camille", 0, state),)))
    yield found
    opened.store.close()


def people(runtime):
    practice = PractitionerRoleRef("PractitionerRole/martin-1", "Organization/practice", "Cabinet", "10")
    charge = RepresentedPatient("camille", PARENT, "Camille")
    for account, address in (
        (Account("camille", RequesterKind.PATIENT, HOLDER, "Camille Laurent"), CAMILLE),
        (Account("marc", RequesterKind.PATIENT, "Patient/marc", "Marc Dubois", patients=(charge,)), MARC),
        (Account("martin", RequesterKind.PROFESSIONAL, PHYSICIAN, "Dr Martin", (practice,)), MARTIN),
    ):
        added = add_account(runtime, account, "")
        choose(runtime, added.login, address=address)


def choose(runtime, login, **changes):
    account = accounts.find_account(runtime, login)
    choices.change(runtime, account, lambda chosen: replace(chosen, **changes))


def tell(runtime, kind=NoticeKind.BREAK_GLASS, to=BOTH, *, confidential=False, physician="", documents=()):
    """Store a notice as the server does; return its id."""
    who, where = Named("Practitioner/awa", "Dr Awa Martin"), Named("Organization/chu", "CHU")
    notice = Notice(kind, "camille", runtime.now(), to, who, where, reason="biopsy")
    kept = access_notices.stored(runtime, notice, confidential=confidential, physician=physician, documents=documents)
    audit_log.commit(runtime, Change((a_trace("camille"),), (Write(kept, (0, 0)),)))
    return kept.id


def reached(post):
    return sorted(address for address, _ in post.taken)


# --- who --------------------------------------------------------------------------------------------------------------


def test_each_recipient_gets_one_mail_with_a_link_to_the_notice(runtime, post):
    notice = tell(runtime)
    assert work(runtime) == []
    assert reached(post) == [CAMILLE, MARC]
    for _, message in post.taken:
        assert f"https://habilis.example/account/notices/{notice}" in message.get_content()
    work(runtime)
    assert len(post.taken) == 2


def test_a_declared_physician_is_told_of_an_emergency(runtime, post):
    tell(runtime, to=(PHYSICIAN,), physician=PHYSICIAN)
    work(runtime)
    assert reached(post) == [MARTIN]


def test_a_guardian_is_never_mailed_about_what_is_hidden_from_guardians(runtime, post):
    tell(runtime, to=BOTH, confidential=True)
    work(runtime)
    assert reached(post) == [CAMILLE]


def test_whoever_may_no_longer_act_for_the_patient_gets_nothing(runtime, post):
    tell(runtime)
    account = accounts.find_account(runtime, "marc")
    accounts.change_account(runtime, replace(account, patients=()))
    work(runtime)
    assert reached(post) == [CAMILLE]


def test_whoever_begins_to_act_for_a_patient_is_found(runtime, post):
    added = add_account(runtime, Account("nina", RequesterKind.PATIENT, "Patient/nina", "Nina"), "")
    choose(runtime, "nina", address="nina@example.org")
    charge = RepresentedPatient("camille", PARENT, "Camille")
    accounts.change_account(runtime, replace(added, patients=(charge,)))
    tell(runtime, to=(PARENT,))
    work(runtime)
    assert reached(post) == [MARC, "nina@example.org"]


def test_an_account_of_an_earlier_version_is_found(runtime, post):
    runtime.ports.vault.drop_group("account-person:" + HOLDER)
    runtime.ports.vault.drop("account-persons-kept", "")
    tell(runtime, to=(HOLDER,))
    work(runtime)
    assert reached(post) == [CAMILLE]


@pytest.mark.parametrize("case", ["no address", "never", "account stopped", "address refused"])
def test_some_get_no_mail_and_the_notice_stays(runtime, post, case):
    if case == "account stopped":
        accounts.change_account(runtime, replace(accounts.find_account(runtime, "camille"), disabled=True))
    else:
        choose(
            runtime,
            "camille",
            **{
                "no address": {"address": None},
                "never": {"timings": {NoticeKind.BREAK_GLASS.value: Timing.NEVER}},
                "address refused": {"refused_at": NOON},
            }[case],
        )
    notice = tell(runtime, to=(HOLDER,))
    work(runtime)
    assert post.taken == []
    with runtime.ports.store.snapshot() as snapshot:
        assert snapshot.locate("Communication", notice)


@pytest.mark.parametrize("kind", sorted(choices.ALWAYS_TOLD))
def test_what_the_law_wants_told_cannot_be_switched_off_while_there_is_an_address(runtime, post, kind):
    choose(runtime, "camille", timings={kind.value: Timing.NEVER})
    tell(runtime, kind, (HOLDER,))
    work(runtime)
    runtime.ports.clock.advance(days=1)
    work(runtime)
    assert reached(post) == [CAMILLE]


def test_a_choice_made_after_the_notice_counts(runtime, post):
    [planned] = delivery.mails_about(runtime, tell(runtime, to=(HOLDER,)))
    choose(runtime, "camille", timings={NoticeKind.BREAK_GLASS.value: Timing.NEVER})
    delivery.send(runtime, planned.body)
    assert post.taken == []


def test_a_notice_that_was_hidden_meanwhile_is_not_mailed(runtime, post):
    document = a_document("camille")
    runtime.ports.store.commit(creating(document))
    tell(runtime, NoticeKind.FILED, documents=(document.id,))
    choose(runtime, "camille", address=None)
    work(runtime)
    after = marked(document, Mark.INVISIBLE_REPRESENTANTS_LEGAUX)
    runtime.ports.store.commit(Change((a_trace(),), (following(document, after),)))
    runtime.ports.clock.advance(days=1)
    work(runtime)
    assert post.taken == []


def test_a_changed_password_is_mailed_to_the_owner_alone(runtime, post):
    account = accounts.find_account(runtime, "camille")
    credentials.record(runtime, Caller.of_operator("eve"), account, Act.SET_PASSWORD)
    work(runtime)
    assert reached(post) == [CAMILLE]


def test_an_emergency_is_mailed_to_the_patient_the_guardian_and_the_declared_physician(runtime, post):
    awa = Requester(RequesterKind.PROFESSIONAL, "Practitioner/awa", organization="Organization/chu", profession="10")
    caller = a_caller(replace(awa, client="Device/d"), "user/*.rs", purpose=Purpose.BREAK_GLASS)
    break_glass.open_as_granted(runtime, caller, "camille", "found unconscious")
    work(runtime)
    assert reached(post) == [CAMILLE, MARC, MARTIN]


# --- what -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["fr", "en"])
def test_no_mail_tells_what_it_is_about(runtime, post, language):
    """Every kind, to whomever: the same size and the same words, except for the random id in the link."""
    choose(runtime, "camille", language=language, timings={kind.value: Timing.AT_ONCE for kind in NoticeKind})
    notices = [
        tell(runtime, kind, (HOLDER,), confidential=confidential)
        for kind in NoticeKind
        for confidential in (False, True)
    ]
    work(runtime)
    texts = [message.get_content() for _, message in post.taken]
    assert len(texts) == len(notices)
    assert len({text.replace(notice, "") for text, notice in zip(texts, notices, strict=True)}) == 1
    assert len({len(message.as_bytes()) for _, message in post.taken}) == 1
    [subject] = {str(message["Subject"]) for _, message in post.taken}
    assert subject in ("Votre espace de santé : un nouvel avis", "Your health space: a new notice")
    for _, message in post.taken:
        told = " ".join(str(value) for name, value in message.items() if name not in ("To", "X-RcptTo", "X-MailFrom"))
        assert not [word for word in SECRET_WORDS if word in message.get_content() or word in told]


def test_a_repeat_has_the_same_message_id_and_others_have_others(runtime, post):
    planned = delivery.mails_about(runtime, tell(runtime))
    for message in (*planned, *planned):  # as after a death between the mail and the commit
        delivery.send(runtime, message.body)
    ids = [(address, message["Message-ID"]) for address, message in post.taken]
    assert len(ids) == 4
    assert len(set(ids)) == 2
    assert len({id_ for _, id_ in ids}) == 2


# --- when -------------------------------------------------------------------------------------------------------------


def test_a_day_brings_one_mail_for_all_that_waits(runtime, post, clock):
    choose(runtime, "camille", digest_hour=18)
    for _ in range(3):
        tell(runtime, NoticeKind.ACCESS, (HOLDER,))
    work(runtime)
    clock.at = datetime(2026, 3, 2, 16, 59, 59, tzinfo=UTC)
    work(runtime)
    assert post.taken == []
    clock.at = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
    work(runtime)
    assert reached(post) == [CAMILLE]
    assert "https://habilis.example/journal" in post.taken[0][1].get_content()
    clock.advance(days=1)
    work(runtime)
    assert len(post.taken) == 1
    tell(runtime, NoticeKind.ACCESS, (HOLDER,))
    work(runtime)
    clock.advance(days=1)
    work(runtime)
    assert len(post.taken) == 2


def test_nothing_comes_in_silent_hours_but_what_the_person_lets_through(runtime, post, clock):
    silent = {"silent_from": 22, "silent_until": 7}
    choose(runtime, "camille", **silent)
    choose(runtime, "marc", **silent, urgent_in_silence=True)
    clock.at = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)
    tell(runtime, NoticeKind.BREAK_GLASS)
    tell(runtime, NoticeKind.FIRST_ACCESS)
    work(runtime)
    assert reached(post) == [MARC]
    clock.at = datetime(2026, 3, 3, 6, 0, tzinfo=UTC)
    work(runtime)
    assert reached(post) == [CAMILLE, MARC, MARC]


def test_a_result_that_waits_is_mailed_when_it_is_announced(runtime, post, clock):
    choose(runtime, "camille", timings={NoticeKind.WAITING.value: Timing.AT_ONCE})
    notice = Notice(NoticeKind.WAITING, "camille", NOON + timedelta(days=30), (HOLDER,))
    kept = access_notices.stored(runtime, notice)
    audit_log.commit(runtime, Change((a_trace("camille"),), (Write(kept, (0, 0)),)))
    clock.advance(days=29)
    work(runtime)
    assert post.taken == []
    clock.advance(days=2)
    work(runtime)
    assert reached(post) == [CAMILLE]


# --- failures ---------------------------------------------------------------------------------------------------------


def test_a_mail_that_cannot_be_sent_now_is_sent_later_and_to_nobody_twice(runtime, post):
    post.replies[f"RCPT {MARC}"] = "450 4.2.0 later"
    tell(runtime)
    assert work(runtime) == ["MailUnavailable"]
    assert reached(post) == [CAMILLE]
    post.replies.clear()
    runtime.ports.clock.advance(minutes=1)
    assert work(runtime) == []
    assert reached(post) == [CAMILLE, MARC]


@pytest.fixture
def lines(monkeypatch):
    """Capture the log, whatever another test has set up and cached."""
    before = structlog.get_config()
    telemetry.configure()
    monkeypatch.setattr(telemetry, "_log", structlog.get_logger("habilis"))
    with capture_logs() as captured:
        yield captured
    structlog.configure(**before)


def test_a_dead_address_is_noted_and_gets_no_further_mail(runtime, post, lines):
    post.replies[f"RCPT {CAMILLE}"] = "550 5.1.1 no such user"
    tell(runtime)
    assert work(runtime) == []
    assert reached(post) == [MARC]
    assert choices.of_account(runtime, accounts.find_account(runtime, "camille")).refused_at == NOON
    assert choices.count_refused(runtime) == 1
    assert [(line["event"], line["log_level"]) for line in lines] == [("mail_address_refused", "warning")]
    assert CAMILLE not in str(lines)
    post.replies.clear()
    tell(runtime, to=(HOLDER,))
    work(runtime)
    assert reached(post) == [MARC]


def test_a_server_without_mail_puts_nothing_into_the_outbox(runtime):
    silent = replace(runtime, ports=replace(runtime.ports, mail=None))
    tell(silent)
    assert runtime.ports.outbox.states(runtime.now()) == ()


def test_a_worker_without_a_mail_server_loses_no_planned_mail(runtime, post):
    planned = delivery.mails_about(runtime, tell(runtime, to=(HOLDER,)))
    runtime.ports.store.commit(Change((), outbox=planned))
    assert work(replace(runtime, ports=replace(runtime.ports, mail=None))) == ["MailUnavailable"]
    runtime.ports.clock.advance(minutes=1)
    assert work(runtime) == []
    assert reached(post) == [CAMILLE]


def test_the_outbox_holds_ids_only(runtime):
    notice = tell(runtime)
    [planned] = runtime.ports.outbox.ready("notices", runtime.now(), 10)
    bodies = [planned.body, *(message.body for message in delivery.mails_about(runtime, notice))]
    assert len(bodies) == 3
    for body in bodies:
        assert notice.encode() in body
        assert not [word for word in ("camille", "marc", "@", "break") if word.encode() in body]
