"""Figures of Traptor, each beside its floor or peer; run by scripts/bench."""
