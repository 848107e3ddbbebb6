"""What `habilis conformance` says to somebody who calls it for the first time."""

import pytest

from fhir_server.cli import main
from tests.live import HOST, free_port


def test_a_server_that_does_not_answer_is_named_with_what_to_look_at(capsys):
    base = f"http://{HOST}:{free_port()}/fhir"
    assert main(["conformance", "--base", base]) == 2
    told = capsys.readouterr().err
    assert f"{base}/metadata" in told
    assert "Does the server run" in told


@pytest.mark.parametrize("end", ["?x=1", "#part"])
def test_an_address_with_more_than_a_path_is_refused(capsys, end):
    assert main(["conformance", "--base", f"http://{HOST}/fhir{end}"]) == 2
    assert "no user, query or fragment" in capsys.readouterr().err


def test_a_password_in_the_address_is_refused_and_not_repeated(capsys):
    assert main(["conformance", "--base", f"http://somebody:hidden-word@{HOST}/fhir"]) == 2
    told = capsys.readouterr()
    assert "hidden-word" not in told.out + told.err


def test_the_help_gives_an_example_and_says_what_is_skipped(capsys):
    assert main(["conformance", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "habilis conformance --base http://localhost:8080/fhir" in told
    assert "is skipped" in told
