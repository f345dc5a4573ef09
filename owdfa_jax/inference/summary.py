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
from owdfa_jax.evaluation.heap import heap_summary
from owdfa_jax.inference.unfinished import is_part
from owdfa_jax.report_fields import NONE_OF_THESE

_LEAD = (
  'A name is a lead, not proof: an image of any other source may get one of '
  'these names too.'
)


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
    # Of the images with an answer: 12 bytes each, for millions of them.
    self._output = array.array('i')
    self._sure = array.array('f')
    self._side = array.array('i')

  def count(self, row: Mapping[str, Any]) -> None:
    """Counts an answer.

    Args:
      row: the columns of the answer, and `side`.
    """
    if is_part(row) or row['image'] in self._scan.others:
      return
    source = row['source']
    self._images[source] += 1
    if source is None:
      self.errors.append(str(row['error']))
      return
    self._verdicts[row['verdict']] += 1
    self._inconclusive[source] += row['verdict'] == 'inconclusive'
    sure = row['confidence']
    if sure is None:
      # Of none of these: how sure the network is of the most probable source.
      sure = row['second_confidence']
    else:
      self._confidence[source] += sure
    self._output.append(row['output'])
    self._sure.append(sure)
    self._side.append(row['side'])

  def text(self, path: str | os.PathLike[str]) -> str:
    """Returns a table of the sources, most images first, and of the verdicts.

    Args:
      path: of the file that was written.
    """
    rows = [self._row(x, count) for x, count in self._images.most_common()]
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
    if source == NONE_OF_THESE:
      return str(count), source, '', ''
    sure = text_tables.percent(self._confidence[source] / count)
    return str(count), source, sure, str(self._inconclusive[source])

  def warnings(self, description: Mapping[str, Any]) -> list[str]:
    """Returns lines on skipped files, and on answers that mean little.

    Args:
      description: of the data that the network was trained on.
    """
    # The unreadable ones have been counted and named.
    lines = skipped_lines([dataclasses.replace(self._scan, unreadable={})])
    if not self._output:
      return lines
    output = np.frombuffer(self._output, np.int32)
    confidence = np.frombuffer(self._sure, np.float32)
    heap = heap_summary(output, confidence, self._names, self._num_known)
    return [
      *lines,
      *unlike_lines(self._side, description),
      *(f'warning: {line}' for line in heap['warnings']),
    ]
