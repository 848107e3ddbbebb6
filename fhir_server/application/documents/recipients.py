"""Recipients of a submission: that an establishment sends them documents is evidence that they care for the patient.

A recipient of the directory who belongs to another establishment gets a fact of care for some time (V1). The fact lets
nobody in. A submission is never refused for its recipients.
Source: IHE MHD 4.2, extension intendedRecipient of a SubmissionSet
(https://profiles.ihe.net/ITI/MHD/StructureDefinition-ihe-intendedRecipient.html); docs/adr/0093-recipients.md.
"""

from consent_rules.model import Directive
from consent_rules.vocabulary import DirectiveKind, Grade, Proof, RequesterKind
from fhir_server.application.documents.filing import Filing
from fhir_server.application.spaces import care_facts
from fhir_server.domain import references
from fhir_server.domain.documents.submission import MHD
from fhir_server.domain.values import Json
from fhir_server.registry import PARTIES

INTENDED_RECIPIENT = f"{MHD}/StructureDefinition/ihe-intendedRecipient"
_KINDS = frozenset({RequesterKind.PROFESSIONAL, RequesterKind.SYSTEM})
_MOST = 10


def note(filing: Filing, submission_set: Json, id_: str) -> None:
    """Plan the fact of care of the recipients whom a submission set names. id_: of the submission set.

    The depositing establishment and its people gain nothing by it: the fact does not apply to them.
    """
    work = filing.work
    requester = work.caller.requester
    own = frozenset({requester.organization, requester.person} - {""})
    named = _named(filing, submission_set) - own
    if not (named and requester.organization and requester.kind in _KINDS and work.entered.space.revision):
        return
    fact = Directive(
        id_,
        DirectiveKind.CARE,
        named,
        excluded=own,
        start=work.at,
        end=work.runtime.profile.care_of_recipient.after(work.at),
        recorded_at=work.at,
        proof=Proof.REFERRAL,
        recorder=requester.person or requester.client,
        grade=Grade.THIRD_PARTY,
    )
    care_facts.put_if_room(work, fact)


def _named(filing: Filing, submission_set: Json) -> frozenset[str]:
    """Return the recipients whom the directory knows, without contained and unknown ones."""
    extensions = submission_set.get("extension", ())
    named = [one.get("valueReference", {}) for one in extensions if one.get("url") == INTENDED_RECIPIENT]
    base = filing.work.runtime.fhir_base
    targets = [references.split(str(reference.get("reference", "")), base) for reference in named[:_MOST]]
    known = (one for one in targets if one and one[0] in PARTIES and filing.work.is_known(*one))
    return frozenset("/".join(one) for one in known)
