"""Reads the CSV files that commands write."""

import csv


def read_csv(path):
  """Returns the lines of a CSV file as dicts by column."""
  with open(path, newline='') as file:
    return list(csv.DictReader(file))
