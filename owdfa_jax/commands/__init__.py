"""The command line: `owdfa COMMAND`, and what `main.py` runs."""
