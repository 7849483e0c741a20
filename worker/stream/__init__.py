"""The stream: one HTTP answer without an end, read line by line.

The session opens it and is called back with every line.
"""
