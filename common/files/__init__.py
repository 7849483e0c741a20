"""What both sides keep in files: folders nobody else may change, outboxes and their marks, room on the disk.

Master and workers call it.
"""
