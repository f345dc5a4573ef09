"""Soak: kills runs at random moments and compares their results."""
