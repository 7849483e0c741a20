"""When a stream may bring messages, and why not."""

from __future__ import annotations

import pytest

from traptor.common.messages import OutboxTrouble
from traptor.worker.delivery.intake import Intake

MB = 1 << 20


def look(intake: Intake, waiting_bytes: int, spare_bytes: int = 0) -> bool:
    intake.look(waiting_bytes, lambda: spare_bytes)
    return intake.has_room.is_set()


@pytest.fixture
def intake() -> Intake:
    made = Intake(100 * MB)
    assert look(made, 0)
    return made


def test_the_limit_closes_it_and_a_tenth_less_opens_it(intake: Intake) -> None:
    assert look(intake, 99 * MB)
    assert not look(intake, 100 * MB)
    assert intake.trouble is OutboxTrouble.LIMIT
    assert not look(intake, 91 * MB, 50 * MB)
    assert look(intake, 90 * MB)
    assert intake.trouble is None


def test_a_full_disk_closes_it_until_a_tenth_of_what_waited_is_gone(intake: Intake) -> None:
    intake.refused(OutboxTrouble.DISK, 10 * MB)
    assert not look(intake, 0, 50 * MB)  # what came last is not kept yet
    intake.kept()
    assert not look(intake, 10 * MB)
    intake.refused(OutboxTrouble.DISK, 9 * MB)
    intake.kept()
    assert intake.trouble is OutboxTrouble.DISK
    assert look(intake, 8 * MB)


def test_a_full_disk_opens_it_again_when_somebody_made_room(intake: Intake) -> None:
    intake.refused(OutboxTrouble.DISK, 10 * MB)
    intake.kept()
    assert not look(intake, 10 * MB, 1 * MB)
    assert look(intake, 10 * MB, 2 * MB)


def test_what_cannot_be_written_for_another_reason_opens_it_as_soon_as_it_can(intake: Intake) -> None:
    intake.refused(OutboxTrouble.BROKEN, 10 * MB)
    assert not look(intake, 0)
    intake.kept()
    assert look(intake, 10 * MB)


def test_the_reason_may_change_while_it_is_closed(intake: Intake) -> None:
    assert not look(intake, 100 * MB)
    intake.refused(OutboxTrouble.DISK, 100 * MB)
    assert intake.trouble is OutboxTrouble.DISK
    intake.kept()
    assert not look(intake, 100 * MB, 50 * MB)
    assert intake.trouble is OutboxTrouble.LIMIT
