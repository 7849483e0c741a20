"""The apps of the sandbox's X API v2: credentials, filters, and what is left of their windows.

The endpoints admit and change them; it knows no HTTP.
"""
