"""The people and apps of these tests on either engine."""

from collections.abc import Iterator

import orjson
import pytest

from consent_rules.model import RecordState
from consent_rules.profiles import profile
from consent_rules.schedule import packaged
from consent_rules.vocabulary import SpaceStatus
from fhir_server.application.runtime import Runtime
from fhir_server.domain import record_codec
from fhir_server.oauth import keys as signing
from fhir_server.ports import Change, Ports, Secret, SpaceWrite
from tests.engines import ENGINES, make_engine
from tests.oauth.conftest import FHIR, SIGNING, apps, people


def furnish(ports: Ports, fhir_base: str = FHIR) -> None:
    """Give a store people, apps, Camille's space and a key that signs."""
    runtime = Runtime(ports, packaged(), profile("fr"), fhir_base, b"k" * 32)
    people(runtime)
    apps(runtime)
    space = record_codec.dump(RecordState("camille", SpaceStatus.ACTIVE))
    ports.store.commit(Change(traces=(), spaces=(SpaceWrite("camille", 0, space),)))
    kept = orjson.dumps([{"jwk": SIGNING.as_dict(private=True), "until": ""}])
    ports.vault.add(Secret(signing.KIND, "id-token", kept))


@pytest.fixture(scope="module", params=ENGINES)
def furnished_engine(request, tmp_path_factory) -> Iterator[Ports]:
    engine = make_engine(request.param, request, tmp_path_factory.mktemp(request.param))
    furnish(engine.ports)
    yield engine.ports
    engine.close()


@pytest.fixture
def ports(furnished_engine, clock) -> Ports:
    opened = furnished_engine
    return Ports(opened.store, opened.vault, opened.blobs, clock, opened.ids)
