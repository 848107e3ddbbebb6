"""The command line: what a newcomer types, and what it answers."""

import json
import re
import socket
import subprocess
import sys
from dataclasses import replace

import click
import pytest

from fhir_server.application.identity import clients
from fhir_server.cli import habilis, main


@pytest.fixture(autouse=True)
def _settings(monkeypatch, tmp_path):
    monkeypatch.setenv("HABILIS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("HABILIS_ACCEPT_INFERRED_MATRIX", "yes")
    monkeypatch.setenv("HABILIS_LOG_LEVEL", "ERROR")


def said(capsys):
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_keys_are_created_once_and_rotated(capsys):
    assert main(["keys", "create"]) == 0
    assert main(["keys", "create"]) == 2
    assert main(["schema"]) == 0
    assert main(["keys", "rotate"]) == 0
    assert "wraps" in said(capsys)


def test_without_keys_the_store_does_not_open(capsys):
    assert main(["clients", "list"]) == 2
    assert "habilis:" in said(capsys)


def test_a_matrix_with_inferred_grants_stops_no_command_beside_a_server(monkeypatch):
    main(["keys", "create"])
    monkeypatch.setenv("HABILIS_ACCEPT_INFERRED_MATRIX", "no")
    assert main(["clients", "list"]) == 0
    assert main(["users", "list"]) == 0


def test_a_taken_address_is_refused(monkeypatch, capsys):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        monkeypatch.setenv("HABILIS_PORT", str(held.getsockname()[1]))
        assert main(["serve"]) == 2
    assert "HABILIS_PORT" in said(capsys)


def test_a_client_is_added_listed_rekeyed_and_disabled(capsys):
    main(["keys", "create"])
    scope = "patient/DocumentReference.rs"
    add = ["clients", "add", "app", "--name", "App", "--kind", "patient-app", "--scopes", scope]
    assert main([*add, "--secret", "--redirect-uri", "https://app.example/cb"]) == 0
    assert main([*add, "--secret"]) == 2
    assert main(["clients", "rotate", "app"]) == 0
    assert main(["clients", "disable", "app"]) == 0
    assert main(["clients", "disable", "nobody"]) == 2
    capsys.readouterr()
    assert main(["clients", "list"]) == 0
    assert said(capsys).split("\t") == ["app", "patient-app", "client_secret_basic", "disabled", f"{scope}\n"]


def test_a_client_that_an_earlier_version_stored_is_still_known(runtime):
    clients.register(runtime, clients.Client("app", "App", clients.ClientKind.PATIENT_APP, ("https://app.example/cb",)))
    entry = runtime.ports.vault.get(clients.KIND, "app", runtime.ports.clock.now())
    older = json.loads(entry.value) | {"launch_uris": []}
    assert runtime.ports.vault.replace(replace(entry, key="app", value=json.dumps(older).encode()))
    assert clients.find(runtime, "app").name == "App"


def test_a_private_key_is_not_taken_for_a_public_one(tmp_path, capsys):
    main(["keys", "create"])
    keys = tmp_path / "jwks.json"
    keys.write_text(json.dumps({"keys": [{"kty": "EC", "d": "secret"}]}))
    add = ["clients", "add", "b", "--name", "B", "--kind", "backend", "--scopes", "system/DocumentReference.c"]
    assert main([*add, "--jwks", str(keys)]) == 2
    assert "private key" in said(capsys)


def test_a_card_reader_is_registered_with_a_key_and_without_a_scope(tmp_path, capsys):
    main(["keys", "create"])
    private, public = str(tmp_path / "private.json"), str(tmp_path / "public.json")
    assert main(["clients", "make-keys", private, public]) == 0
    add = ["clients", "add", "reader", "--name", "Lecteur", "--scopes", "", "--card-reader"]
    assert main([*add, "--kind", "backend"]) == 2
    assert main([*add, "--kind", "resource-server", "--jwks", public]) == 2
    assert "--card-reader" in said(capsys)
    assert main([*add, "--kind", "backend", "--jwks", public]) == 0
    capsys.readouterr()
    assert main(["clients", "show", "reader"]) == 0
    shown = json.loads(said(capsys))
    assert (shown["card_reader"], shown["scopes"]) == (True, "")
    assert main(["clients", "edit", "reader", "--no-card-reader"]) == 2, "without a scope it would be for nothing"
    assert main(["clients", "edit", "reader", "--no-card-reader", "--scopes", "system/DocumentReference.c"]) == 0


def test_the_rules_answer_without_a_server(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["rules", "-h"])
    assert ended.value.code == 0
    assert "simulate" in said(capsys)


def test_all_but_emergencies_is_stopped_and_served_again_by_one_command(capsys):
    """P10.5, K2."""
    main(["keys", "create"])
    capsys.readouterr()
    assert main(["emergencies-only", "status"]) == 0
    assert said(capsys) == "everybody is served\n"
    assert main(["emergencies-only", "on"]) == 2
    assert main(["emergencies-only", "on", "--reason", " "]) == 2
    assert "--reason" in said(capsys)
    assert main(["emergencies-only", "on", "--reason", "release 42", "--by", "eve"]) == 0
    assert re.fullmatch(r"only emergencies are served, since \S+ \S+ UTC, by eve: release 42\n", said(capsys))
    assert main(["emergencies-only", "on", "--reason", "another", "--by", "bob"]) == 0
    assert "by eve: release 42" in said(capsys), "the first reason stays"
    assert main(["emergencies-only", "status"]) == 0
    assert "by eve: release 42" in said(capsys)
    assert main(["emergencies-only", "off"]) == 0
    assert said(capsys).startswith("everybody is served again; only emergencies were served since ")
    assert main(["emergencies-only", "off"]) == 0
    assert said(capsys) == "everybody is served\n"


def test_who_stops_the_service_is_the_account_of_the_machine_when_nobody_is_named(monkeypatch, capsys):
    main(["keys", "create"])
    capsys.readouterr()
    monkeypatch.setenv("LOGNAME", "oncall")
    assert main(["emergencies-only", "on", "--reason", "release 42"]) == 0
    assert f"by oncall@{socket.gethostname()}: release 42" in said(capsys)


def test_neither_matrix_nor_profile_stand_in_the_way_of_a_stop(monkeypatch, capsys):
    """P10.5: whatever a bad release brought with it, one command stops it."""
    main(["keys", "create"])
    monkeypatch.setenv("HABILIS_ACCEPT_INFERRED_MATRIX", "no")
    monkeypatch.setenv("HABILIS_MATRIX_DIR", "nowhere")
    monkeypatch.setenv("HABILIS_RULE_PROFILE", "nowhere.toml")
    assert main(["emergencies-only", "on", "--reason", "release 42", "--by", "eve"]) == 0
    assert "only emergencies are served" in said(capsys)
    assert main(["emergencies-only", "off"]) == 0


def test_without_a_store_the_stop_says_that_it_did_not_happen(capsys):
    assert main(["emergencies-only", "on", "--reason", "release 42"]) == 2
    assert "habilis:" in said(capsys)


# --- what it says of itself -------------------------------------------------------------------------------------------


def all_commands(group: click.Group = habilis, above: tuple[str, ...] = ()) -> dict[tuple[str, ...], click.Command]:
    """Return every command by its words; `rules` has a command line of its own."""
    found = {}
    context = click.Context(group, info_name=" ".join(above))
    for name in group.list_commands(context):
        _, command, _ = group.resolve_command(context, [name])
        if isinstance(command, click.Group):
            found |= all_commands(command, (*above, name))
        elif name != "rules":
            found[*above, name] = command
    return found


def test_every_command_and_every_option_says_what_it_does():
    for words, command in all_commands().items():
        assert command.help, words
        options = [option for option in command.params if isinstance(option, click.Option)]
        assert [option.name for option in options if not option.help] == [], words


def test_the_help_of_a_group_shortens_no_sentence(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    for words in ((), ("users",), ("clients",)):
        assert main([*words, "--help"]) == 0
        assert "..." not in said(capsys).replace("[ARGS]...", "")


def test_the_list_of_commands_says_of_each_what_its_own_help_begins_with():
    context = click.Context(habilis)
    for name, listed in habilis.commands.items():
        _, command, _ = habilis.resolve_command(context, [name])
        assert command.get_short_help_str(200) == listed.get_short_help_str(200)


def test_a_command_line_without_a_command_shows_the_help_and_fails(capsys):
    for words in ([], ["users"], ["clients"]):
        assert main(words) == 2
        assert "Commands:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["serv"], "no such command 'serv'. (Did you mean one of: 'serve', 'users'?) See `habilis --help`."),
        (["users", "add"], "missing argument 'LOGIN'. See `habilis users add --help`."),
        (["users", "add", "x"], "missing option '--display'. See `habilis users add --help`."),
        (["users", "list", "--dmo"], "no such option '--dmo'. Did you mean '--demo'? See `habilis users list --help`."),
        (["keys", "make"], "ACTION: 'make' is not one of 'create', 'rotate', 'rotate-signing'."),
        (["seed", "--patients", "x"], "--patients: 'x' is not a valid integer range."),
        (["restore", "a", "b"], "got unexpected extra argument (b). See `habilis restore --help`."),
    ],
)
def test_a_wrong_word_is_told_in_one_line_that_says_what_to_do(capsys, words, told):
    assert main(words) == 2
    assert capsys.readouterr().err == f"habilis: {told}\n"


@pytest.mark.parametrize("word", ["--help", "--version"])
def test_help_and_version_load_no_server(word):
    code = f"import sys; from fhir_server.cli import main; main([{word!r}]); print('fhir_server.app' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).endswith("False\n")


@pytest.mark.parametrize(
    ("typed", "offered"), [("habilis emer", ["emergencies-only"]), ("habilis users se", ["set-password"])]
)
def test_a_shell_completes_commands(monkeypatch, capsys, typed, offered):
    words = typed.split()
    monkeypatch.setenv("_HABILIS_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    with pytest.raises(SystemExit):
        main([])
    assert capsys.readouterr().out.split() == [f"plain,{word}" for word in offered]
