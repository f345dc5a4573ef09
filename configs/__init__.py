"""One file per method; `file.py:benchmark` picks the data it runs on."""
