"""Checks that need more than a Python and take longer than a test may: each has its own `make` target."""
