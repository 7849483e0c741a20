"""What `traptorctl` adds to the commands of the rule kit: matching, samples, and filters at X.

The command line hands `seams` to them.
"""
