"""Simulates OW-DFA: portraits, forgeries of four families, and captures.

Every class draws its portraits from one distribution. A class is told by the
trace that its forgery leaves in the pixels, and by the capture of its dataset,
as in the real benchmark. `traces` and `capture` say what each of them imitates.
"""
