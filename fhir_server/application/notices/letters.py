"""What a mail says: nothing but that there is something to read after signing in.

Neither the kind of a notice nor any name stands in a mail, so that whoever sees it learns only that the recipient has a
space here. Mails about notices differ in the random id of the notice alone.
Source: docs/adr/0079; recommendations of the CNIL on health data in e-mails.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from fhir_server.application.core.runtime import Runtime
from fhir_server.ports.mail import Letter

_SIGNED = {
    "fr": """

Vos choix sur ces messages :
{base}/account/notices

Ce message part d’une machine : n’y répondez pas.
""",
    "en": """

Your choices about these messages:
{base}/account/notices

A machine sends this message: do not answer it.
""",
}
_NOTICE = {
    "fr": (
        "Votre espace de santé : un nouvel avis",
        """Bonjour,

un nouvel avis vous attend dans votre espace de santé. Pour le lire, connectez-vous :
{link}

Ce message n’en dit pas plus, pour que personne n’apprenne rien en le voyant.""",
    ),
    "en": (
        "Your health space: a new notice",
        """Hello,

a new notice waits for you in your health space. To read it, sign in:
{link}

This message says no more, so that nobody learns anything by seeing it.""",
    ),
}
_CONFIRMATION = {
    "fr": (
        "Votre espace de santé : confirmez cette adresse",
        """Bonjour,

quelqu’un veut recevoir ici les messages d’un espace de santé. Si c’est vous, tapez ce code dans la page où vous avez
donné l’adresse :

{code}

Il est valable trente minutes, une seule fois. Sinon, ne faites rien : sans ce code, personne ne vous écrira.""",
    ),
    "en": (
        "Your health space: confirm this address",
        """Hello,

somebody wants to get the messages of a health space here. If it is you, type this code into the page where you gave the
address:

{code}

It is valid for thirty minutes, once. Otherwise do nothing: without this code nobody will write to you.""",
    ),
}
_FAREWELL = {
    "fr": (
        "Votre espace de santé : cette adresse ne sert plus",
        """Bonjour,

les messages d’un espace de santé ne viennent plus à cette adresse : son titulaire en a décidé ainsi. Si ce n’est pas
vous, changez votre mot de passe sans attendre :
{base}/account/sign-in""",
    ),
    "en": (
        "Your health space: this address is no longer used",
        """Hello,

the messages of a health space no longer come to this address: its holder decided so. If it was not you, change your
password at once:
{base}/account/sign-in""",
    ),
}


@dataclass(frozen=True, slots=True)
class Recipient:
    """To whom a letter goes. address: a mail address. language: "fr" or "en"."""

    address: str
    language: str


def of_notice(runtime: Runtime, to: Recipient, notice: str, subject: str) -> Letter:
    """Write that there is a new notice. notice: its id. subject: of the account."""
    words, link = _NOTICE[to.language], f"{_base(runtime)}/account/notices/{notice}"
    return _letter(runtime, to, words, (notice, subject), link=link)


def of_several(runtime: Runtime, to: Recipient, subject: str, due: datetime) -> Letter:
    """Write the same, once for whatever came since the last such mail. due: the instant for which it was planned."""
    words = _NOTICE[to.language]
    return _letter(runtime, to, words, (subject, due.isoformat()), link=f"{_base(runtime)}/journal")


def of_confirmation(runtime: Runtime, to: Recipient, asked: str, code: str) -> Letter:
    """Write the code that confirms an address. asked: id of the request."""
    return _letter(runtime, to, _CONFIRMATION[to.language], ("confirmation", asked), code=code)


def of_farewell(runtime: Runtime, to: Recipient, left: str) -> Letter:
    """Tell an address that it is no longer used. left: id of the change."""
    return _letter(runtime, to, _FAREWELL[to.language], ("farewell", left))


def _base(runtime: Runtime) -> str:
    return runtime.fhir_base.rpartition("/")[0]


def _letter(runtime: Runtime, to: Recipient, words: tuple[str, str], names: tuple[str, str], **shown: str) -> Letter:
    """Build a letter. names: what it is about; they give a repeat the same id, and the id does not reveal them."""
    subject, text = words
    whole = (text + _SIGNED[to.language]).format(base=_base(runtime), **shown)
    id_ = sha256("\n".join(names).encode()).hexdigest()
    return Letter(id_, to.address, subject, whole, to.language, runtime.now())
