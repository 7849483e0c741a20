"""The ledger's file: its schema, what writes to it and what reads it.

The writer's thread and the readers of questions call it; nobody else opens the file.
"""
