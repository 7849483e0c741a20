"""The stream: one endless HTTP response, read line by line.

The session opens it and is called back with every line.
"""
