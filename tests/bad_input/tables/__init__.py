"""The bad inputs, a module for each area."""
