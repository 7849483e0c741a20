"""What a value of a rule becomes in X's rule language, and what a filter that stands at X means; pure.

`translate` makes clauses, `clauses` writes filters from them, `reading` reads these back; the room above
calls all three.
"""
