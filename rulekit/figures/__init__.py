"""What each rule brought, from the counts that workers keep in Redis.

The commands and the HTTP service read them; `figure` judges by a rule's own usual interval and is pure.
"""
