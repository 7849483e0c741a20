"""The API: HTTP for programs and people that ask for the supervisor's state, or give it an order.

The master starts the server. Requests that read change nothing; orders go to the room below.
"""
