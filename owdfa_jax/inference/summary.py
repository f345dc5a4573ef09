"""What is printed about the answers for many images."""

import array
import collections
import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from input_pipeline import text_tables
from input_pipeline.image_folders import FolderScan, skipped_lines
from input_pipeline.original_sizes import unlike_lines
from owdfa_jax.evaluation.heap import (
  heap_summary,
  near_chance_warnings,
  separation_warnings,
)
from owdfa_jax.inference.unfinished import is_part
from owdfa_jax.report_fields import NONE_OF_THESE

_LEAD = (
  'A name is a lead, not proof: an image of any other source may get one of '
  'these names too.'
)
_NO_IMAGE = '(no image)'
# Where a larger share of the images is not stable, the views tell of the
# network more than of the images.
_MOST_UNSTABLE = 0.5


class Summary:
  """Counts answers, one after another.

  Attributes:
    errors: why images could not be read.
  """

  def __init__(
    self, scan: FolderScan, names: Sequence[str], num_known: int
  ) -> None:
    """Starts with no answer.

    Args:
      scan: the files.
      names: the names of the outputs.
      num_known: the number of known classes.
    """
    self.errors: list[str] = []
    self._scan, self._names, self._num_known = scan, names, num_known
    self._images: collections.Counter[str | None] = collections.Counter()
    self._inconclusive: collections.Counter[str] = collections.Counter()
    self._verdicts: collections.Counter[str] = collections.Counter()
    self._confidence: collections.Counter[str] = collections.Counter()
    self._others = self._in_views = self._unstable = 0
    # Of the images with an answer: 13 bytes each, for millions of them.
    self._side = array.array('i')
    # Of those with a name.
    self._output = array.array('i')
    self._sure = array.array('f')
    self._decided = array.array('b')

  @property
  def has_answers(self) -> bool:
    """Whether an image got an answer: one that could be read."""
    return bool(self._verdicts)

  def count(self, row: Mapping[str, Any]) -> None:
    """Counts an answer.

    Args:
      row: the columns of the answer, and `side`.
    """
    if is_part(row):
      return
    if row['image'] in self._scan.others:
      self._others += 1
      return
    source = row['source']
    self._images[source] += 1
    if source is None:
      self.errors.append(str(row['error']))
      return
    self._verdicts[row['verdict']] += 1
    self._side.append(row['side'])
    inconclusive = row['verdict'] == 'inconclusive'
    self._inconclusive[source] += inconclusive
    if row['stability'] is not None:
      self._in_views += 1
      self._unstable += row['stability'] < 1
    if source == NONE_OF_THESE:
      return  # its output is no part of the answer
    self._confidence[source] += row['confidence']
    self._output.append(row['output'])
    self._sure.append(row['confidence'])
    self._decided.append(not inconclusive)

  def text(self, path: str | os.PathLike[str]) -> str:
    """Returns a table of the sources, most images first, and of the verdicts.

    Args:
      path: of the file that was written.
    """
    rows = [self._row(x, count) for x, count in self._images.most_common()]
    if self._others:
      rows.append((str(self._others), _NO_IMAGE, '', ''))
    header = ('images', 'source', 'mean confidence, %', 'inconclusive')
    lines = [text_tables.aligned(header, rows, 'rlrr')]
    if self._verdicts:
      counts = [f'{n} {verdict}' for verdict, n in self._verdicts.most_common()]
      lines += [f'verdicts: {", ".join(counts)}', _LEAD]
    return '\n'.join([*lines, f'written: {os.fspath(path)}'])

  def _row(self, source: str | None, count: int) -> tuple[str, ...]:
    """Returns the cells of a source with `count` images."""
    if source is None:
      return str(count), '(unreadable)', '', ''
    sure = ''
    if source != NONE_OF_THESE:
      sure = text_tables.percent(self._confidence[source] / count)
    return str(count), source, sure, str(self._inconclusive[source])

  def warnings(self, description: Mapping[str, Any]) -> list[str]:
    """Returns lines on skipped files, and on answers that mean little.

    Args:
      description: of the data that the network was trained on.
    """
    # The unreadable ones have been counted and named.
    lines = skipped_lines([dataclasses.replace(self._scan, unreadable={})])
    return [
      *lines,
      *unlike_lines(self._side, description),
      *(f'warning: {line}' for line in [*self._of_views(), *self._of_names()]),
    ]

  def _of_views(self) -> list[str]:
    """Returns a line if most images are not stable."""
    if self._unstable <= _MOST_UNSTABLE * self._in_views:
      return []
    return [
      f'{self._unstable} of {self._in_views} images are not stable: the '
      'network looks at traces that mild JPEG or resizing removes, so '
      '--stability says little about single images of this run; attribute '
      'without it, and give files as they were first saved'
    ]

  def _of_names(self) -> list[str]:
    """Returns a line for each sign that the names mean little."""
    output = np.frombuffer(self._output, np.int32)
    confidence = np.frombuffer(self._sure, np.float32)
    decided = np.frombuffer(self._decided, np.bool_)
    lines = []
    if decided.any():
      lines += separation_warnings(
        heap_summary(
          output[decided], confidence[decided], self._names, self._num_known
        )
      )
    if len(output):
      lines += near_chance_warnings(
        heap_summary(output, confidence, self._names, self._num_known)
      )
    return lines
