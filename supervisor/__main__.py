"""The program traptor-supervisor, also as `python -m traptor.supervisor`."""

from traptor.supervisor.host.interrupts import interrupts_end_it


def main() -> None:
    """Run the command."""
    with interrupts_end_it():
        from traptor.supervisor.cli import main as command
    command()


if __name__ == "__main__":
    main()
