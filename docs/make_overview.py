"""Draws the picture of the README from what `make demo` leaves.

  make demo
  python docs/make_overview.py

Left: an image of each class. Right: the outputs that the test images got, one
row per class. A novel output is in the column of the class it is matched to.
"""

import csv
import json
import pathlib

import matplotlib.image
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

ROOT = pathlib.Path(__file__).resolve().parents[1]
IMAGES = ROOT / 'data' / 'simulated'
META = IMAGES / 'Protocol1_openset_fake_meta.csv'
RUN = ROOT / 'runs' / 'demo'
PICTURE = ROOT / '.github' / 'overview.png'
# Told apart by people who do not see red and green alike.
KNOWN, NOVEL = '#1f6aa5', '#c8553d'


def main() -> None:
  """Reads the run's files and writes the picture."""
  report = json.loads((RUN / 'report.json').read_text())
  classes = report['per_class']
  figure = Figure((13.5, 6.5), layout='constrained')
  left, right = figure.subfigures(1, 2, squeeze=False)[0]
  draw_gallery(left, classes, first_images())
  draw_shares(
    right.subplots(squeeze=False)[0, 0],
    classes,
    shares(classes),
    report['all_acc'],
  )
  figure.savefig(PICTURE, dpi=100)
  print(f'written: {PICTURE.relative_to(ROOT)}')


def first_images() -> dict[int, pathlib.Path]:
  """Returns the first image file of each class, by the class's number."""
  found: dict[int, pathlib.Path] = {}
  with META.open(newline='') as file:
    for row in csv.DictReader(file):
      found.setdefault(int(row['label']), META.parent / row['img_path'])
  return found


def shares(classes: list[dict]) -> np.ndarray:
  """Returns float [classes, outputs]: shares of each class's test images.

  Columns are ordered by the class that an output is matched to.
  """
  column = {entry['matched']: i for i, entry in enumerate(classes)}
  row = {entry['name']: i for i, entry in enumerate(classes)}
  counts = np.zeros((len(classes), len(classes)))
  with (RUN / 'attributions.csv').open(newline='') as file:
    for line in csv.DictReader(file):
      counts[row[line['true_source']], column[int(line['output'])]] += 1
  return counts / counts.sum(axis=1, keepdims=True)


def draw_gallery(
  figure: FigureBase, classes: list[dict], images: dict[int, pathlib.Path]
) -> None:
  """Draws an image of each class, framed by whether it is known."""
  figure.suptitle('simulated forgeries: known (blue) and novel (red)')
  axes = figure.subplots(4, 5).flat
  for axis, entry in zip(axes, classes, strict=True):
    axis.imshow(matplotlib.image.imread(images[entry['label']]))
    axis.set_title(entry['name'], fontsize=8, color=colour(entry))
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set(color=colour(entry), linewidth=3)


def draw_shares(
  axis: Axes, classes: list[dict], values: np.ndarray, accuracy: float
) -> None:
  """Draws where each class's test images went; darker is more."""
  axis.set_title(f'where CPL puts the test images (All ACC {accuracy:.1%})')
  axis.imshow(values, cmap='Greys', vmin=0, vmax=1)
  places = range(len(classes))
  axis.set_yticks(places, [entry['name'] for entry in classes])
  outputs = [
    entry['name'] if entry['known'] else f'novel-{entry["matched"]}'
    for entry in classes
  ]
  axis.set_xticks(places, outputs, rotation=90)
  for ticks in axis.get_xticklabels(), axis.get_yticklabels():
    for tick, entry in zip(ticks, classes, strict=True):
      tick.set(color=colour(entry), fontsize=8)
  border = sum(entry['known'] for entry in classes) - 0.5
  for line in axis.axhline, axis.axvline:
    line(border, color='grey', linewidth=0.8)
  axis.set(xlabel='source named', ylabel='true source')


def colour(entry: dict) -> str:
  """Returns the colour of a class."""
  return KNOWN if entry['known'] else NOVEL


if __name__ == '__main__':
  main()
