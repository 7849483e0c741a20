"""The pieces of a fill: how far it came, what the next piece asks for, and what the end of one means; pure.

The room above decides by it; `--plan` asks `queries` what a gap would need.
"""
