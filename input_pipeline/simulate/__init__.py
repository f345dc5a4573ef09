"""Simulated OW-DFA: faces, forgeries with family-typical traces, captures."""
