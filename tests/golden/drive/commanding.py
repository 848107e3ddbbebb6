"""What the two command lines say of themselves, and the rules' answers to the example scenario."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.golden.recording import Asking

ROOT = Path(__file__).resolve().parents[3]
SERVER = ("-c", "import sys; from fhir_server.cli import main; sys.argv[0] = 'habilis'; sys.exit(main())")
RULES = ("-m", "consent_rules")


def run(asking: Asking) -> None:
    """Ask each command for its help, down to the last subcommand, then run what needs no server."""
    for command in (SERVER, RULES):
        _help(asking, command, ())
    scenario = "docs/examples/scenario.toml"
    for words in (("explain", scenario), ("explain", scenario, "--language", "en"), ("simulate", scenario),
    ("audience", scenario),
                  ("simulate", scenario, "--profession", "10"), ("check", "2023-10-26"), ("diff", "2023-10-26",
                  "2023-10-26"),
                  ("explain", "nothing.toml"), ("nonsense",), ()):  # fmt: skip
        _run(asking, RULES, words)
        _run(asking, SERVER, ("rules", *words))
    for words in ((), ("nonsense",), ("serve", "--nonsense"), ("clients", "add"), ("--version",), ("users",)):
        _run(asking, SERVER, words)


def _help(asking: Asking, command: tuple[str, ...], words: tuple[str, ...]) -> None:
    text = _run(asking, command, (*words, "--help"))
    listed = re.search(
        r"^(?:commands|Commands|positional arguments):\n(.*?)(?:\n\n|\Z)", text, re.MULTILINE | re.DOTALL
    )
    indent = 2 if "\nCommands:\n" in text else 4  # click, argparse
    for name in re.findall(rf"^ {{{indent}}}([a-z][a-z-]+)\b", listed[1], re.MULTILINE) if listed else ():
        if name != "rules" and len(words) < 2:
            _help(asking, command, (*words, name))


def _run(asking: Asking, command: tuple[str, ...], words: tuple[str, ...]) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HABILIS_")}
    done = subprocess.run(
        [sys.executable, *command, *words],
        cwd=ROOT,
        env={**kept, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [asking.record.normal.text(line) for line in (done.stdout + done.stderr).splitlines()]
    asking.record.add(
        f"{'habilis' if command is SERVER else 'consent_rules'} {' '.join(words)}", status=done.returncode, body=lines
    )
    return done.stdout
