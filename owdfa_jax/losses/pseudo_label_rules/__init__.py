"""Pseudo-label rules, one a file; `by_name.RULES` lists them."""
