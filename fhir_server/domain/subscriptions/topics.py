"""The topics: what a client may subscribe to, and which topics of IHE are refused by name.

Source: IHE DSUBm, SubscriptionTopics of ITI-110 (https://profiles.ihe.net/ITI/DSUBm/ITI-110.html);
docs/adr/0123-a-notification-is-a-search.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fhir_server.domain.terminology.code_systems import OWN

_IHE = "https://profiles.ihe.net/ITI/DSUBm/SubscriptionTopic/DSUBm-SubscriptionTopic-"
_LIST_TYPES = "https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes"
_DOCUMENT_FILTERS = ("category", "event", "facility", "format", "security-label", "setting", "status", "type")
_SET_FILTERS = ("code", "source", "sourceId", "status")
_FOLDER_FILTERS = ("code", "designationType", "identifier", "status")


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic.

    id: of the Basic that describes it. url: the canonical URL. type: of the resources whose events it is about.
    many: whether a subscription names no patient. updates: whether a new version is an event too.
    among: criteria that every resource of the topic meets, as (parameter, value).
    filters: the search parameters by which a subscription narrows it, without the patient.
    """

    id: str
    url: str
    title: str
    type: str
    filters: tuple[str, ...]
    many: bool = False
    updates: bool = False
    among: tuple[tuple[str, str], ...] = ()


def _of_ihe(name: str, title: str, type_: str, filters: tuple[str, ...], code: str = "", **more: bool) -> Topic:
    among = (("code", f"{_LIST_TYPES}|{code}"),) if code else ()
    return Topic(f"DSUBm-{name}", f"{_IHE}{name}", title, type_, filters, among=among, **more)


_TOPICS = (
    _of_ihe(
        "DocumentReference-PatientDependent",
        "A document of one patient is filed",
        "DocumentReference",
        _DOCUMENT_FILTERS,
    ),
    _of_ihe("DocumentReference-MultiPatient", "A document is filed", "DocumentReference", _DOCUMENT_FILTERS, many=True),
    _of_ihe(
        "SubmissionSet-PatientDependent",
        "A submission set of one patient is filed",
        "List",
        _SET_FILTERS,
        "submissionset",
    ),
    _of_ihe(
        "SubmissionSet-MultiPatient", "A submission set is filed", "List", _SET_FILTERS, "submissionset", many=True
    ),
    _of_ihe(
        "Basic-Folder-Subscription",
        "A folder of one patient is filed, or gets more documents",
        "List",
        _FOLDER_FILTERS,
        "folder",
        updates=True,
    ),
    Topic(
        "document-changes",
        f"{OWN}topic:document-changes",
        "A document of one patient is filed, replaced, or described anew",
        "DocumentReference",
        _DOCUMENT_FILTERS,
        updates=True,
    ),
    Topic("notices", f"{OWN}topic:notices", "A person gets a notice", "Communication", ("category",)),
)
TOPICS: Mapping[str, Topic] = MappingProxyType({topic.url: topic for topic in _TOPICS})
"""The topics by canonical URL."""
_TELL_ENDS = (
    "DocReference-PatientDependent-MinUpdate",
    "DocReference-PatientDependent-AllEvents",
    "DocReference-MultiPatient-MinUpdate",
    "DocReference-MultiPatient-AllEvents",
    "Folder-Subscription-MinUpdateOpt",
    "Folder-Subscription-UpdateOpt",
    "Folder-Subscription-for-Full-Events",
)
REFUSED = frozenset(f"{_IHE}{name}" for name in _TELL_ENDS)
"""Topics that also tell deletions: a document that disappeared without one would be known to be hidden."""
EVENTFUL = frozenset(topic.type for topic in _TOPICS)
"""The types whose new versions may be an event of a topic."""
