"""The endpoints of the rule kit: validation, figures, and the original's Manager API.

The routes of the API mount `rooms`.
"""
