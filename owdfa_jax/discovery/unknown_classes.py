"""Estimates `data.num_classes` where neither the data nor the user gives it.

It comes from the spectra of training images, before a network is built: the
width of the network depends on it.
"""

import os

import ml_collections
import numpy as np
from etils import epath

from input_pipeline import left_out
from input_pipeline.dataset import PackedDataset, open_dataset
from input_pipeline.errors import UserError
from input_pipeline.meta import LABELLED
from owdfa_jax.discovery.num_sources import (
  MOST_ROWS,
  SourceEstimate,
  choose_rows,
  estimate_num_sources,
)
from owdfa_jax.setting_checks import check_config
from owdfa_jax.settings import check_run
from owdfa_jax.spectrum.group_means import group_means
from owdfa_jax.training.run_record import has_checkpoint, recorded_classes


def take_or_hold_place(
  config: ml_collections.ConfigDict, workdir: epath.Path
) -> bool:
  """Sets `data.num_classes` if it is needed and not given.

  A run that resumes keeps its number. For a new one it is the smallest possible
  number, which holds the place while the other settings are checked.

  Args:
    config: the settings of a training, not checked yet.
    workdir: the folder of the run, or of its first stage.

  Returns:
    Whether the number is still to be estimated, with `estimate_classes`.

  Raises:
    UserError: the record of the run cannot be read.
  """
  dataset = _data_without_number(config)
  if dataset is None:
    return False
  recorded = recorded_classes(workdir) if has_checkpoint(workdir) else None
  config.data.num_classes = recorded or _fewest(dataset)
  return recorded is None


def estimate_classes(config: ml_collections.ConfigDict) -> str:
  """Sets `data.num_classes` to an estimate; returns lines about it.

  Args:
    config: the checked settings of a training.

  Raises:
    UserError: fewer than two classes have labelled images, or a record is
      damaged.
  """
  dataset = _open(config)
  found = estimate_from_spectra(dataset, config.data.num_threads)
  config.data.num_classes = max(found.number, _fewest(dataset))
  lines = [
    f'data.num_classes={config.data.num_classes}, estimated from the spectra '
    f'of training images: {found.low} to {found.high} sources'
  ]
  if found.doubt:
    lines.append(
      f'warning: {found.doubt}, so the estimate is not reliable; give '
      '--config.data.num_classes'
    )
  return '\n'.join(lines)


def estimate_without_network(config: ml_collections.ConfigDict) -> str:
  """Returns lines on the number of sources of a run's training images.

  Args:
    config: the settings, not checked yet; a number of classes that they give is
      not used.

  Raises:
    UserError: a setting or the data does not fit, fewer than two classes have
      labelled images, or a record is damaged.
  """
  take_or_hold_place(config, epath.Path(os.devnull))
  dataset = check_run(config, '.').dataset
  found = estimate_from_spectra(dataset, config.data.num_threads)
  return '\n'.join(estimate_lines(found))


def estimate_from_spectra(
  dataset: PackedDataset, num_threads: int
) -> SourceEstimate:
  """Estimates the number of sources from spectra of training images.

  Images in groups count once a group, by their mean spectrum.

  Args:
    dataset: the packed images.
    num_threads: threads that decode images.

  Raises:
    UserError: fewer than two classes have labelled images, or a record is
      damaged.
  """
  # Imported late: reading images loads grain, which takes seconds.
  from owdfa_jax.spectrum.reading import read_features

  split = dataset.train
  rows, by_group = rows_to_read(dataset)
  features = read_features(dataset, rows, num_threads)
  means, first = group_means(features, split.group[rows])
  return estimate_num_sources(means, by_group[split.group[rows[first]]])


def rows_to_read(dataset: PackedDataset) -> tuple[np.ndarray, np.ndarray]:
  """Returns training rows for an estimate, and the label of every group.

  Args:
    dataset: the packed images.

  Returns:
    int [M], ascending, all rows of at most `MOST_ROWS` groups; and int [G], -1
    for a group without a labelled row.

  Raises:
    UserError: fewer than two classes have labelled images.
  """
  split = dataset.train
  label = np.where(split.tag == LABELLED, split.label, -1)
  if len(np.unique(label[label >= 0])) < 2:
    raise UserError(
      f'too few known classes: {dataset.path} has labelled images of one '
      'class, and an estimate of the number of sources needs two; give '
      '--config.data.num_classes'
    )
  by_group = np.full(int(split.group.max()) + 1, -1)
  np.maximum.at(by_group, split.group, label)
  # The same rows for every seed, so that all runs on this data agree.
  groups = choose_rows(by_group, MOST_ROWS, np.random.default_rng(0))
  return np.flatnonzero(np.isin(split.group, groups)), by_group


def estimate_lines(found: SourceEstimate) -> list[str]:
  """Returns an estimate as lines for a terminal, with its curve.

  Args:
    found: the estimate.
  """
  lines = ['clusters  size of a hidden known class over that of its clusters']
  lines += [f'{k:8}  {value:.2f}' for k, value in found.curve.items()]
  # In the line of the number, so that nobody reads it alone.
  doubt = f', not reliable: {found.doubt}' if found.doubt else ''
  return [
    *lines,
    '',
    f'number of sources, known and novel: {found.number} ({found.low} to '
    f'{found.high}){doubt}',
  ]


def _data_without_number(
  config: ml_collections.ConfigDict,
) -> PackedDataset | None:
  """Returns the data of a run if its number of classes is needed and unknown.

  Mistakes in the settings and the data are reported when they are checked.
  """
  try:
    check_config(config)
    if config.data.num_classes is not None or not config.data.path.strip():
      return None
    # CAL can find the number itself; a lower bound needs none.
    if config.method.params.get('estimate_classes', False):
      return None
    # The spectrum and stages cluster; else labelled images alone need none.
    staged = 'stages' in config
    if config.data.supervision == 'labelled' and not staged:
      return None
    dataset = _open(config)
  except UserError:
    return None
  return None if dataset.novel_count_known else dataset


def _open(config: ml_collections.ConfigDict) -> PackedDataset:
  dataset = open_dataset(config.data.path)
  names = left_out.class_names(config.data.leave_out)
  return left_out.leave_out(dataset, names) if names else dataset


def _fewest(dataset: PackedDataset) -> int:
  """Returns the smallest number of classes: one more than the known ones."""
  return max(dataset.num_known + 1, dataset.num_classes)
