"""Subscriptions to documents (IHE DSUBm): the topics that a broker offers.

Source: https://profiles.ihe.net/ITI/DSUBm/ITI-114.html.
"""

import json

from fhir_server.conformance.requirement import Guide, Need, NotApplicable, Probe, expect
from fhir_server.conformance.rest import interactions_of, types_of
from fhir_server.conformance.searching import found

GUIDE = Guide("subscriptions", "https://profiles.ihe.net/ITI/DSUBm/")
_TOPIC = "https://profiles.ihe.net/ITI/DSUBm/SubscriptionTopic/DSUBm-SubscriptionTopic-"
_OF_EVERY_BROKER = (
    "DocumentReference-PatientDependent",
    "DocumentReference-MultiPatient",
    "SubmissionSet-PatientDependent",
    "SubmissionSet-MultiPatient",
)


@GUIDE.requires("DSUBM-topics", "ITI-114.html", Need.READER)
def _(probe: Probe) -> None:
    """The topics that every broker offers are found as Basic resources with the code `SubscriptionTopic`."""
    if "search-type" not in interactions_of(types_of(probe).get("Basic", {})):
        raise NotApplicable("the CapabilityStatement offers no search of Basic")
    topics = found(probe.get("Basic", {"code": "SubscriptionTopic", "_count": "200"}))
    told = json.dumps(topics)
    for name in _OF_EVERY_BROKER:
        expect(f'"{_TOPIC}{name}"' in told, f"the topic {_TOPIC}{name}")
