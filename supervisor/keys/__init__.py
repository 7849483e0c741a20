"""The pool of keys: who may connect with which key and when, and what a refusal means.

Reconcile asks the pool; nothing else lends or rests a key.
"""
