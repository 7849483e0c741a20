"""`python -m traptor.sandbox`."""

from traptor.sandbox.cli import main

main()
