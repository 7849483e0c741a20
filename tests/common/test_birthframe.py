"""A birth arrives as it was, and its first frame says nothing of what it holds when it cannot be read."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from pathlib import Path

import pytest
from support.births import worker_settings
from support.making_posts import single
from support.making_tweets import rule
from support.planted import SECRET

from traptor.common.birth import Birth, KafkaSettings
from traptor.common.birthframe import birth_frame, read_birth_frame, rules_of
from traptor.common.errors import ProtocolError
from traptor.common.knowledge import Knowledge
from traptor.common.messages import HEADER, MAX_FRAME_BYTES
from traptor.common.pieces import BIRTH, Joint
from traptor.common.rules.rule import GroupId

RULES = (rule("track:0", "r", "storm"), rule("follow:0", "f", "42"))
MEANINGS = (single("1", "track:0", "storm"),)


def make_birth(folder: Path, **different: object) -> Birth:
    kafka = KafkaSettings("b:1", "tweets", True, (("sasl.password", SECRET),), (SECRET,), folder)
    settings = worker_settings(
        folder, kafka=kafka, redis_ca_file=folder / "ca.pem", rate_limits=(("track:*", "5/s"),)
    )
    birth = Birth("track:0.2", 7, GroupId.parse("track:0"), RULES, settings, filters=MEANINGS)
    return replace(birth, **different)  # type: ignore[arg-type]


def arrived(birth: Birth) -> Birth:
    frame, joint = birth_frame(birth), Joint(BIRTH)
    (size,) = HEADER.unpack(frame[: HEADER.size])
    assert size == len(frame) - HEADER.size
    read = read_birth_frame(frame[HEADER.size :])
    assert read.rules == len(birth.rules)
    *before, last = [joint.take(piece) for piece in rules_of(birth)]
    assert not any(before)
    assert last is not None
    return read.birth(last.after(Knowledge()))


@pytest.mark.parametrize(
    "different",
    [
        {},
        {"group": None, "pair": "v2:app", "connection": "v2:app.2"},
        {"drains": True, "generation": 0, "rules": (), "filters": ()},
    ],
)
def test_a_birth_arrives_as_it_was(different: dict[str, object], tmp_path: Path) -> None:
    birth = make_birth(tmp_path, **different)
    came = arrived(birth)
    assert came == birth
    assert came.settings.fingerprint == birth.settings.fingerprint
    for field in fields(birth.settings):
        kinds = [type(getattr(settings, field.name)) for settings in (came.settings, birth.settings)]
        assert kinds[0] is kinds[1], field.name


def test_a_folder_whose_name_is_no_text_arrives_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    birth = make_birth(folder)
    birth = replace(birth, settings=replace(birth.settings, output=f"jsonl:{folder}"))
    assert arrived(birth) == birth


def test_the_keys_of_the_rules_stay_with_the_master(tmp_path: Path) -> None:
    assert arrived(make_birth(tmp_path, keys=frozenset({"a"}))).keys == frozenset()


def test_rules_of_one_group_share_it(tmp_path: Path) -> None:
    came = arrived(make_birth(tmp_path, rules=(RULES[0], rule("track:0", "s", "hail"))))
    assert came.rules[0].group is came.rules[1].group


def test_secrets_are_in_no_repr(tmp_path: Path) -> None:
    frame = birth_frame(make_birth(tmp_path))
    assert SECRET.encode() in frame
    assert SECRET not in repr(read_birth_frame(frame[HEADER.size :]))


@pytest.mark.parametrize("cut", [1, 50, -1])
def test_what_is_no_birth_is_an_error_that_quotes_nothing(cut: int, tmp_path: Path) -> None:
    payload = birth_frame(make_birth(tmp_path))[HEADER.size :]
    for broken in (payload[:cut], payload[cut:], b"", b"\xc0", payload.replace(b"track:0.2", b"\xff" * 9)):
        with pytest.raises(ProtocolError, match=r"^the first frame is no birth$"):
            read_birth_frame(broken)


def test_a_group_that_is_none_is_no_birth(tmp_path: Path) -> None:
    payload = birth_frame(make_birth(tmp_path))[HEADER.size :]
    with pytest.raises(ProtocolError):
        read_birth_frame(payload.replace(b"\xa7track:0\xa8", b"\xa7track;0\xa8")).birth()


def test_settings_that_fit_into_no_frame_are_refused(tmp_path: Path) -> None:
    birth = make_birth(tmp_path)
    with pytest.raises(ProtocolError):
        birth_frame(replace(birth, settings=replace(birth.settings, api="x" * MAX_FRAME_BYTES)))
