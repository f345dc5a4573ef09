"""The names that a user gave to the found clusters of a run: `names.json`.

The file lies in the folder of the run, and people may edit it. It says which
clusters it names: those of another checkpoint, or of another classifier, have
the same numbers and other images.
"""

import json
import os
import re
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from etils import epath

from input_pipeline import strict_json
from input_pipeline.errors import UserError
from input_pipeline.escape import quoted
from input_pipeline.files import file_sha256, read_text, write_whole
from owdfa_jax.evaluation.names_checks import check_names, entries
from owdfa_jax.training.manifest import CHECKPOINTS, checkpoint_digest

NAMES_FILE = 'names.json'
_VERSION = 1
_FIELDS = ('version', 'clusters', 'names')
# A cluster such as novel-8, or a part of it such as novel-8.1.
_CLUSTER = re.compile(r'novel-(0|[1-9][0-9]{0,6})(?:\.([1-9][0-9]?))?')


class Clusters(NamedTuple):
  """Which clusters names are of.

  Attributes:
    step: the step of the checkpoint.
    checkpoint: the digest of the checkpoint; '' if its files are gone.
    classified_by: 'head' or 'centres', see `eval.classify_by`.
    centres: the digest of the file of the centres; '' with the head.
  """

  step: int
  checkpoint: str
  classified_by: str
  centres: str


class NamesFile(NamedTuple):
  """What a names file holds.

  Attributes:
    clusters: which clusters it names.
    names: the name of each cluster by its output; '' where it has none yet.
    parts: the names of the parts of each cluster that is split, by its output;
      '' for a part without a name.
  """

  clusters: Clusters
  names: dict[int, str]
  parts: Mapping[int, tuple[str, ...]] = types.MappingProxyType({})


def clusters_of(
  workdir: str | os.PathLike[str], step: int, classified_by: str
) -> Clusters:
  """Returns what tells the clusters of a checkpoint from others.

  Args:
    workdir: the run's folder.
    step: the step of the checkpoint.
    classified_by: 'head' or 'centres'.

  Raises:
    UserError: a file cannot be read.
  """
  folder = epath.Path(workdir) / CHECKPOINTS / str(step)
  centres = epath.Path(workdir) / f'centres-{step}.npz'
  by_centres = classified_by == 'centres' and centres.exists()
  try:
    checkpoint = checkpoint_digest(folder) if folder.exists() else ''
  except OSError as error:
    raise UserError(
      f'cannot read the checkpoint: {folder} ({error.strerror}); copy the run '
      'again'
    ) from error
  return Clusters(
    step, checkpoint, classified_by, file_sha256(centres) if by_centres else ''
  )


def read_names(workdir: str | os.PathLike[str]) -> NamesFile | None:
  """Returns what the names file of a run holds; None without the file.

  Args:
    workdir: the run's folder.

  Raises:
    UserError: the file cannot be read, or a field is wrong.
  """
  path = epath.Path(workdir) / NAMES_FILE
  try:
    content = strict_json.loads(read_text(path))
  except FileNotFoundError:
    return None
  except OSError as error:
    raise UserError(
      f'cannot read the names: {path} ({error.strerror}); check the file and '
      'its permissions'
    ) from error
  except ValueError as error:
    raise UserError(
      f'a damaged names file: {path} ({error}); correct it, or remove it and '
      'give the names again'
    ) from error
  return _parsed(content, path)


def write_names(workdir: str | os.PathLike[str], found: NamesFile) -> None:
  """Writes the names file of a run, complete or not at all.

  Args:
    workdir: the run's folder.
    found: its content.

  Raises:
    UserError: the file cannot be written.
  """
  path = epath.Path(workdir) / NAMES_FILE
  content = {
    'version': _VERSION,
    'clusters': found.clusters._asdict(),
    'names': {
      label: name for label, _, name in entries(found.names, found.parts)
    },
  }
  text = json.dumps(content, indent=2, ensure_ascii=False)
  with write_whole(path, text=True, what='the names') as file:
    file.write(text + '\n')


def names_of_clusters(
  workdir: str | os.PathLike[str],
  step: int,
  classified_by: str,
  known: Sequence[str],
  num_outputs: int | None = None,
) -> dict[int, str]:
  """Returns the names that a user gave to the clusters of a checkpoint.

  Args:
    workdir: the run's folder.
    step: the step of the checkpoint.
    classified_by: 'head' or 'centres'.
    known: the names of the known classes.
    num_outputs: K; None if it is not known here.

  Returns:
    A name by output, for those that have one; {} without a names file.

  Raises:
    UserError: the file is damaged or of other clusters, or a name is wrong.
  """
  found = names_of_run(workdir, step, classified_by, known, num_outputs)
  if found is None:
    return {}
  return {output: name for output, name in found.names.items() if name}


