"""The answers for the heap of a discovery, as its table has them, without jax.

Test images are a fifth of the heap. A found cluster may have none of them, and
is then known by the images of the heap alone.
"""

import collections
import csv
import dataclasses
import hashlib
import io
import pathlib
import types
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from input_pipeline import escape
from input_pipeline.files import LIST_LIMIT, read_text
from owdfa_jax.evaluation.heap_record import errors_of_heap_file
from owdfa_jax.evaluation.names_checks import names_of_parts
from owdfa_jax.evaluation.report_files import HEAP_ATTRIBUTIONS_FILE
from owdfa_jax.evaluation.shared_names import first_of_names
from owdfa_jax.report_fields import NONE_OF_THESE

# Lines of a frame or of a face count with the file that they are of.
_PARTS = ('frame', 'face')


@dataclasses.dataclass(frozen=True)
class HeapAnswers:
  """The answers for the N images of a heap that are of a source of the run.

  Attributes:
    image: the path of each.
    output: int [N], the most probable output of each.
    called: int [N], the source of each: the first output of its name.
    confidence: float [N].
    name: the name of each output that occurs, with those of the user.
    num_inconclusive: how many of the N are inconclusive.
    num_none: how many more images are of none of the sources.
    num_unreadable: how many files have no answer.
    part: the part of each, of an output that the user split; '' of others.
    is_current: whether the table was written with the names of today.
    digest: of the table.
    step: of the checkpoint that the table was made with; None if unknown.
    changed: what has changed in the run since the table was made, in words; ''
      if nothing has.
  """

  image: list[str]
  output: np.ndarray
  called: np.ndarray
  confidence: np.ndarray
  name: dict[int, str]
  num_inconclusive: int
  num_none: int
  num_unreadable: int
  part: list[str]
  is_current: bool
  digest: str
  step: int | None = None
  changed: str = ''

  def __len__(self) -> int:
    return len(self.image)


def read_heap(
  folder: pathlib.Path,
  num_known: int,
  given: Mapping[int, str],
  parts: Mapping[int, Sequence[str]] = types.MappingProxyType({}),
) -> HeapAnswers | None:
  """Returns the answers for the heap of a discovery; None without its table.

  Args:
    folder: of the run, or of all stages.
    num_known: the number of known classes.
    given: the names that the user gave to outputs.
    parts: the names of the parts of each output that is split, '' for none.

  Raises:
    UserError: the table is damaged or cannot be read.
  """
  path = folder / HEAP_ATTRIBUTIONS_FILE
  try:
    with errors_of_heap_file(path, 'the table of the heap'):
      text = read_text(path, LIST_LIMIT)
      lines = [*csv.DictReader(io.StringIO(text, newline=''))]
      return _heap(lines, num_known, given, parts, text)
  except FileNotFoundError:
    return None


def _heap(
  lines: list[dict[str, str]],
  num_known: int,
  given: Mapping[int, str],
  parts: Mapping[int, Sequence[str]],
  text: str,
) -> HeapAnswers:
  """Returns the answers of the lines of a table, whose content is `text`."""
  files = [x for x in lines if not any(x.get(part) for part in _PARTS)]
  answered = [x for x in files if not x['error']]
  members = [x for x in answered if x['source'] != NONE_OF_THESE]
  source = [escape.from_spreadsheet(x['source']) for x in members]
  output = [int(x['output']) for x in members]
  texts = source_texts(output, num_known, given, parts)
  # Where clusters share a name, it may be the source of another output's image.
  count = collections.Counter(x for found in texts.values() for x in found)
  shared = {text for text, number in count.items() if number > 1}
  name = {k: given.get(k, f'novel-{k}') for k in output if k >= num_known}
  for k, called in zip(output, source, strict=True):
    if k < num_known and called not in count:
      name[k] = called
  name = {k: f'output {k}' for k in output} | name
  first = first_of_names(name)
  is_current = all(
    x in shared or x in texts.get(k, (name[k],))
    for k, x in zip(output, source, strict=True)
  )
  # The source, by the first output of its name. It is that of the output, but
  # where clusters share a name.
  of_name = {name[k]: first[k] for k in first} if is_current else {}
  return HeapAnswers(
    image=[escape.from_spreadsheet(x['image']) for x in members],
    output=np.array(output, int),
    called=np.array(
      [of_name.get(x, first[k]) for k, x in zip(output, source, strict=True)],
      int,
    ),
    confidence=np.array([float(x['confidence']) for x in members]),
    name=name,
    num_inconclusive=sum(x['verdict'] == 'inconclusive' for x in members),
    num_none=len(answered) - len(members),
    num_unreadable=len(files) - len(answered),
    part=[
      x if len(texts.get(k, ())) > 1 else ''
      for k, x in zip(output, source, strict=True)
    ],
    is_current=is_current,
    digest=hashlib.sha256(text.encode()).hexdigest(),
  )


def source_texts(
  outputs: Iterable[int],
  num_known: int,
  given: Mapping[int, str],
  parts: Mapping[int, Sequence[str]],
) -> dict[int, tuple[str, ...]]:
  """Returns what answers may call each found output.

  Args:
    outputs: those that occur.
    num_known: the number of known classes.
    given: the names that the user gave to outputs.
    parts: the names of the parts of each output that is split, '' for none.

  Returns:
    By output: its name, or of a split one the names of its parts.
  """
  found = {}
  for k in sorted({*outputs, *given, *parts}):
    if k >= num_known:
      names = names_of_parts(k, parts.get(k, ()))
      found[k] = names or (given.get(k, f'novel-{k}'),)
  return found
