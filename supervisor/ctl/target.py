"""Find the supervisor that a command is about: by its socket, or by its ini without reading any key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from traptor.supervisor.control.place import socket_path
from traptor.supervisor.ctl.client import Client
from traptor.supervisor.ledger.disk.place import ledger_path

if TYPE_CHECKING:
    from traptor.common.config.sections.supervisor import SupervisorSection

USUAL_SOCKETS = (Path("run/control.sock"), Path("/run/traptor/control.sock"))


class Target:
    """What the operator named on the command line."""

    def __init__(self, config: Path | None, socket: Path | None) -> None:
        self._config = config
        self._socket = socket

    @property
    def client(self) -> Client:
        """The client of the supervisor. Raises click.UsageError and ConfigError."""
        return Client(self._socket or self._of_config() or self._usual())

    @property
    def config(self) -> Path:
        """The ini, for commands that work without a supervisor. Raises click.UsageError."""
        if self._config is None:
            raise click.UsageError("name the ini: traptorctl -c traptor.ini ... (or set TRAPTOR_CONFIG)")
        return self._config

    @property
    def ledger(self) -> Path | None:
        """The file of the gap ledger, if an ini is named and there is one. Raises ConfigError."""
        if self._config is None:
            return None
        path = ledger_path(self._supervisor(self._config).state_dir)
        return path if path.exists() else None

    def _of_config(self) -> Path | None:
        return socket_path(self._supervisor(self._config).run_dir) if self._config is not None else None

    @staticmethod
    def _supervisor(config: Path) -> SupervisorSection:
        # Imported here: with --socket, as a container asks for its health, no ini is read.
        from traptor.common.config.settings import load_sections, load_settings

        # An ini with a problem in this very section: read it whole, for the sake of the error.
        return load_sections(config).supervisor or load_settings(config).supervisor

    def _usual(self) -> Path:
        for path in USUAL_SOCKETS:
            if path.exists():
                return path
        places = " and ".join(map(str, USUAL_SOCKETS))
        raise click.UsageError(
            f"name the supervisor: traptorctl -c traptor.ini ..., or --socket PATH; there is none at {places}"
        )


pass_target = click.make_pass_decorator(Target)
