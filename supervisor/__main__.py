"""Run `python -m traptor.supervisor`: the same as the command traptor-supervisor."""

from traptor.supervisor.cli import main

main()
