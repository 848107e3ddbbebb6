"""A change of how somebody signs in is traced, told and in force on either store."""

from fhir_server.application.identity import credentials
from fhir_server.application.identity.accounts import find_account
from fhir_server.domain.caller import Caller
from fhir_server.oauth.login import factors
from tests.oauth.stores import furnished_engine as furnished_engine  # noqa: PLC0414 - pytest finds fixtures by name
from tests.oauth.stores import ports as ports  # noqa: PLC0414 - as above
from tests.oauth.test_credentials import codes_of, is_in, notices_of, signed_in


def test_a_password_that_the_operator_gives_ends_sessions_and_is_told(app, runtime):
    person = signed_in(app)
    assert is_in(person)
    account = find_account(runtime, "camille")
    factors.give_password(runtime, Caller.of_operator("eve"), account, "correct horse battery")
    assert not is_in(person)
    assert "set-password" in codes_of(runtime, "camille")
    assert notices_of(runtime, "camille") == ["password-changed"]
    assert [news.act for news in credentials.news_of(runtime, account)] == ["set-password"]
    code = credentials.issue_code(runtime, account)
    assert [credentials.redeem_code(runtime, account, code) for _ in range(2)] == [True, False]