def names_of_run(
  workdir: str | os.PathLike[str],
  step: int,
  classified_by: str,
  known: Sequence[str],
  num_outputs: int | None = None,
) -> NamesFile | None:
  """Returns the names file of the clusters of a checkpoint, checked.

  The arguments and errors are those of `names_of_clusters`; None without the
  file.
  """
  found = read_names(workdir)
  if found is None:
    return None
  path = epath.Path(workdir) / NAMES_FILE
  check_clusters(found, clusters_of(workdir, step, classified_by), path)
  check_names(found.names, found.parts, known, num_outputs, f'{path}: names.')
  return found


def check_clusters(
  found: NamesFile, clusters: Clusters, path: epath.Path
) -> None:
  """Raises `UserError` if a names file names other clusters.

  Args:
    found: its content.
    clusters: those that are to be named. A checkpoint whose files are gone is
      known by its step alone.
    path: of the file.
  """
  for field, theirs, ours in zip(
    Clusters._fields, found.clusters, clusters, strict=True
  ):
    if theirs != ours and (field != 'checkpoint' or ours):
      long = field in ('checkpoint', 'centres')
      values = 'another one' if long else f'{theirs}, here {ours}'
      raise UserError(
        f'names of other clusters: {path} (clusters.{field}: {values}); '
        'clusters change with the checkpoint and with what classifies: use '
        'those that were named, or move the file away and give names anew'
      )


def with_names(
  outputs: Sequence[str], names: Mapping[int, str]
) -> tuple[str, ...]:
  """Returns the name of each output, with those that a user gave.

  Args:
    outputs: the name of each of K outputs without them.
    names: names by output.
  """
  return tuple(names.get(k, name) for k, name in enumerate(outputs))


def _parsed(content: Any, path: epath.Path) -> NamesFile:
  """Returns the content of a names file, checked field by field."""

  def wrong(field: str, value: object, wanted: str) -> UserError:
    return UserError(
      f'a wrong field: {path}: {field}={quoted(value)}; give {wanted}, or '
      'remove the file and give the names again'
    )

  def check_fields(value: Any, name: str, fields: Sequence[str]) -> None:
    if not isinstance(value, dict):
      raise wrong(name, value, 'an object')
    if missing := [x for x in fields if x not in value]:
      raise UserError(
        f'a missing field: {path}: {missing[0]}; remove the file and give the '
        'names again'
      )
    if unknown := [x for x in value if x not in fields]:
      raise UserError(
        f'an unknown field: {path}: {quoted(unknown[0])}; use '
        f'{", ".join(fields)}'
      )

  check_fields(content, 'the file', _FIELDS)
  if content['version'] is True or content['version'] != _VERSION:
    raise wrong('version', content['version'], f'{_VERSION}')
  clusters, names = content['clusters'], content['names']
  check_fields(clusters, 'clusters', Clusters._fields)
  for field, value in clusters.items():
    kind = int if field == 'step' else str
    if type(value) is not kind:
      raise wrong(
        f'clusters.{field}', value, 'a number' if kind is int else 'a text'
      )
  if not isinstance(names, dict):
    raise wrong('names', names, 'an object such as {"novel-8": "StyleGAN2"}')
  return NamesFile(Clusters(**clusters), *_parsed_names(names, wrong))


def _parsed_names(
  names: Mapping[str, Any], wrong: Callable[[str, object, str], UserError]
) -> tuple[dict[int, str], dict[int, tuple[str, ...]]]:
  """Returns the names of clusters, and those of the parts of split ones.

  Args:
    names: of the file, by `novel-8` or `novel-8.1`.
    wrong: returns the error for a field, its value and what is wanted.
  """
  whole: dict[int, str] = {}
  parts: dict[int, dict[int, str]] = {}
  for key, value in names.items():
    match = _CLUSTER.fullmatch(key)
    if match is None:
      raise wrong('names', key, 'the clusters as novel-8, or novel-8.1')
    if not isinstance(value, str):
      raise wrong(f'names.{key}', value, 'a text')
    if match[2]:
      parts.setdefault(int(match[1]), {})[int(match[2])] = value
    else:
      whole[int(match[1])] = value
  for output, of_part in parts.items():
    if sorted(of_part) != [*range(1, len(of_part) + 1)] or len(of_part) < 2:
      raise wrong(
        'names',
        ', '.join(f'novel-{output}.{part}' for part in sorted(of_part)),
        f'all parts from novel-{output}.1 on, two or more',
      )
  return whole, {k: tuple(x[n] for n in sorted(x)) for k, x in parts.items()}
