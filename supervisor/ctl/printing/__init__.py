"""What `traptorctl` prints: tables and overviews for people, JSON for scripts.

The commands of the room above call it; it asks nobody for anything.
"""
