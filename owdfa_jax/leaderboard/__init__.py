"""Trains many methods with several seeds and compares them in one table."""
