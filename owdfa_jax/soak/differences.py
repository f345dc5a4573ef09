"""Finds the first difference between two folders of results."""

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from etils import epath

from owdfa_jax.soak.trials import LOG

# Rates and times differ from run to run.
_TIMES = 'time/'
_METRICS = 'metrics.jsonl'
_CHECKPOINTS = 'checkpoints'
# Files that belong to a checkpoint name it by a digest of its files, which hold
# the time of saving. Their own digest covers that one.
_OF_A_CHECKPOINT = ('centres-', 'sources-')
_DIGESTS = ('belongs_to', 'checkpoint', 'sha256')
# What a command printed, and the lock of a workdir, which names its process.
_OF_THE_PROCESS = (LOG, '.lock')


def first_difference(folder: str, other: str) -> str:
  """Returns the first difference between two results, '' if there is none.

  Files are compared byte for byte, the arrays of checkpoints and of their
  centres and sources bit for bit, and the metrics without their times.

  Args:
    folder: a result.
    other: the result that it should equal.
  """
  here, there = _files(folder), _files(other)
  for name in sorted(here ^ there):
    where = folder if name in here else other
    return f'{name} is only in {where}'
  for name in sorted(here):
    paths = os.path.join(folder, name), os.path.join(other, name)
    if os.path.isdir(paths[0]):
      difference = _compare_checkpoints(*paths)
    elif os.path.basename(name) == _METRICS:
      difference = _compare_metrics(*paths)
    elif os.path.basename(name).startswith(_OF_A_CHECKPOINT):
      difference = _compare_arrays(*(_arrays(path) for path in paths))
    else:
      difference = _compare_bytes(*paths)
    if difference:
      return f'{name}: {difference}'
  return ''


def _files(folder: str) -> set[str]:
  """Returns the files below a folder; each checkpoint counts as one."""
  found = set()
  for path, folders, names in os.walk(folder):
    if os.path.basename(path) == _CHECKPOINTS:
      names, folders[:] = [*names, *folders], []
    found |= {os.path.relpath(os.path.join(path, x), folder) for x in names}
  return {x for x in found if os.path.basename(x) not in _OF_THE_PROCESS}


def _compare_bytes(path: str, other: str) -> str:
  with open(path, 'rb') as file, open(other, 'rb') as other_file:
    here, there = file.read(), other_file.read()
  if here == there:
    return ''
  pairs = enumerate(zip(here, there, strict=False))
  place = next((i for i, (a, b) in pairs if a != b), min(len(here), len(there)))
  return f'{len(here)} and {len(there)} bytes, which differ from byte {place}'


def _compare_metrics(path: str, other: str) -> str:
  here, there = _metrics(path), _metrics(other)
  if len(here) != len(there):
    return f'{len(here)} and {len(there)} lines'
  for number, (line, other_line) in enumerate(zip(here, there, strict=True), 1):
    for name in sorted(line.keys() | other_line.keys()):
      values = line.get(name), other_line.get(name)
      if values[0] != values[1]:
        return f'line {number}: {name}={values[0]} and {values[1]}'
  return ''


def _metrics(path: str) -> list[dict[str, Any]]:
  with open(path, encoding='utf-8') as file:
    lines = [json.loads(line) for line in file]
  return [
    {k: v for k, v in line.items() if not k.startswith(_TIMES)}
    for line in lines
  ]


def _compare_checkpoints(path: str, other: str) -> str:
  metrics = [
    os.path.join(folder, 'metrics', 'metrics') for folder in (path, other)
  ]
  if difference := _compare_bytes(*metrics):
    return f'metrics: {difference}'
  # Imported here, because packing and simulating need no jax.
  from owdfa_jax.training.checkpoints import read_arrays

  return _compare_arrays(
    *(read_arrays(epath.Path(folder)) for folder in (path, other))
  )


def _arrays(path: str) -> dict[str, np.ndarray]:
  """Returns the arrays of a file of a checkpoint, without its digests."""
  with np.load(path, allow_pickle=False) as file:
    return {name: file[name] for name in file.files if name not in _DIGESTS}


def _compare_arrays(
  here: Mapping[str, np.ndarray], there: Mapping[str, np.ndarray]
) -> str:
  for name in sorted(here.keys() | there.keys()):
    if name not in here or name not in there:
      return f'{name} is only in one of them'
    one, two = here[name], there[name]
    if one.dtype != two.dtype or one.shape != two.shape:
      return f'{name}: {one.dtype}{one.shape} and {two.dtype}{two.shape}'
    # As bytes, so that NaN equals NaN and 0 differs from -0.
    if one.tobytes() != two.tobytes():
      return f'{name}: {np.sum(one != two)} of {one.size} numbers differ'
  return ''
