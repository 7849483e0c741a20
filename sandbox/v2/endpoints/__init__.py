"""X's own endpoints: who is admitted, what a request asks for, and how it is answered.

The service gives them their routes; `gate` stands before each of them.
"""
