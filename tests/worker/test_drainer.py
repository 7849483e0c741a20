"""A drain worker delivers what dead generations left, for a trial too, and ends."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from support.deliveries import worker_birth
from support.gatesink import GateSink
from support.outgoing import tweet

from traptor.common.birth import NO_GENERATION, Birth
from traptor.common.files.outboxes import ownerless
from traptor.common.messages import Drained, FromWorker, Report
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.drainer import Drainer
from traptor.worker.trialoutput.output import TrialOutput

LOGS = SimpleNamespace(lost=0, reopen=lambda: None)


def drain_birth(folder: Path) -> Birth:
    return replace(worker_birth(folder, NO_GENERATION), drains=True)


def leave(folder: Path) -> None:
    """What a dead generation left for both outputs."""
    main, trial = (
        Delivery(worker_birth(folder), GateSink(room=0)),
        TrialOutput(worker_birth(folder), GateSink(room=0)),
    )
    main.open()
    main.send(tweet(1))
    trial.open()
    trial.gather([tweet(1)])
    trial.hand_over()
    for output in (main, trial):
        output.drain(time.monotonic())


def drainer(folder: Path, main: GateSink, trial: GateSink, posted: list[FromWorker]) -> Drainer:
    birth = drain_birth(folder)
    outputs = Delivery(birth, main), TrialOutput(birth, trial)
    return Drainer(birth, *outputs, LOGS, posted.append)  # type: ignore[arg-type]  # what it uses of logs


def test_what_was_left_for_either_output_is_delivered_and_told(tmp_path: Path) -> None:
    leave(tmp_path)
    main, trial = GateSink(), GateSink()
    posted: list[FromWorker] = []
    drainer(tmp_path, main, trial, posted).run()
    assert main.delivered == trial.delivered == {"1": 1}
    report, drained = posted
    assert drained == Drained(0)
    assert isinstance(report, Report)
    assert report.trial is not None
    assert (report.counters.redelivered, report.counters.trial["redelivered"]) == (1, 1)
    assert ownerless(tmp_path) == {}


def test_what_a_trial_in_trouble_does_not_take_stays_for_another(tmp_path: Path) -> None:
    leave(tmp_path)
    main, trial = GateSink(), GateSink(room=0)
    trial.trouble = "the topic is missing"
    posted: list[FromWorker] = []
    drainer(tmp_path, main, trial, posted).run()
    assert main.delivered == {"1": 1}
    assert posted[-1] == Drained(0)
    assert ownerless(tmp_path)["track:0"].trial == 1
