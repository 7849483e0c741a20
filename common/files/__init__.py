"""Files used by both sides: private folders, outboxes and their marks, counts of reads, room on the disk.

Master and workers call it.
"""
