"""Bring an app's filters at X into line with a composition: what to ask next, and the asking itself.

The master runs one `Sync` for each app and tells it what is wanted; nothing else changes filters at X.
"""
