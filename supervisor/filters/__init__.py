"""From rules to filters in an app at X (v2 only): translate values, compose filters, bring them into effect.

The connections' planner asks for a composition; the sync alone changes filters at X.
"""
