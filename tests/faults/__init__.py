"""Faults of every kind, at the real product: what its callers see, and what is left when a fault is over.

Each asserts four things: the caller's SDK understands what it is told, other calls of the worker go on, nothing leaks,
and the ledger's row tells the truth. `make test` runs them with few calls, `make faults` with many (counts.py).
"""
