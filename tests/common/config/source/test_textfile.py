"""A configuration file is a regular, small file of UTF-8 text; anything else is refused with a reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from traptor.common.config.source.textfile import MAX_TEXT_BYTES, TextFile, UnreadableText


def test_a_file_comes_with_its_permission_bits(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("füü\n")
    path.chmod(0o640)
    file = TextFile.read(path)
    assert (file.text, file.mode, file.others_may_open) == ("füü\n", 0o640, True)
    path.chmod(0o600)
    assert not TextFile.read(path).others_may_open


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xef\xbb\xbf[a]")
    assert TextFile.read(tmp_path / "file").text == "[a]"


def test_the_line_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"one\ntwo\nthr\xe9e\n")
    with pytest.raises(UnreadableText, match="UTF-8") as caught:
        TextFile.read(tmp_path / "file")
    assert caught.value.line == 3


def test_the_line_with_a_nul_is_told(tmp_path: Path) -> None:
    """librdkafka would take the part before it for a whole password."""
    (tmp_path / "file").write_bytes(b"one\ntw\0o\n")
    with pytest.raises(UnreadableText, match="has a NUL character here; save it as UTF-8") as caught:
        TextFile.read(tmp_path / "file")
    assert caught.value.line == 2


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * MAX_TEXT_BYTES)
    assert len(TextFile.read(tmp_path / "file").text) == MAX_TEXT_BYTES
    (tmp_path / "file").write_bytes(b"x" * (MAX_TEXT_BYTES + 1))
    with pytest.raises(UnreadableText, match="larger than 1048576 bytes"):
        TextFile.read(tmp_path / "file")


def test_a_pipe_a_folder_and_nothing_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, reason in [
        (tmp_path / "pipe", "not a regular file"),
        (tmp_path, "cannot be read|not a regular file"),
        (tmp_path / "nothing", "No such file or directory"),
        (tmp_path / "a\0b", "no file name"),
    ]:
        with pytest.raises(UnreadableText, match=reason):
            TextFile.read(path)


def test_the_text_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("s3cret")
    assert "s3cret" not in repr(TextFile.read(tmp_path / "file"))
