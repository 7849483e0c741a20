"""The life of a rule outside the stream: load, validate, plan, price, count, take back.

`traptorctl rules` and the HTTP service call it; it imports `common` only.
"""
