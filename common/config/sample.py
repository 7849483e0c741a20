"""Prints what is generated from the option table: `python -m traptor.common.config.sample ini|docs`."""

from __future__ import annotations

import argparse
import sys

from traptor.common.config.docs import configuration_page
from traptor.common.config.sampleini import sample_ini

TEXTS = {"ini": sample_ini, "docs": configuration_page}


def main() -> None:
    """Print the sample traptor.ini or docs/configuration.md."""
    parser = argparse.ArgumentParser(prog="python -m traptor.common.config.sample", description=main.__doc__)
    parser.add_argument("what", choices=TEXTS)
    sys.stdout.write(TEXTS[parser.parse_args().what]())


if __name__ == "__main__":
    main()
