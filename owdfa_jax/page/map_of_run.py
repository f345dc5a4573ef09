"""Computes the map of a run's test images with its network."""

import jax
import numpy as np

from owdfa_jax.evaluation.centres_file import belongs_to, read_centres
from owdfa_jax.evaluation.restore import restore_network
from owdfa_jax.evaluation.whitening_map import whiten
from owdfa_jax.experiment import Experiment
from owdfa_jax.page.feature_map import (
  choose_map_rows,
  fits,
  place_features,
  read_map,
  write_map,
)
from owdfa_jax.training.progress import say


def ensure_map(experiment: Experiment) -> None:
  """Writes the map of the checkpoint that `eval.checkpoint` names.

  Does nothing if the file is there, or in one of several processes, none of
  which has all features.

  Args:
    experiment: a trained run.

  Raises:
    UserError: there is no such checkpoint, or the file cannot be written.
  """
  test = experiment.dataset.test
  if jax.process_count() > 1 or not len(test):
    return
  restored = restore_network(experiment)
  workdir, step = experiment.workdir, restored.step
  if fits(read_map(workdir, step), len(test)):
    return
  rows = choose_map_rows(test.group)
  parts: list[np.ndarray] = []
  predictions = restored.predictor.predict_with_features(
    restored.params,
    restored.batch_stats,
    restored.predictor.batches('test', rows),
    lambda feature: parts.append(np.asarray(feature)),
  )
  # Padding comes last.
  feature = np.concatenate(parts)[: len(predictions.row)]
  found = read_centres(workdir, step)
  if found is not None and belongs_to(
    found, restored.folder, experiment.config
  ):
    # What classifies are angles between whitened features.
    feature = np.asarray(whiten(found.centres.whitening, feature))
    length = np.linalg.norm(feature, axis=1, keepdims=True)
    feature = feature / np.maximum(length, 1e-12)
  row = predictions.row
  say(f'placing {len(row):,} images on the map; this takes up to a minute')
  write_map(workdir, step, place_features(feature, row, test.group[row]))
