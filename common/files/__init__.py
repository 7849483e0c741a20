"""Files used by both sides: private folders, outboxes and their marks, room on the disk.

Master and workers call it.
"""
