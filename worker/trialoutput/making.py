"""Make the trial output of a generation, or remove what an ended trial left."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from traptor.common.birth import Birth, OutboxSettings, WorkerSettings
from traptor.common.files.outboxes import generation_folders, trial_folder
from traptor.common.logs.event import fields, lifecycle
from traptor.worker.delivery.sink import Sink
from traptor.worker.outbox.outbox import Outbox, OutboxError, OutboxInUse
from traptor.worker.trialoutput.output import TrialOutput
from traptor.worker.trialoutput.sinks import TrialKafkaSink, TrialLineSink

log = logging.getLogger(__name__)


def trial_of(birth: Birth) -> TrialOutput | None:
    """Return the trial's output, not yet opened; None without a trial, and what waited for one is removed."""
    if not birth.settings.trial:
        _remove_left(trial_folder(birth.settings.outbox.state_dir, birth.connection), birth.settings.outbox)
        return None
    alone = replace(birth, settings=settings_of_trial(birth.settings))
    return TrialOutput(alone, _sink(alone, birth.settings.trial))


def settings_of_trial(settings: WorkerSettings) -> WorkerSettings:
    """Return the settings of a worker whose only output would be the trial's."""
    kafka = settings.kafka
    if kafka is not None:
        kafka = replace(kafka, topic=settings.trial, topic_option="[traptor] output_trial")
    return replace(settings, payload=settings.trial_payload, other_messages="drop", kafka=kafka, trial="")


def _sink(birth: Birth, name: str) -> Sink:
    settings = birth.settings
    if settings.kafka is not None:
        return TrialKafkaSink(birth, settings.kafka)
    folder = Path(settings.output.partition(":")[2])
    return TrialLineSink(folder / f"{birth.stands_for}.{name}.jsonl")


def _remove_left(folder: Path, settings: OutboxSettings) -> None:
    """Remove outboxes of an ended trial; one that an earlier generation still has open stays."""
    for left in generation_folders(folder):
        try:
            outbox = Outbox.adopt(left, synced=settings.synced, max_bytes=settings.max_bytes)
        except OutboxInUse:
            continue
        except OutboxError as error:
            log.error("an outbox of the ended trial cannot be removed", extra=fields(error=str(error)))
            continue
        if outbox.messages:
            log.warning(
                "what waited for the ended trial is removed", extra=lifecycle(messages=outbox.messages)
            )
        outbox.delete()
