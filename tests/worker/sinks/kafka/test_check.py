"""The look at Kafka of `--check`: whatever is wrong with [kafka] is one sentence, without any broker."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from support.kafka import kafka_birth

from traptor.worker.entry import check_output

NOWHERE = "127.0.0.1:1"


def found(tmp_path: Path, **library: str) -> tuple[bool, str]:
    ours, theirs = multiprocessing.Pipe(duplex=False)
    check_output(kafka_birth(NOWHERE, tmp_path, **library).settings, theirs)
    answer = ours.recv()
    assert isinstance(answer, tuple)
    return answer


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"queuing_strategy": "lifo"}, "queuing.strategy"),  # only a producer refuses it
        ({"max_in_flight": "10"}, "max.in.flight"),  # likewise
        ({"no_such": "1"}, "no.such"),
        ({"default_topic_config": "{}"}, "'str' object has no attribute 'keys'"),  # an AttributeError
    ],
)
def test_an_option_that_no_worker_could_start_with_is_one_sentence(
    tmp_path: Path, option: dict[str, str], words: str
) -> None:
    is_good, text = found(tmp_path, **option)
    assert not is_good
    assert text.startswith("[kafka]: ")
    assert words in text
    assert "look at the options with a dot" in text


def test_an_exception_that_nobody_foresaw_is_a_sentence_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> str:
        raise RuntimeError("the sky fell")

    monkeypatch.setattr("traptor.worker.entry.look_at_kafka", fails)
    assert found(tmp_path) == (False, "RuntimeError: the sky fell")
