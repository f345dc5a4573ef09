"""Draws an overview of a run: example images, and a matrix of shares.

Importing Matplotlib takes a second; only what draws imports this module.
"""

import dataclasses
import io
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from input_pipeline import escape
from owdfa_jax.evaluation.overview_data import Overview

# Blue and vermilion of the palette of Okabe and Ito, which people with colour
# vision deficiency can tell apart. The map goes from light to dark in one hue.
KNOWN, NOVEL, TEXT, RULE = '#0072b2', '#c04e00', '#24292f', '#8a8f96'
COLOUR_MAP = 'Blues'
# In inches; the picture is shown 100 pixels to the inch.
WIDTH, MARGIN, TITLE = 8.3, 0.08, 0.36
# The largest height of a row that the images do not ask for.
ROW = 0.24
GRID_COLUMNS, IMAGE, IMAGE_NAME, IMAGE_GAP = 4, 0.72, 0.27, 0.08
# Approximate width of a letter of the labels, and their size in points.
LETTER, LABEL_SIZE = 0.062, 7.5
MOST_LETTERS = 28
# Smaller shares have no number: it would be 0, and no tint is visible.
LEAST_NUMBER = 0.005


@dataclasses.dataclass(frozen=True)
class Layout:
  """Where the parts of the picture are, in inches from the top left corner.

  Attributes:
    grid_right: the right edge of the example images.
    labels_left: the left edge of the matrix' labels.
    matrix_left: the left edge of the matrix.
    matrix_height: the height of the matrix.
    cell: the width of a cell of the matrix.
    height: the height of the picture.
  """

  grid_right: float
  labels_left: float
  matrix_left: float
  matrix_height: float
  cell: float
  height: float

  def axes(
    self, figure: Figure, left: float, top: float, width: float, height: float
  ) -> Axes:
    """Adds axes to a figure at a place in inches."""
    bottom = self.height - top - height
    return figure.add_axes(
      (left / WIDTH, bottom / self.height, width / WIDTH, height / self.height)
    )

  def title(
    self,
    figure: Figure,
    x: float,
    words: str,
    colour: str = TEXT,
    align: Literal['left', 'right'] = 'left',
  ) -> None:
    """Writes into the line of titles, at a place in inches."""
    y = 1 - 0.09 / self.height
    style = {'color': colour, 'ha': align, 'va': 'top'}
    figure.text(x / WIDTH, y, words, fontdict=style, fontsize=9)


def make_layout(overview: Overview) -> Layout:
  """Returns the layout that fits the number and the names of the sources."""
  num_sources, num_outputs = overview.share.shape
  grid_right = MARGIN + GRID_COLUMNS * (IMAGE + IMAGE_GAP) - IMAGE_GAP
  labels_left = grid_right + 0.28
  matrix_left = labels_left + LETTER * _longest(overview.sources) + 0.1
  cell = (WIDTH - MARGIN - matrix_left) / num_outputs
  labels_height = LETTER * _longest(overview.outputs) + 0.32
  grid_height = math.ceil(num_sources / GRID_COLUMNS) * (IMAGE + IMAGE_NAME)
  # Square cells, unless the images need more room or the cells are very wide.
  matrix_height = max(min(cell, ROW) * num_sources, grid_height - labels_height)
  height = TITLE + matrix_height + labels_height + MARGIN
  return Layout(
    grid_right, labels_left, matrix_left, matrix_height, cell, height
  )


def short_name(name: str) -> str:
  """Returns a name for a label, shortened at its end."""
  return name if len(name) <= MOST_LETTERS else f'{name[: MOST_LETTERS - 1]}…'


def _longest(names: Sequence[str]) -> int:
  return max(len(short_name(name)) for name in names)


