"""Translate values of rules into X's rule language, and filters at X back into clauses; pure.

`translate` makes clauses, `clauses` writes filters from them, `reading` reads these back; the room above
calls all three.
"""
