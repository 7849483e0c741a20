"""Nothing is written to a folder that others may change, nor through a link in a file's place."""

from __future__ import annotations

import pytest
from support.configuration import Configuration

from traptor.common.config.settings import Settings
from traptor.common.errors import ConfigError
from traptor.supervisor.host.trust import distrusted, require_trust, written_folders
from traptor.supervisor.reload import read_again

OPTIONS = {
    "run_dir": "[supervisor] run_dir",
    "state_dir": "[supervisor] state_dir",
    "log_dir": "[supervisor] log_dir",
    "output": "[traptor] output",
}


@pytest.fixture
def settings(config: Configuration) -> Settings:
    return load(config)


def load(config: Configuration, **names: str) -> Settings:
    """Settings with all folders in one of the test's, by these names."""
    folder = config.folder
    return config.load(
        config.minimal.replace("jsonl:out", f"jsonl:{folder / names.get('output', 'output')}")
        + f"[supervisor]\nrun_dir = {folder / 'run_dir'}\nstate_dir = {folder / 'state_dir'}\n"
        + f"log_dir = {folder / names.get('log_dir', 'log_dir')}\n"
    )


def problems(settings: Settings) -> list[str]:
    return list(map(str, distrusted(written_folders(settings.traptor, settings.supervisor))))


@pytest.mark.parametrize("option", OPTIONS)
def test_a_folder_that_others_may_change_is_refused_by_its_option(
    config: Configuration, settings: Settings, option: str
) -> None:
    assert problems(settings) == [], "missing folders are made for us alone"
    (config.folder / option).mkdir()
    assert problems(settings) == []
    (config.folder / option).chmod(0o777)
    folder = config.folder / option
    cure = f"everybody may write to {folder}: `chmod go-w {folder}`, or name another folder"
    assert problems(settings) == [f"{OPTIONS[option]}: cannot be trusted: {cure}"]
    with pytest.raises(ConfigError, match="chmod go-w"):
        require_trust(written_folders(settings.traptor, settings.supervisor))


def test_stdout_is_no_folder(config: Configuration) -> None:
    settings = config.load(config.minimal.replace("jsonl:out", "jsonl:-") + "[supervisor]\nlog_dir = -\n")
    named = written_folders(settings.traptor, settings.supervisor)
    assert list(named) == ["[supervisor] run_dir", "[supervisor] state_dir"]
    assert written_folders(None, None) == {}


@pytest.mark.parametrize(
    ("option", "name", "cure"),
    [
        ("log_dir", "supervisor.log", "set log_dir"),
        ("log_dir", "track:0.log", "set log_dir"),
        ("log_dir", "v2:k1.log", "set log_dir"),
        ("output", "follow:0.2.jsonl", "name another folder"),
        ("output", "track:0.notices.jsonl", "name another folder"),
    ],
)
def test_a_file_of_ours_that_is_a_link_is_refused_with_what_to_do(
    config: Configuration, settings: Settings, option: str, name: str, cure: str
) -> None:
    folder = config.folder / option
    folder.mkdir()
    (folder / name).symlink_to(config.folder / "elsewhere")
    assert problems(settings) == [
        f"{OPTIONS[option]}: {folder / name}: it is a link, and links to files are not followed: make its"
        f" folder a link instead, or {cure}"
    ]


def test_an_output_file_is_no_way_to_stdout(config: Configuration, settings: Settings) -> None:
    """`jsonl:-` is: its lines do not tear where workers share it."""
    (config.folder / "output").mkdir()
    (config.folder / "output" / "track:0.jsonl").symlink_to("/dev/stdout")
    [problem] = problems(settings)
    assert "track:0.jsonl: it is a link" in problem


def test_links_that_are_none_of_our_files_are_nobodys_business(
    config: Configuration, settings: Settings
) -> None:
    (config.folder / "disk").mkdir()
    (config.folder / "log_dir").symlink_to(config.folder / "disk")
    (config.folder / "log_dir" / "latest.log").symlink_to("track:0.log")
    (config.folder / "log_dir" / "track:0.log.1").symlink_to("elsewhere")
    (config.folder / "log_dir" / "track:0.log").symlink_to("/dev/stdout")
    (config.folder / "log_dir" / "supervisor.log").symlink_to("/dev/stderr")
    (config.folder / "output").mkdir()
    (config.folder / "output" / "today.jsonl").symlink_to("track:0.jsonl")
    assert problems(settings) == []


def test_a_reload_looks_at_new_folders_and_refuses_none_that_is_in_use(config: Configuration) -> None:
    """New keys must not wait for somebody who changes a mode."""
    running = load(config)
    for name in ("output", "log_dir"):
        (config.folder / name).mkdir()
        (config.folder / name).chmod(0o777)
    assert read_again(running).traptor == running.traptor
    load(config, output="open")
    (config.folder / "open").mkdir()
    (config.folder / "open").chmod(0o777)
    with pytest.raises(ConfigError, match=r"\[traptor\] output: cannot be trusted: everybody may write"):
        read_again(running)
