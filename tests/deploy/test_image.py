"""The image and the compose file: a linter's view, and that their parts fit together."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.configuration import own_key_file
from support.inventory import package_folders
from support.paths import DEPLOY, ROOT

from traptor.common.config.settings import load_settings

CONTAINER = DEPLOY / "container"
DOCKERFILE = CONTAINER / "Dockerfile"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CONTAINER / "compose.yaml").read_text())
    return found["services"]


def test_hadolint_finds_no_fault_with_the_dockerfile() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_the_dockerfile_copies_exists_and_is_not_ignored() -> None:
    copied = [
        word
        for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE.read_text(), re.MULTILINE)
        for word in line.split()[:-1]
        if not word.startswith("--")
    ]
    ignore = (CONTAINER / "Dockerfile.dockerignore").read_text().splitlines()
    admitted = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    assert copied
    assert set(copied) == admitted
    assert set(package_folders()) < admitted
    assert all((ROOT / name).exists() for name in copied)


def test_the_image_does_not_run_as_root() -> None:
    users = re.findall(r"^USER (\S+)$", DOCKERFILE.read_text(), re.MULTILINE)
    assert users == ["10001:10001"]


def test_the_images_settings_load_with_the_variables_of_compose(
    services: dict[str, Any], tmp_path: Path
) -> None:
    ini = (CONTAINER / "traptor.ini").read_text()
    environment = services["traptor"]["environment"]
    assert set(re.findall(r"\$\{(\w+)\}", ini)) == set(environment)
    values = {name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", value) for name, value in environment.items()}
    [secret] = services["traptor"]["secrets"]
    assert f"/run/secrets/{secret}" in ini
    (tmp_path / "traptor.ini").write_text(ini.replace("/run/secrets", str(tmp_path)))
    own_key_file(tmp_path / secret)
    settings = load_settings(tmp_path / "traptor.ini", values)
    assert not settings.warnings
    assert settings.supervisor.log_dir is None
    grace_s = int(services["traptor"]["stop_grace_period"].removesuffix("s"))
    assert grace_s >= settings.supervisor.drain_timeout + 10


def test_what_the_supervisor_writes_to_is_writable_in_a_read_only_container(services: dict[str, Any]) -> None:
    traptor = services["traptor"]
    assert traptor["read_only"]
    writable = [*traptor["tmpfs"], *(volume.partition(":")[2] for volume in traptor["volumes"])]
    ini = (CONTAINER / "traptor.ini").read_text()
    for folder in re.findall(r"^(?:run|state)_dir = (\S+)$", ini, re.MULTILINE):
        assert any(Path(folder).is_relative_to(place.partition(":")[0]) for place in writable), folder


def test_traptor_waits_for_what_it_needs(services: dict[str, Any]) -> None:
    for name, needed in services["traptor"]["depends_on"].items():
        assert needed == {"condition": "service_healthy"}
        assert services[name]["healthcheck"]["test"], name
