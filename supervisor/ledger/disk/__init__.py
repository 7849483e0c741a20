"""The ledger's file: its schema, its writer and its reader.

The writer's thread and the threads that answer questions call it; nothing else opens the file.
"""
