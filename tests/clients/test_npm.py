"""An integrator's day with clients from npm: no step needs a work-around in the script."""

import os
import subprocess

import pytest

from tests import npm

DAYS = {
    "fhir-kit-client": [
        "capabilities", "create", "update", "conditional update", "JSON Patch", "history", "history of a type",
        "version", "transaction", "pages", "previous page", "include and revinclude", "search by POST", "compartment",
        "$everything", "batch",
    ],
    "fhirclient": ["create", "update", "JSON Patch", "transaction", "patient", "pages", "references", "content"],
    "medplum": [
        "create", "conditional create", "update", "conditional update", "JSON Patch", "history", "version", "validate",
        "transaction", "patient", "pages", "everything",
    ],
}  # fmt: skip


@pytest.mark.live
@pytest.mark.npm
@pytest.mark.parametrize("client", DAYS)
def test_every_step_of_the_day_works(client, day):
    npm.install()
    command = ["node", "day.mjs", client, day.base, day.patient]
    ran = subprocess.run(
        command,
        cwd=npm.BUILD,
        env=os.environ | day.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert [line for line in ran.stdout.splitlines() if line in DAYS[client]] == DAYS[client], ran.stdout + ran.stderr
