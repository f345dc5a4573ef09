"""Writes the table of the heap of a discovery."""

import csv

HEADER = ('image', 'verdict', 'source', 'confidence', 'output', 'error')


def write_heap(folder, *lines):
  """Writes `heap_attributions.csv`.

  Args:
    folder: of the run.
    *lines: values of `HEADER` each.
  """
  with open(folder / 'heap_attributions.csv', 'w', newline='') as file:
    table = csv.writer(file)
    table.writerow(HEADER)
    table.writerows(lines)


def found(image, output, confidence=0.9, source=None, verdict='found'):
  """Returns the line of an image that got an output."""
  name = source or f'novel-{output}'
  return (image, verdict, name, f'{confidence:.4f}', output, '')
