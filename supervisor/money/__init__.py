"""Counts of what X bills to an app, by kind, with prices and the operator's caps; pure.

The master adds what workers report and asks whether a cap is reached; `--plan` asks for prices.
"""
