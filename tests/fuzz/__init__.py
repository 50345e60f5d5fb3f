"""python -m tests.fuzz: what nobody would send, fed to what reads what strangers send, until the time is up.

Each target is a module here with a TARGET (target.py): what it begins with, and a check that raises where something is
wrong. Where atheris is installed (make fuzz installs it) coverage guides what is tried (guided.py), else chance does
(blind.py), as in the short run of every target that is part of the tests.
"""
