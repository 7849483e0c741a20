"""What `traptorctl` does with posts that were collected: compare two forms of them.

The command line mounts the commands; they read files and need no supervisor.
"""
