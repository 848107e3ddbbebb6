"""Whether a deed that failed is itself a minor's secret (B10).

A failure is told in the space where the thing lies that was asked for, and of an unknown thing nowhere: whom something
is kept from would learn from it that it is there.
"""

from consent_rules.visibility import Clause, Visibility
from consent_rules.vocabulary import Mark, RequesterKind
from fhir_server.domain.caller import Caller
from fhir_server.domain.deeds import Deed
from fhir_server.ports import Snapshot

_SECRET = Mark.INVISIBLE_REPRESENTANTS_LEGAUX


def is_secret_failure(snapshot: Snapshot, caller: Caller, patient: str, deed: Deed) -> bool:
    """Tell whether only the holder may learn that somebody who had entered did not reach a thing.

    Of relatives no failure is told to relatives: a minor may keep a thing from one of them.
    Arguments as `is_secret`.
    """
    return caller.requester.kind is RequesterKind.RELATED or is_secret(snapshot, patient, deed)


def is_secret(snapshot: Snapshot, patient: str, deed: Deed) -> bool:
    """Tell whether a deed names a minor's secret of a space, or what gathers one.

    System-level: it reads the thing whoever asks, and gives away nothing but this.
    """
    return any(_is_secret(snapshot, patient, named) for named in (deed.target, *deed.sought))


def _is_secret(snapshot: Snapshot, patient: str, reference: str) -> bool:
    type_, _, rest = reference.partition("/")
    everything = Visibility(patient, (Clause(),))
    asked = snapshot.read(type_, rest.partition("/")[0], everything) if patient and rest else None
    if asked is None:
        return False
    gathered = [snapshot.read("DocumentReference", id_, everything) for id_ in asked.facts.documents]
    return any(_SECRET in one.facts.access.marks for one in (asked, *gathered) if one)
