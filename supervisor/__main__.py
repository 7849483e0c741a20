"""The program traptor-supervisor, also as `python -m traptor.supervisor`."""

from traptor.supervisor.host.importing import importing


def main() -> None:
    """Run the command."""
    with importing():
        from traptor.supervisor.cli import main as command
    command()


if __name__ == "__main__":
    main()
