"""Labels unlabelled images by a trained network, for a round of training."""

from typing import Any, NamedTuple

import jax
import ml_collections
import numpy as np
from jax.experimental import multihost_utils

from input_pipeline import pseudo_labels, supervision
from input_pipeline.meta import LABELLED, UNLABELLED
from owdfa_jax.discovery import clusters
from owdfa_jax.evaluation.restore import restore_network
from owdfa_jax.experiment import Experiment
from owdfa_jax.models import classifier
from owdfa_jax.settings import eval_rows, validation_share
from owdfa_jax.training.progress import say


class PredictedLabels(NamedTuple):
  """The labels that a network gives to N unlabelled rows.

  Attributes:
    row: int [N], the rows of the training split.
    label: int32 [N], outputs of the network.
    confidence: float32 [N] in [0, 1].
  """

  row: np.ndarray
  label: np.ndarray
  confidence: np.ndarray


def label_unlabelled(
  experiment: Experiment, path: str, settings: ml_collections.ConfigDict
) -> None:
  """Writes the confident labels of a run's network to a file.

  Args:
    experiment: a trained run.
    path: the file, in the format of `input_pipeline.pseudo_labels`.
    settings: `label_by`, a key of `LABELLERS`, and the limits for
      `select_confident`: `keep_confidence` and `keep_share`.
  """
  dataset = experiment.dataset
  predicted = LABELLERS[settings.label_by](experiment)
  kept = select_confident(
    predicted, settings.keep_confidence, settings.keep_share
  )
  label = np.full(len(dataset.train), -1, np.int32)
  label[predicted.row[kept]] = predicted.label[kept]
  if jax.process_index() == 0:
    pseudo_labels.write_pseudo_labels(path, dataset, label)
  # The other processes of a pod read the file next.
  multihost_utils.sync_global_devices('pseudo-labels are written')
  say(describe_labels(predicted.label[kept], len(kept), dataset.num_known))


def describe_labels(label: np.ndarray, total: int, num_known: int) -> str:
  """Returns a line on the pseudo-labels that are kept.

  Args:
    label: int [N], the kept labels, outputs of the network.
    total: the number of unlabelled images.
    num_known: the number of known classes.
  """
  novel = label[label >= num_known]
  return (
    f'{len(label)} of {total} unlabelled images keep their pseudo-label, '
    f'{len(np.unique(label))} classes; {len(novel)} of them are of '
    f'{len(np.unique(novel))} novel outputs'
  )


def label_by_head(experiment: Experiment) -> PredictedLabels:
  """Labels rows by the most probable output; its probability is the confidence.

  Args:
    experiment: a trained run.
  """
  restored = restore_network(experiment)
  split, rows = eval_rows(experiment.dataset, 'unlabelled')
  predictions = restored.predictor.predict(
    restored.params,
    restored.batch_stats,
    restored.predictor.batches(split, rows),
  )
  return PredictedLabels(
    predictions.row, predictions.predicted, predictions.confidence
  )


def label_by_clusters(experiment: Experiment) -> PredictedLabels:
  """Labels rows by clusters of features; a row's margin is the confidence.

  Each cluster gets the output that most of its rows have.

  Args:
    experiment: a trained run.
  """
  dataset = experiment.dataset
  restored = restore_network(experiment)
  # All training rows: the labelled ones hold the clusters of known classes.
  predictions, features = restored.predictor.predict_with_features(
    restored.params, restored.batch_stats, restored.predictor.batches('train')
  )
  outputs = indices_in_use(experiment, restored.batch_stats)
  found = clusters.semi_supervised_kmeans(
    features,
    trained_label(experiment),
    num_known=dataset.num_known,
    num_clusters=len(outputs),
    # The run's seed, so that labelling again gives the same labels.
    key=jax.random.key(experiment.config.seed),
  )
  row = np.flatnonzero(dataset.train.tag == UNLABELLED)
  assigned, margin = (
    jax.device_get(x)[row] for x in (found.assigned, found.margin)
  )
  label = clusters.match_outputs(
    assigned, predictions.predicted[row], dataset.num_known, outputs
  )
  return PredictedLabels(row, label, margin)


# The functions behind `stage_plan.LABEL_BY`.
LABELLERS = {'head': label_by_head, 'clusters': label_by_clusters}


def trained_label(experiment: Experiment) -> np.ndarray:
  """Returns the labels that the training used, int32 [N]; -1 on other rows.

  Labelled rows that are held out for validation were not used either.

  Args:
    experiment: a trained run.
  """
  dataset, config = experiment.dataset, experiment.config
  label = np.where(dataset.train.tag == LABELLED, dataset.train.label, -1)
  held_out = supervision.validation_rows(
    dataset, config.seed, validation_share(config)
  )
  label[held_out] = -1
  return label.astype(np.int32)


def indices_in_use(experiment: Experiment, batch_stats: Any) -> np.ndarray:
  """Returns the outputs that pruning left in use, int [K], ascending.

  Args:
    experiment: a trained run.
    batch_stats: its network's statistics.
  """
  in_use = classifier.in_use_from_statistics(batch_stats)
  if in_use is None:
    return np.arange(experiment.num_outputs)
  return np.flatnonzero(jax.device_get(in_use))


def select_confident(
  predicted: PredictedLabels, least_confidence: float, share: float
) -> np.ndarray:
  """Returns which labels to keep, bool [N].

  Keeps the most confident `share` of each class, as far as their confidence is
  at least `least_confidence`. The share is per class because a network is less
  confident of novel classes than of known ones: one threshold for all would
  leave the novel classes out.

  Args:
    predicted: the labels.
    least_confidence: in [0, 1].
    share: in (0, 1]; at least one row of each class passes it.
  """
  kept = np.zeros(len(predicted.row), bool)
  for label in np.unique(predicted.label):
    rows = np.flatnonzero(predicted.label == label)
    # Stable, so that ties do not depend on the library's version.
    order = np.argsort(-predicted.confidence[rows], kind='stable')
    kept[rows[order[: int(np.ceil(share * len(rows)))]]] = True
  return kept & (predicted.confidence >= least_confidence)
