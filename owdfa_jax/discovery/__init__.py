"""Discover novel sources from features, and train in stages on them."""
