"""The commands of `traptorctl rules`.

The command line mounts the group of `group`; it asks for nothing but the ini and needs no supervisor.
"""
