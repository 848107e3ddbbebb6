"""The bounds of forms, tokens and requests to other servers, themselves."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.oauth.base import compact
from fhir_server.oauth.base.bulkhead import Bulkhead, BusyError
from fhir_server.settings import limits
from tests.oauth.conftest import BASE
from tests.oauth.test_hostile_proofs import FORM


def test_the_limit_of_forms_is_a_setting(web):
    before = limits.put_in_force(limits.Limits(form_bytes=100))
    try:
        answer = web.post("/oauth/token", data=b"x" * 101, content_type=FORM, base_url=BASE)
    finally:
        limits.put_in_force(before)
    assert "100 bytes" in answer.get_json()["error_description"]


@given(st.binary(max_size=400) | st.text('[]{}",\\a1:', max_size=400).map(str.encode))
def test_depth_is_told_without_parsing(text):
    """What is found shallow is parsed, so that this side must be safe: no valid text is deeper than it is told."""
    try:
        found = orjson.loads(text)
    except ValueError:
        return
    assert compact.is_shallow(text) or depth_of(found) > compact.DEPTH


@pytest.mark.parametrize("deep", [compact.DEPTH, compact.DEPTH + 1])
def test_the_limit_of_depth_is_exact(deep):
    assert compact.is_shallow(b"[" * deep + b'"[[[\\"{{{"' + b"]" * deep) is (deep == compact.DEPTH)


def depth_of(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max((depth_of(item) for item in inner), default=0)


def test_places_are_few_for_each_and_for_all_together():
    bulkhead = Bulkhead(2, 3)
    with bulkhead.enter("a"), bulkhead.enter("a"):
        with pytest.raises(BusyError), bulkhead.enter("a"):
            pass
        with bulkhead.enter("b"), pytest.raises(BusyError), bulkhead.enter("c"):
            pass
    with bulkhead.enter("c"), bulkhead.enter("c"):
        pass
