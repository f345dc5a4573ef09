"""Estimates the number of sources from the features of a trained network."""

import jax
import numpy as np

from owdfa_jax import parallel
from owdfa_jax.discovery.num_sources import SourceEstimate, estimate_num_sources
from owdfa_jax.discovery.unknown_classes import rows_to_read
from owdfa_jax.evaluation.restore import restore_network
from owdfa_jax.experiment import Experiment
from owdfa_jax.spectrum.group_means import group_means


def estimate_from_network(experiment: Experiment) -> SourceEstimate:
  """Estimates the number of sources of a run's training images.

  A network that was trained with too few outputs merges sources, one with too
  many divides them: its features say most about a number near its own.

  Args:
    experiment: a trained run.

  Raises:
    UserError: there is no such checkpoint, fewer than two classes have labelled
      images, or the network's features are not finite.
  """
  return estimate_num_sources(*training_features(experiment))


def training_features(experiment: Experiment) -> tuple[np.ndarray, np.ndarray]:
  """Returns features of a run's training images, and their labels.

  Args:
    experiment: a trained run with its images.

  Returns:
    float32 [G, C], of at most `num_sources.MOST_ROWS` images, or groups of
    them; and int [G], a known class, or -1 without a label.

  Raises:
    UserError: see `estimate_from_network`.
  """
  restored = restore_network(experiment, by_head=True)
  rows, by_group = rows_to_read(experiment.dataset)
  everywhere = experiment.placement.replicated
  # Few rows, so all of them fit on the host.
  replicate = jax.jit(lambda x: x, out_shardings=everywhere)
  batches: list[np.ndarray] = []
  restored.predictor.predict_with_features(
    restored.params,
    restored.batch_stats,
    restored.predictor.batches('train', rows),
    lambda feature: batches.append(
      parallel.to_host({'feature': replicate(feature)})['feature']
    ),
  )
  # What fills the last batch up comes after the rows.
  feature = np.concatenate(batches)[: len(rows)]
  group = experiment.dataset.train.group[rows]
  means, first = group_means(feature, group)
  return means, by_group[group[first]]
