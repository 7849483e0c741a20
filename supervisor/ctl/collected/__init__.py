"""What `traptorctl` does with posts that were collected: compare two forms, ask X what must be deleted.

The command line mounts the commands; they read files and need no supervisor.
"""
