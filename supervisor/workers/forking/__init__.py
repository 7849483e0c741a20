"""The forker: a small process that forks the workers in the master's place, which has too much in memory.

The fleet keeps one by `keeper`; a worker's process asks it for its fork and its exit code.
"""
