"""The program traptorctl, also as `python -m traptor.supervisor.ctl`."""

from traptor.supervisor.host.importing import importing


def main() -> None:
    """Run the command."""
    with importing():
        from traptor.supervisor.ctl.cli import main as command
    command(prog_name="traptorctl")


if __name__ == "__main__":
    main()
