"""A table of bad inputs, each of which must give one clear line."""
