"""The fault campaign: everything that can go wrong on the way, at random, and the emulator's own state as the judge.

``python -m chaos --help``; what it injects and what it compares is in docs/chaos.md.
"""
