"""Losses and pairings: pure functions of arrays, without parameters."""
