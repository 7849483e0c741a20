"""docs/sandbox.md shows requests that work and lists every option."""

import shlex

import pytest
import requests
from support.paths import ROOT
from support.waiting import DEADLINE_S

from traptor.sandbox.cli import main
from traptor.sandbox.faults.fault import FaultKind
from traptor.sandbox.v2.apps.windows import Endpoint
from traptor.sandbox.v2.faults.kinds import V2FaultKind
from traptor.sandbox.v2.problems import NAMED

DOCS = (ROOT / "docs" / "sandbox.md").read_text()
CURLS = [line.strip() for line in DOCS.splitlines() if line.startswith("    curl ")]


@pytest.mark.parametrize("line", CURLS)
def test_every_request_shown_is_answered(world, line):
    words = shlex.split(line)
    method = words[words.index("-X") + 1] if "-X" in words else "GET"
    body = words[words.index("-d") + 1] if "-d" in words else None
    url = next(word for word in words if word.startswith("localhost:8080"))
    answer = requests.request(method, url.replace("localhost:8080", world.url), data=body, timeout=DEADLINE_S)
    assert answer.status_code == 200, answer.text


def test_every_option_and_every_fault_is_explained():
    options = {name for option in main.params for name in option.opts}
    assert not [name for name in sorted(options) if f"`{name}" not in DOCS]
    assert not [kind for kind in FaultKind if f"| `{kind}` |" not in DOCS]


def test_every_fault_problem_and_endpoint_of_v2_is_explained():
    chapter = DOCS.partition("### Faults of the X API v2")[2]
    names = [*V2FaultKind, *NAMED, *Endpoint]
    assert not [name for name in names if f"`{name}`" not in chapter]
