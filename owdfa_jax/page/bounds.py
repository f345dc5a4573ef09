"""Finds the bounds that lie beside a run, such as in a leaderboard's folder."""

import pathlib
from typing import Any

from input_pipeline.errors import UserError
from owdfa_jax.page.run_files import RunFiles, read_run

# More folders are not looked at.
_MOST_FOLDERS = 200


def bounds_beside(run: RunFiles, folder: pathlib.Path) -> dict[str, float]:
  """Returns All ACC of the bounds in the folders beside a run's.

  Bounds are trained with cross entropy on the same packed data, on the labelled
  images alone or on all labels; so are spectra, without a network.

  Args:
    run: the files of the run.
    folder: its folder, or that of all its stages.

  Returns:
    By a name. Of several bounds of a kind, the first folder counts.
  """
  found: dict[str, float] = {}
  try:
    folders = sorted(path for path in folder.parent.iterdir() if path.is_dir())
  except OSError:
    return {}
  for path in folders[:_MOST_FOLDERS]:
    if path == folder or not (path / 'report.json').exists():
      continue
    try:
      other = read_run(path)
    except UserError:
      continue  # of a staged run, or not evaluated on the test images
    kind = recorded_bound(other.config)
    value = other.figures.get('all_acc')
    if kind and value is not None and same_data(run.config, other.config):
      found.setdefault(kind, value)
  return found


def recorded_bound(config: dict[str, Any]) -> str:
  """Returns which bound the recorded settings are of, '' for none.

  Args:
    config: the content of `config.json`.
  """
  supervision = config.get('data', {}).get('supervision')
  if 'spectrum' in config:
    return 'spectrum' if supervision == 'open_world' else ''
  if config.get('method', {}).get('name') != 'supervised':
    return ''
  names = {'labelled': 'lower bound', 'all': 'upper bound'}
  return names.get(str(supervision), '')


def same_data(first: dict[str, Any], second: dict[str, Any]) -> bool:
  """Returns whether two runs were trained on the same packed records.

  Args:
    first: the content of a `config.json`.
    second: that of another.
  """
  records = [
    (config.get('packed') or {}).get('records') for config in (first, second)
  ]
  return records[0] is not None and records[0] == records[1]
