"""Messages for sinks, and whom a sink tells what became of them."""

from __future__ import annotations

import json
from pathlib import Path

from traptor.worker.delivery.sink import Handed, Ticket
from traptor.worker.outbox.message import Outgoing
from traptor.worker.outbox.outbox import Batch, Outbox


def tweet(number: int, filler: int = 0) -> Outgoing:
    body = json.dumps({"id": number, "filler": "x" * filler}).encode()
    return Outgoing(body=body, tweet_id=str(number), rule_ids=("1",))


def other(number: int) -> Outgoing:
    return Outgoing(body=json.dumps({"delete": number}).encode(), tweet_id=None, rule_ids=())


class Heard:
    """Keeps what a sink told, by the numbers of `Heard.ticket`."""

    def __init__(self) -> None:
        self.delivered_numbers: list[int] = []
        self.dead: list[int] = []
        self.back: list[int] = []

    @staticmethod
    def ticket(number: int) -> Ticket:
        outbox = Outbox(Path("3"), -1, synced=False, max_bytes=1)
        return Ticket(Handed(outbox, Batch(1, 1, 1), is_adopted=False), number)

    def delivered(self, ticket: Ticket) -> None:
        self.delivered_numbers.append(ticket.position)

    def is_dead(self, ticket: Ticket) -> None:
        self.dead.append(ticket.position)

    def came_back(self, ticket: Ticket) -> None:
        self.back.append(ticket.position)
