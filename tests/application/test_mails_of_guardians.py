"""Two worlds, one with secrets of a minor and one without: the mails of her father are the same in both (B10)."""

from dataclasses import replace

import pytest

from consent_rules.vocabulary import DirectiveKind
from fhir_server.adapters import opening
from fhir_server.adapters.mail import SmtpMailer
from fhir_server.application.notices.choices import Timing
from fhir_server.domain import record_codec
from fhir_server.domain.events.rules import NoticeKind
from fhir_server.ports.store import Change, SpaceWrite
from tests.application.test_mails import CAMILLE, HOLDER, MARC, NOON, PARENT, choose, people, tell
from tests.factories import runtime_on
from tests.mail import Post, serving, work
from tests.oauth.conftest import FixedClock
from tests.rules.builders import TEEN, directive, space


@pytest.mark.parametrize("digest", [False, True])
@pytest.mark.parametrize("reply", ["250 OK", "450 4.2.0 later", "550 5.1.1 no such user"])
def test_the_mails_of_a_guardian_are_the_same_whether_there_is_a_secret_or_not(tmp_path, digest, reply):
    """Number and order of a guardian's mails, and when they come. reply: what becomes of the mails of the minor."""
    post = Post({f"RCPT {CAMILLE}": reply})
    with serving(post, None, "none") as server:
        worlds = [
            mails_of_guardian(tmp_path / name, server, post, has_secrets=has_secrets, digest=digest)
            for name, has_secrets in (("with", True), ("without", False))
        ]
    assert worlds[0] == worlds[1]
    assert worlds[0]


def mails_of_guardian(folder, server, post, *, has_secrets, digest):
    folder.mkdir()
    opening.create_keys(folder / "keys.json")
    opened = opening.open_sqlite(folder / "data", folder / "keys.json")
    clock = FixedClock(NOON)
    runtime = runtime_on(replace(opened, clock=clock, mail=SmtpMailer(server, "habilis.example")), "https://h.example")
    people(runtime)
    state = record_codec.dump(space(directive(DirectiveKind.GUARDIAN, PARENT), born=TEEN))
    opened.store.commit(Change((), spaces=(SpaceWrite("camille", 0, state),)))
    if digest:
        choose(runtime, "marc", timings={kind.value: Timing.DAILY for kind in NoticeKind})
    told = []
    for hour in range(30):
        if has_secrets and hour % 2:
            tell(runtime, NoticeKind.FILED, (HOLDER,), confidential=True)
            tell(runtime, NoticeKind.PASSWORD, (HOLDER,), confidential=True)
        if hour in (3, 4, 20):
            tell(runtime, NoticeKind.FIRST_ACCESS)
        work(runtime)
        work(runtime)
        told += [(clock.now(), str(message["Subject"])) for address, message in post.taken if address == MARC]
        post.taken.clear()
        clock.advance(hours=1)
    opened.store.close()
    return told
