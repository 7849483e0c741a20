"""Rules in Redis: read a type, lock it for one writer, write a group in one step with its history.

The commands call it; nothing else of the rule kit writes to Redis.
"""
