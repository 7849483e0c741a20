"""The conduct of one key: its connects, failures and rests, and what these let it do now; pure.

The pool of the room above keeps a record for each key; everybody may hold its words, such as `KeyState`.
"""
