"""What a registered card reader has signed: that a patient's card was there for a professional, now.

The assertion is a JWT with the identity of the patient in its body. It lives for a minute at most, and names this
operation of this server as its audience. It has a type of its own, so that it proves nothing at the token endpoint and
no client assertion says that a card was there.
Source: RFC 7519; RFC 7523 2.2 and 3; RFC 8725 3.11 (explicit typing); docs/adr/0101-card-presence.md.
"""

from datetime import timedelta

from authlib.oauth2.rfc6749 import InvalidClientError

from fhir_server.application.consents.card_presence import CardReading, Identifier, not_valid
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.identity import clients
from fhir_server.application.identity.clients import Client
from fhir_server.domain.directory.patient_numbers import INS_SYSTEMS
from fhir_server.domain.problem import Category, Problem
from fhir_server.domain.values import ClientId, Json
from fhir_server.oauth.base import assertions, compact
from fhir_server.oauth.base.assertions import BROKEN, LEEWAY, MALFORMED, AssertionFault, Sender
from fhir_server.oauth.base.bulkhead import Bulkhead, BusyError

TYPE = "card-presence+jwt"
LONGEST = timedelta(seconds=60)
_TEXT_LIMIT = 200


def audience_of(runtime: Runtime) -> str:
    """Return what an assertion must name as its audience: the operation, by this server's public address."""
    return f"{runtime.fhir_base}/Patient/$present-card"


def reading_of(runtime: Runtime, bulkhead: Bulkhead, assertion: str) -> CardReading:
    """Return what a registered reader has signed; whether it was used before is not checked here.

    Raises: Problem(BUSINESS_RULE) that says what was expected and names nobody; UNAVAILABLE while the keys of the
    reader cannot be fetched because others are being fetched.
    """
    reader = clients.find(runtime, ClientId(assertions.named_by(assertion)))
    if reader is None or not reader.card_reader:
        raise not_valid("iss must be registered as a card reader")
    try:
        keys = assertions.keys_of(runtime, reader, bulkhead)
        claims = assertions.verified(assertion, Sender(reader, keys, frozenset({TYPE})))
        return _reading(runtime, reader, claims)
    except AssertionFault as fault:
        raise not_valid(str(fault)) from None
    except BROKEN:
        raise not_valid(MALFORMED) from None
    except BusyError:
        raise Problem(Category.UNAVAILABLE) from None
    except InvalidClientError:
        raise not_valid("the keys of the card reader cannot be fetched") from None


def _reading(runtime: Runtime, reader: Client, claims: Json) -> CardReading:
    """Check the claims. Raises: AssertionFault, or one of BROKEN for a claim that is missing or of another type."""
    ours, jti = audience_of(runtime), claims["jti"]
    expires = compact.instant(claims["exp"])
    lives = expires - compact.instant(claims["iat"])
    expected = {
        f"aud must be {ours}": claims["aud"] in (ours, [ours]),
        "iss must be the card reader": claims["iss"] == reader.id,
        f"exp must be {LONGEST.seconds} seconds after iat at most": lives <= LONGEST,
    }
    assertions.demand(expected | assertions.timely(claims, runtime.now(), LONGEST))
    assertions.demand({"jti must be printable": jti.isprintable()})
    patient, professional = _identifier(claims, "patient"), _identifier(claims, "professional")
    assertions.demand({"patient must be a national health identity": patient[0] in INS_SYSTEMS})
    return CardReading(reader, jti, expires + LEEWAY, patient, professional)


def _identifier(claims: Json, name: str) -> Identifier:
    system, value = claims[name]["system"], claims[name]["value"]
    is_text = all(isinstance(text, str) and 0 < len(text) <= _TEXT_LIMIT for text in (system, value))
    assertions.demand({f"{name} must have a system and a value": is_text and (system + value).isprintable()})
    return system, value
