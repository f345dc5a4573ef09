"""Fits the sources that a network has seen, to tell images of no source.

Each output is a source: a training row belongs to its label, or to the output
that classifies it. No test image is read: those of the run's own sources then
measure how many are wrongly called of none.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from input_pipeline import supervision
from input_pipeline.meta import LABELLED
from owdfa_jax.evaluation.calibration import usable_or_failed
from owdfa_jax.evaluation.restore import RestoredNetwork, restore_network
from owdfa_jax.evaluation.sources_file import (
  SOURCES,
  SeenSources,
  read_sources,
  write_sources,
)
from owdfa_jax.evaluation.threshold_rows import (
  LEAST_SCORES,
  NUM_FOLDS,
  TEST_IMAGES,
  UNLABELLED_IMAGES,
  draw_folds,
  draw_rows,
  threshold_rows,
)
from owdfa_jax.evaluation.training_rows import (
  TrainingRows,
  by_group,
  calibrate_rows,
  reliable_places,
  sample_groups,
)
from owdfa_jax.evaluation.unseen import (
  PARTS,
  SourceDensities,
  cross_fitted_scores,
  fit_densities,
)
from owdfa_jax.evaluation.whitening_map import whiten
from owdfa_jax.experiment import Experiment
from owdfa_jax.parallel import from_first_process, write_in_first_process
from owdfa_jax.spectrum.group_means import group_means
from owdfa_jax.training.progress import say
from owdfa_jax.training.run_record import recorded_setting

# The most training rows that are read: more make no better Gaussians.
MOST_ROWS = 20_000


def ensure_sources(experiment: Experiment) -> None:
  """Writes the sources of the checkpoint that `eval.checkpoint` names.

  Does nothing if the file has those of this checkpoint and this classifier. A
  file of earlier versions, whose threshold is of test images, or which lacks
  what an attribution shows or a part of the score, is made anew.

  Args:
    experiment: a trained run.

  Raises:
    UserError: there is no such checkpoint or it lacks its centres, or the file
      is damaged or cannot be written.
  """
  restored = restore_network(experiment)
  where = experiment.workdir, restored.folder, experiment.config
  path = SOURCES.path(experiment.workdir, restored.step)
  found = read_sources(*where)
  # A file that another process has just written may not be seen at once.
  if from_first_process(found is not None and is_current(found)):
    return
  if found is not None:
    if found.scored == TEST_IMAGES:
      say(f'{path} is of an earlier version (its threshold): made anew')
    elif found.sample is None:
      say(f'{path} is of an earlier version (no temperature): made anew')
    else:
      say(f'{path} is of an earlier version (its scores): made anew')
  seen = fit_sources(experiment, restored)
  write_in_first_process('sources', lambda: write_sources(*where, seen))
  say(f'written: {path}')


def is_current(seen: SeenSources) -> bool:
  """Returns whether sources have all that those of this version have.

  Args:
    seen: of a file. Those of earlier versions have a threshold of test images,
      no training images, or scores of fewer parts.
  """
  parts = len(seen.densities.usual)
  return (
    seen.scored != TEST_IMAGES
    and seen.sample is not None
    and parts == len(PARTS)
  )


def attach_sources(
  experiment: Experiment,
  restored: RestoredNetwork,
  seen: SeenSources | None = None,
) -> tuple[RestoredNetwork, SeenSources | None]:
  """Returns a network whose predictions have an `unseen_score`.

  Without a file of its sources the network is returned as it is, and None.

  Args:
    experiment: the run.
    restored: its network.
    seen: the sources; None for those of the file.

  Raises:
    UserError: the file is damaged or cannot be read.
  """
  if seen is None:
    seen = read_sources(experiment.workdir, restored.folder, experiment.config)
  if seen is None:
    return restored, None
  return _with_sources(experiment, restored, seen), seen


def fit_sources(
  experiment: Experiment, restored: RestoredNetwork
) -> SeenSources:
  """Fits a Gaussian to each output, and scores the images for the threshold.

  Args:
    experiment: the run.
    restored: its network.

  Raises:
    UserError: the network's logits or features are not finite.
  """
  train = experiment.dataset.train
  features: list[jax.Array] = []
  parts: list[tuple[np.ndarray, np.ndarray]] = []
  found = restored.predictor.predict_with_features(
    restored.params,
    restored.batch_stats,
    restored.predictor.batches('train', draw_rows(train.group, MOST_ROWS)),
    features.append,
    lambda row, logs: parts.append((row, logs)),
  )
  given = train.tag[found.row] == LABELLED
  label = np.where(given, train.label[found.row], -1)
  assigned = np.where(given, label, found.predicted)
  group = train.group[found.row]
  densities, score, place = _fit(
    experiment, features, assigned, draw_folds(group)
  )
  is_scored, scored = threshold_rows(_has_label(experiment)[found.row], group)
  rows = TrainingRows(
    found.row,
    reliable_places(place),
    _in_order(parts),
    label,
    group,
    is_scored,
  )
  groups = by_group(rows)
  fitted = None
  if scored == UNLABELLED_IMAGES:
    fitted = calibrate_rows(rows, groups, LEAST_SCORES)
  score, group = score[is_scored], group[is_scored]
  calibration, failed = usable_or_failed(fitted)
  verdict, _ = group_means(score.astype(np.float64), group)
  return SeenSources(
    densities,
    np.sort(score),
    np.sort(verdict.astype(np.float32)),
    scored,
    calibration,
    sample_groups(groups, train),
    failed,
  )


def _in_order(parts: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
  """Returns the log-probabilities of batches, by their rows, [N, K]."""
  row, log_probability = (
    np.concatenate(part) for part in zip(*parts, strict=True)
  )
  return log_probability[np.argsort(row, kind='stable')]


def _fit(
  experiment: Experiment,
  features: list[jax.Array],
  assigned: np.ndarray,
  fold: np.ndarray,
) -> tuple[SourceDensities, np.ndarray, np.ndarray]:
  """Fits the Gaussians to N rows.

  Args:
    experiment: the run.
    features: float32 [B, C] of each batch, in the order of the N rows. What
      fills the last batch up comes after these.
    assigned: int [N], the output of each row.
    fold: int32 [N], the fold of each row.

  Returns:
    The Gaussians, the cross-fitted score of each row, float32 [N], and its
    whitened feature, float32 [N, D].
  """
  placement, outputs = experiment.placement, experiment.num_outputs
  total = sum(len(batch) for batch in features)

  def spread(rows: np.ndarray, filled_by: int) -> jax.Array:
    padded = np.full(total, filled_by, np.int32)
    padded[: len(rows)] = rows
    return jax.make_array_from_callback(
      padded.shape, placement.by_batch, padded.__getitem__
    )

  rows = jax.jit(jnp.concatenate, out_shardings=placement.by_batch)(features)
  # Rows that fill up belong to no source.
  by_source, by_fold = spread(assigned, -1), spread(fold, 0)
  fit = jax.jit(
    fit_densities,
    static_argnames='num_sources',
    out_shardings=placement.replicated,
  )
  densities = fit(rows, by_source, num_sources=outputs)
  jax.block_until_ready(densities)
  score = cross_fitted_scores(
    rows,
    by_source,
    by_fold,
    rows,
    fold,
    outputs,
    NUM_FOLDS,
    placement.replicated,
  )
  place_rows = jax.jit(whiten, out_shardings=placement.replicated)
  place = np.asarray(place_rows(densities.whitening, rows))[: len(assigned)]
  return densities, score, place


def _has_label(experiment: Experiment) -> np.ndarray:
  """Returns whether the network was given each training row's label, bool."""
  dataset = experiment.dataset
  kind, seed, held_out = (
    recorded_setting(experiment, name)
    for name in ('data.supervision', 'seed', 'held_out')
  )
  has_label = supervision.given_label(dataset.train, kind, None) >= 0
  has_label[supervision.validation_rows(dataset, seed, held_out)] = False
  return has_label


def _with_sources(
  experiment: Experiment, restored: RestoredNetwork, seen: SeenSources
) -> RestoredNetwork:
  everywhere = jax.device_put(seen.densities, experiment.placement.replicated)
  predictor = restored.predictor.with_sources(everywhere, seen.calibration)
  return dataclasses.replace(restored, predictor=predictor)
