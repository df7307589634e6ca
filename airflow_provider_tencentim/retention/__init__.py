"""Retention: which messages have had their time, and what becomes of them."""
