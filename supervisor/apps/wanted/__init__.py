"""The filters that the rules of an app want, the rules that are in effect, and those to match by; pure.

`filtering` composes with it and works out what it tells; `--plan` composes with it too.
"""
