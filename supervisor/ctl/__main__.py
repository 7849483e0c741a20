"""Run `traptorctl` as `python -m traptor.supervisor.ctl`."""

from traptor.supervisor.ctl.cli import main

main(prog_name="traptorctl")
