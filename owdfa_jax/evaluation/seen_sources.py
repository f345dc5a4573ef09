"""Fits the sources that a network has seen, to tell images of no source.

Each output is a source: a training row belongs to its label, or to the output
that classifies it. The threshold comes from test images, which the network was
not trained on.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from input_pipeline.meta import LABELLED
from owdfa_jax.evaluation.restore import RestoredNetwork, restore_network
from owdfa_jax.evaluation.sources_file import (
  SOURCES,
  SeenSources,
  read_sources,
  write_sources,
)
from owdfa_jax.evaluation.unseen import SourceDensities, fit_densities
from owdfa_jax.evaluation.unseen_report import scores_of
from owdfa_jax.experiment import Experiment
from owdfa_jax.training.progress import say

# The most rows of each split that are read: more make no better Gaussians.
MOST_ROWS = 20_000


def ensure_sources(experiment: Experiment) -> None:
  """Writes the sources of the checkpoint that `eval.checkpoint` names.

  Does nothing if the file has those of this checkpoint and this classifier.

  Args:
    experiment: a trained run.

  Raises:
    UserError: there is no such checkpoint or it lacks its centres, or the file
      is damaged or cannot be written.
  """
  restored = restore_network(experiment)
  where = experiment.workdir, restored.folder, experiment.config
  if read_sources(*where) is not None:
    return
  seen = fit_sources(experiment, restored)
  if jax.process_index() == 0:
    write_sources(*where, seen)
  # The other processes of a pod read the file next.
  multihost_utils.sync_global_devices('sources are written')
  say(f'written: {SOURCES.path(experiment.workdir, restored.step)}')


def attach_sources(
  experiment: Experiment, restored: RestoredNetwork
) -> tuple[RestoredNetwork, SeenSources | None]:
  """Returns a network whose predictions have an `unseen_score`.

  Without a file of its sources the network is returned as it is, and None.

  Args:
    experiment: the run.
    restored: its network.

  Raises:
    UserError: the file is damaged or cannot be read.
  """
  seen = read_sources(experiment.workdir, restored.folder, experiment.config)
  if seen is None:
    return restored, None
  return _with_densities(experiment, restored, seen.densities), seen


def fit_sources(
  experiment: Experiment, restored: RestoredNetwork
) -> SeenSources:
  """Fits a Gaussian to each output, and scores test images.

  Args:
    experiment: the run.
    restored: its network.

  Raises:
    UserError: the network's logits or features are not finite.
  """
  dataset, placement = experiment.dataset, experiment.placement
  rows = _draw(len(dataset.train))
  features: list[jax.Array] = []
  found = restored.predictor.predict_with_features(
    restored.params,
    restored.batch_stats,
    restored.predictor.batches('train', rows),
    features.append,
  )
  given = dataset.train.tag[found.row] == LABELLED
  assigned = np.where(given, dataset.train.label[found.row], found.predicted)
  # Batches come in the order of the rows; what fills the last one up comes at
  # the end, and belongs to no source.
  total = sum(len(batch) for batch in features)
  padded = np.full(total, -1, np.int32)
  padded[: len(assigned)] = assigned
  fit = jax.jit(
    lambda batches, assigned: fit_densities(
      jnp.concatenate(batches), assigned, experiment.num_outputs
    ),
    out_shardings=placement.replicated,
  )
  by_row = jax.make_array_from_callback(
    padded.shape, placement.by_batch, padded.__getitem__
  )
  densities = fit(features, by_row)
  images, verdicts = _score_test(
    experiment, _with_densities(experiment, restored, densities)
  )
  return SeenSources(densities, np.sort(images), np.sort(verdicts))


def _score_test(
  experiment: Experiment, restored: RestoredNetwork
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the scores of test images, and of the groups of them."""
  test = experiment.dataset.test
  none = np.zeros(0, np.float32)
  if not len(test):
    return none, none
  predictions = restored.predictor.predict(
    restored.params,
    restored.batch_stats,
    restored.predictor.batches('test', _draw(len(test))),
    test.group if test.has_groups else None,
  )
  assert predictions.unseen_score is not None
  return predictions.unseen_score, scores_of(predictions)


def _with_densities(
  experiment: Experiment,
  restored: RestoredNetwork,
  densities: SourceDensities,
) -> RestoredNetwork:
  everywhere = jax.device_put(densities, experiment.placement.replicated)
  predictor = restored.predictor.with_sources(everywhere)
  return dataclasses.replace(restored, predictor=predictor)


def _draw(count: int) -> np.ndarray:
  """Returns at most `MOST_ROWS` of `count` rows, the same each time."""
  rows = np.random.default_rng(0).permutation(count)[:MOST_ROWS]
  return np.sort(rows)
