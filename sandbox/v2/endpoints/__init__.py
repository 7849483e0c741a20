"""X's own endpoints: admission, the requests' content, and the responses.

The service gives them their routes; `gate` stands before each of them.
"""