def draw_overview(overview: Overview) -> bytes:
  """Draws a test image of each source beside the matrix of shares.

  Args:
    overview: what to draw.

  Returns:
    A PNG file, 1660 pixels wide: sharp when shown 830 pixels wide.
  """
  layout = make_layout(overview)
  figure = Figure((WIDTH, layout.height))
  layout.title(figure, MARGIN, 'A test image of each source')
  # The legend of the colours, at the right end of the images.
  right = layout.grid_right
  layout.title(figure, right - 0.45, 'known', KNOWN, 'right')
  layout.title(figure, right, 'novel', NOVEL, 'right')
  layout.title(
    figure,
    layout.labels_left,
    f'The outputs of the test images, in percent ({overview.figure})',
  )
  for number, (name, image) in enumerate(
    zip(overview.sources, overview.examples, strict=True)
  ):
    row, column = divmod(number, GRID_COLUMNS)
    left = MARGIN + column * (IMAGE + IMAGE_GAP)
    top = TITLE + row * (IMAGE + IMAGE_NAME) + IMAGE_NAME
    axes = layout.axes(figure, left, top, IMAGE, IMAGE)
    draw_example(axes, image, name, source_colour(overview, number))
  matrix_width = layout.cell * len(overview.outputs)
  matrix = layout.axes(
    figure, layout.matrix_left, TITLE, matrix_width, layout.matrix_height
  )
  draw_matrix(matrix, overview, layout.cell)
  drawn = io.BytesIO()
  figure.savefig(drawn, format='png', dpi=200)
  return reduce_colours(drawn.getvalue())


def reduce_colours(png: bytes) -> bytes:
  """Returns a PNG file with 256 colours, about a quarter of the size."""
  picture = Image.open(io.BytesIO(png)).convert('RGB')
  # Without dithering the text and the empty parts stay free of noise.
  picture = picture.quantize(256, dither=Image.Dither.NONE)
  file = io.BytesIO()
  picture.save(file, format='png', optimize=True)
  return file.getvalue()


def source_colour(overview: Overview, source: int) -> str:
  """Returns the colour of a source: known, novel, or neither."""
  if overview.has_heap and source == len(overview.sources) - 1:
    return TEXT
  return KNOWN if source < overview.num_known_sources else NOVEL


def draw_example(axes: Axes, image: np.ndarray, name: str, colour: str) -> None:
  """Draws an image with a coloured frame and its source's name above it.

  Args:
    axes: drawn on.
    image: uint8 [H, W, 3].
    name: the source's name; a long one is broken at a hyphen.
    colour: the colour of the frame and the name.
  """
  axes.imshow(image)
  axes.set_xticks([])
  axes.set_yticks([])
  axes.spines[:].set(color=colour, linewidth=1.6)
  name = escape.picture(name)
  if len(name) > 13:
    name = '-\n'.join(name.rsplit('-', 1))
  axes.set_title(name, fontsize=6.5, color=colour, pad=2, linespacing=0.95)


def draw_matrix(axes: Axes, overview: Overview, cell: float) -> None:
  """Draws the share of each source's images in each output.

  Args:
    axes: drawn on.
    overview: what to draw.
    cell: the width of a cell in inches. Numbers need 0.16.
  """
  share = overview.share
  axes.imshow(share, cmap=COLOUR_MAP, vmin=0, vmax=1, aspect='auto')
  if cell >= 0.16:
    for row, column in np.argwhere(share >= LEAST_NUMBER):
      value = share[row, column]
      axes.text(
        column,
        row,
        f'{100 * value:.0f}',
        ha='center',
        va='center_baseline',
        fontsize=6.5,
        color='white' if value > 0.5 else TEXT,
      )
  sources = [escape.picture(short_name(name)) for name in overview.sources]
  outputs = [escape.picture(short_name(name)) for name in overview.outputs]
  axes.set_yticks(range(len(sources)), sources)
  axes.set_xticks(range(len(outputs)), outputs, rotation=90)
  axes.tick_params(length=0, labelsize=min(LABEL_SIZE, 65 * cell), pad=3)
  for number, label in enumerate(axes.get_yticklabels()):
    label.set_color(source_colour(overview, number))
  for number, label in enumerate(axes.get_xticklabels()):
    label.set_color(KNOWN if number < overview.num_known_outputs else NOVEL)
  # Known above novel sources, known classes left of novel outputs.
  rules = {overview.num_known_sources}
  if overview.has_heap:
    rules.add(len(overview.sources) - 1)
  for row in rules:
    axes.axhline(row - 0.5, color=RULE, linewidth=0.8)
  axes.axvline(overview.num_known_outputs - 0.5, color=RULE, linewidth=0.8)
  axes.spines[:].set(color=RULE, linewidth=0.8)
  axes.set_xlabel('output', fontsize=8, color=TEXT)
