"""A network's own labels for the unlabelled rows: what a round trains on."""

from typing import Any, NamedTuple

import jax
import ml_collections
import numpy as np
from jax.experimental import multihost_utils

from input_pipeline import pseudo_labels, supervision
from input_pipeline.meta import LABELLED, UNLABELLED
from owdfa_jax.discovery import clusters
from owdfa_jax.evaluation.evaluate import restore
from owdfa_jax.experiment import Experiment, eval_rows, validation_share
from owdfa_jax.models import classifier
from owdfa_jax.training.progress import say


class Opinion(NamedTuple):
  """What is thought of N unlabelled rows.

  Attributes:
    row: int [N], of the training split.
    label: int32 [N], an output of the network.
    confidence: float32 [N] in [0, 1].
  """

  row: np.ndarray
  label: np.ndarray
  confidence: np.ndarray


def label_unlabelled(
  experiment: Experiment, path: str, settings: ml_collections.ConfigDict
) -> None:
  """Writes the labels of a run's network, where they are sure, to `path`.

  Args:
    experiment: a trained run.
    path: the file, as `input_pipeline.pseudo_labels` writes it.
    settings: `label_by`, a key of `LABELLERS`; `keep_share` and
      `keep_confidence`, for `sure`.
  """
  dataset = experiment.dataset
  opinion = LABELLERS[settings.label_by](experiment)
  kept = sure(opinion, settings.keep_confidence, settings.keep_share)
  label = np.full(len(dataset.train), -1, np.int32)
  label[opinion.row[kept]] = opinion.label[kept]
  if jax.process_index() == 0:
    pseudo_labels.write(path, dataset, label)
  # Other processes of a pod read the file next.
  multihost_utils.sync_global_devices('labels of a round are written')
  say(
    f'{kept.sum()} of {len(kept)} unlabelled images keep the class they were '
    f'given, {len(np.unique(opinion.label[kept]))} classes'
  )


def by_head(experiment: Experiment) -> Opinion:
  """The class that the network names, by its probability."""
  evaluator, network, _ = restore(experiment)
  split, rows = eval_rows(experiment.dataset, 'unlabelled')
  seen = evaluator.predict(*network, evaluator.batches(split, rows))
  return Opinion(seen.row, seen.predicted, seen.confidence)


def by_clusters(experiment: Experiment) -> Opinion:
  """The cluster of a row's feature, by its margin, under the name of the
  output that prefers most of its rows.
  """
  dataset = experiment.dataset
  evaluator, network, _ = restore(experiment)
  seen, feature = evaluator.predict_and_feature(
    *network, evaluator.batches('train')
  )
  outputs = outputs_in_use(experiment, network[1])
  found = clusters.semi_supervised_kmeans(
    feature,
    trained_label(experiment),
    dataset.num_known,
    len(outputs),
    jax.random.key(experiment.config.seed),
  )
  row = np.flatnonzero(dataset.train.tag == UNLABELLED)
  assigned, margin = (
    jax.device_get(x)[row] for x in (found.assigned, found.margin)
  )
  named = clusters.match_outputs(
    assigned, seen.predicted[row], dataset.num_known, outputs
  )
  return Opinion(row, named, margin)


def trained_label(experiment: Experiment) -> np.ndarray:
  """The labels that training was given, int32 [N]; -1 on all other rows."""
  dataset, config = experiment.dataset, experiment.config
  label = np.where(dataset.train.tag == LABELLED, dataset.train.label, -1)
  label[
    supervision.validation_rows(dataset, config.seed, validation_share(config))
  ] = -1
  return label.astype(np.int32)


def outputs_in_use(experiment: Experiment, batch_stats: Any) -> np.ndarray:
  """Int [K]: all, but for those that the method switched off."""
  live = classifier.live_outputs(batch_stats)
  if live is None:
    return np.arange(experiment.num_outputs)
  return np.flatnonzero(jax.device_get(live))


# What `--config.stages.label_by` names.
LABELLERS = {'head': by_head, 'clusters': by_clusters}


def sure(opinion: Opinion, confidence: float, share: float) -> np.ndarray:
  """Which labels to keep, bool [N]: of each class the `share` of highest
  confidence, if it is at least `confidence`.

  A share, because a network is less sure of novel classes than of known ones,
  and one threshold for all would leave them out.
  """
  kept = np.zeros(len(opinion.row), bool)
  for label in np.unique(opinion.label):
    rows = np.flatnonzero(opinion.label == label)
    order = np.argsort(-opinion.confidence[rows], kind='stable')
    kept[rows[order[: int(np.ceil(share * len(rows)))]]] = True
  return kept & (opinion.confidence >= confidence)
