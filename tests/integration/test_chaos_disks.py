"""The small disks of the chaos: filled, kept at the end, left out with a sentence where there can be none."""

from __future__ import annotations

import errno
from pathlib import Path

import psutil
import pytest
from chaos_parts import disks as disks_module
from chaos_parts.disks import Disks
from chaos_parts.schedule import FULL_DISKS, Kind, schedule
from support.smalldisk import MakeDisk
from trial.evidence import written_tweets
from trial.folder import TrialFolder
from trial.logtail import LogTail
from trial.smalldisk import NoSmallDisk

MB = 1 << 20


@pytest.fixture
def folder(tmp_path: Path, make_disk: MakeDisk) -> TrialFolder:
    make_disk(tmp_path / "probe", MB)  # skips the test where there can be none
    return TrialFolder(tmp_path / "chaos")


def test_what_is_on_them_is_kept_without_what_filled_them(folder: TrialFolder) -> None:
    said: list[str] = []
    with Disks(folder, Kind.FILL_KAFKA, 64 * MB, said.append) as disks:
        assert disks.by_kind.keys() == FULL_DISKS - {Kind.FILL_OUTPUT}
        (folder.state / "outbox").mkdir()
        (folder.state / "outbox" / "file").write_text("a message")
        (folder.logs / "supervisor.log").write_text("a line\n")
        for disk in disks.by_kind.values():
            disk.fill()
        with pytest.raises(OSError, match="No space left") as raised:
            (folder.state / "more").write_bytes(b"x" * MB)
        assert raised.value.errno == errno.ENOSPC
    assert (folder.state / "outbox" / "file").read_text() == "a message"
    assert (folder.logs / "supervisor.log").read_text() == "a line\n"
    assert {path.name for path in folder.path.iterdir()} == {"state", "logs", "kafka"}
    assert list(folder.kafka.iterdir()) == []
    assert said == []


def test_the_disk_of_the_output_is_filled_and_the_tweets_on_it_are_kept(folder: TrialFolder) -> None:
    said: list[str] = []
    with Disks(folder, Kind.FILL_OUTPUT, 64 * MB, said.append) as disks:
        assert disks.by_kind.keys() == FULL_DISKS - {Kind.FILL_KAFKA}
        (folder.output / "track:0.jsonl").write_text('{"id_str":"1"}\n')
        disks.by_kind[Kind.FILL_OUTPUT].fill()
        with pytest.raises(OSError, match="No space left"):
            (folder.output / "follow:0.jsonl").write_bytes(b"x" * MB)
        (folder.state / "room").write_bytes(b"x" * MB)
        (folder.output / "follow:0.jsonl").unlink()
    assert written_tweets(folder.output) == {"track:0": {"1": 1}}
    assert [path.name for path in folder.output.iterdir()] == ["track:0.jsonl"]
    assert said == []


def test_where_there_can_be_none_the_chaos_says_so_and_goes_on_without(
    folder: TrialFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*, as_user: bool) -> None:
        assert as_user
        raise NoSmallDisk("full disks cannot be tried here: run as root")

    monkeypatch.setattr(disks_module, "enter_mount_namespace", refuse)
    said: list[str] = []
    with Disks(folder, Kind.FILL_KAFKA, 64 * MB, said.append) as disks:
        assert disks.by_kind == {}
    assert said == ["no disk is filled: full disks cannot be tried here: run as root"]
    kinds = schedule(1, 2.0, FULL_DISKS - disks.by_kind.keys())
    assert {next(kinds).kind for _ in range(200)} == set(Kind) - FULL_DISKS


@pytest.mark.parametrize("large", [Kind.FILL_KAFKA, Kind.FILL_OUTPUT])
def test_an_output_that_needs_more_memory_than_there_is_is_left_on_its_disk(
    folder: TrialFolder, large: Kind
) -> None:
    said: list[str] = []
    with Disks(folder, large, psutil.virtual_memory().total, said.append) as disks:
        assert disks.by_kind.keys() == {Kind.FILL_STATE, Kind.FILL_LOGS}
    assert len(said) == 1
    assert said[0].startswith(f"left out: {large}: ")
    assert "let it run for fewer minutes" in said[0]


def test_lines_that_a_full_disk_tore_are_no_records(tmp_path: Path) -> None:
    log = tmp_path / "supervisor.log"
    log.write_text('{"message":"one"}\n{"message":"tw\n{"message":"three"}\n{"mess')
    assert [record["message"] for record in LogTail(log).read_on()] == ["one", "three"]
