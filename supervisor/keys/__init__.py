"""The pool of keys: who may connect with which key and when, and what a refusal means.

Reconcile asks the pool; nobody else lends or rests a key.
"""
