"""The program traptorctl, also as `python -m traptor.supervisor.ctl`."""

from traptor.supervisor.host.interrupts import interrupts_end_it


def main() -> None:
    """Run the command."""
    with interrupts_end_it():
        from traptor.supervisor.ctl.cli import main as command
    command(prog_name="traptorctl")


if __name__ == "__main__":
    main()
