"""A network's own labels for the unlabelled rows: what a round trains on."""

from typing import NamedTuple

import jax
import ml_collections
import numpy as np

from input_pipeline import pipeline, pseudo_labels
from input_pipeline.meta import LABELLED
from owdfa_jax import clusters
from owdfa_jax.evaluate import Predictions, restore
from owdfa_jax.experiment import Experiment, eval_rows, validation_share
from owdfa_jax.models import classifier
from owdfa_jax.progress import say


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
  say(
    f'{kept.sum()} of {len(kept)} unlabelled images keep the class they were '
    f'given, {len(np.unique(opinion.label[kept]))} classes'
  )


def by_head(experiment: Experiment) -> Opinion:
  """The class that the network names, by its probability."""
  predictions = _predictions(experiment)
  return Opinion(predictions.row, predictions.predicted, predictions.confidence)


def by_clusters(experiment: Experiment) -> Opinion:
  """The cluster of a row's feature, by its margin, under the name of the
  output that prefers most of its rows.
  """
  dataset = experiment.dataset
  evaluator, network, _ = restore(experiment)
  feature = evaluator.features(*network, evaluator.batches('train'))
  held_out = pipeline.validation_rows(
    dataset, experiment.config.seed, validation_share(experiment.config)
  )
  label = np.where(dataset.train.tag == LABELLED, dataset.train.label, -1)
  label[held_out] = -1
  live = classifier.live_outputs(network[1])
  outputs = (
    np.arange(experiment.num_outputs)
    if live is None
    else np.flatnonzero(jax.device_get(live))
  )
  found = jax.device_get(
    clusters.semi_supervised_kmeans(
      feature,
      label,
      dataset.num_known,
      len(outputs),
      jax.random.key(experiment.config.seed),
    )
  )
  predictions = _predictions(experiment)
  assigned, margin = (
    x[predictions.row] for x in (found.assigned, found.margin)
  )
  named = clusters.match_outputs(
    assigned, predictions.predicted, dataset.num_known, outputs
  )
  return Opinion(predictions.row, named, margin)


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


def _predictions(experiment: Experiment) -> Predictions:
  evaluator, network, _ = restore(experiment)
  split, rows = eval_rows(experiment.dataset, 'unlabelled')
  return evaluator.predict(*network, evaluator.batches(split, rows))
