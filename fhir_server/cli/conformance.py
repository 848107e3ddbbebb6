"""`habilis conformance`: ask any FHIR server what the guides require of it."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import click

from fhir_server.cli.operators import wrong
from fhir_server.conformance import reporting
from fhir_server.conformance.documents import read_submission
from fhir_server.conformance.exchange import Resource, Unreachable
from fhir_server.conformance.requirement import Need, Target
from fhir_server.conformance.running import GUIDES, Result, Verdict, run

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FORMATS: dict[str, Callable[[str, list[Result]], str]] = {
    "json": reporting.as_json,
    "junit": reporting.as_junit,
}


def _checked_base(_context: click.Context, option: click.Parameter, base: str) -> str:
    where = urlsplit(base)
    if where.scheme not in ("http", "https") or not where.hostname:
        raise wrong(option.opts[0], "is no http or https address, such as http://localhost:8080/fhir")
    if where.query or where.fragment or where.username is not None:
        raise wrong(option.opts[0], "write no user, query or fragment into the address; tokens are read from files")
    return base.rstrip("/")


@click.command(epilog="Example: habilis conformance --base http://localhost:8080/fhir --guide rest")
@click.option(
    "--base",
    required=True,
    metavar="URL",
    callback=_checked_base,
    help="The FHIR base address, mostly one that ends in /fhir.",
)
@click.option("--patient", default="", metavar="ID", help="Id of a test patient who has documents.")
@click.option("--reader-token-file", type=_FILE, help="File with the token of somebody who reads that patient.")
@click.option("--publisher-token-file", type=_FILE, help="File with the token of somebody who publishes.")
@click.option("--auditor-token-file", type=_FILE, help="File with the token of an auditor.")
@click.option("--submission", type=_FILE, help="A valid ITI-65 transaction for that patient; its documents stay there.")
@click.option(
    "--guide", "guides", multiple=True, type=click.Choice([guide.name for guide in GUIDES]), help="Only this guide."
)
@click.option(
    "--format",
    "form",
    default="text",
    type=click.Choice(["text", *_FORMATS]),
    show_default=True,
    help="Form of the report.",
)
def conformance(  # noqa: PLR0913 - one parameter for each option
    *,
    base: str,
    patient: str,
    reader_token_file: Path | None,
    publisher_token_file: Path | None,
    auditor_token_file: Path | None,
    submission: Path | None,
    guides: tuple[str, ...],
    form: str,
) -> int:
    """Ask any FHIR server what the guides require of it.

    Prints each requirement; for one that does not hold, also the request, the answer and what was expected.
    What needs a token, a patient or a submission that is not given is skipped, and the report says so.
    The status is 1 when a SHALL does not hold. Tokens are read from files and never printed.
    Use a test server: answers are printed in part, and `--submission` publishes documents.
    """
    files = {Need.READER: reader_token_file, Need.PUBLISHER: publisher_token_file, Need.AUDITOR: auditor_token_file}
    tokens = {need: path.read_text("utf-8").strip() for need, path in files.items() if path}
    target = Target(base, patient, tokens, _submission(submission))
    results: list[Result] = []
    try:
        for result in run(target, guides):
            results.append(result)
            if form == "text":
                click.echo(reporting.as_text(result))
    except Unreachable as error:
        raise click.ClickException(f"{error}. Does the server run, and is --base its FHIR address?") from error
    click.echo(_FORMATS[form](base, results) if form in _FORMATS else reporting.summary(results))
    return int(any(result.verdict is Verdict.FAILED for result in results))


def _submission(path: Path | None) -> Resource | None:
    try:
        return read_submission(path.read_text("utf-8")) if path else None
    except ValueError as error:
        raise wrong("--submission", str(error)) from error
