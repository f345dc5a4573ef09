"""Finds the sources of a run's training images by clusters of features."""

from typing import Any, NamedTuple

import jax
import numpy as np

from input_pipeline import supervision
from input_pipeline.meta import UNLABELLED
from owdfa_jax.discovery import clusters
from owdfa_jax.discovery.kmeans import Clusters
from owdfa_jax.discovery.whitening import KINDS
from owdfa_jax.discovery.whitening_choice import (
  DEFAULT,
  Choice,
  choose_whitening,
  describe_choice,
)
from owdfa_jax.evaluation.group_features import GroupFeatures, collect_features
from owdfa_jax.evaluation.restore import RestoredNetwork
from owdfa_jax.evaluation.whitening_map import Whitening
from owdfa_jax.experiment import Experiment
from owdfa_jax.models import classifier
from owdfa_jax.settings import validation_share
from owdfa_jax.training.progress import say

# How k-means starts without whitening: as in earlier versions, so that their
# runs can be labelled again with the same result.
EARLIER_STARTS = {'overclustering': 1, 'num_restarts': 10}


class Sources(NamedTuple):
  """The sources that were found among the training images.

  Attributes:
    features: the features of the groups of training rows.
    whitening: how they were whitened.
    choice: the kind of whitening, and why.
    clusters: the clusters of the groups, on the host.
    output: int32 [K], the output of the network that stands for each cluster.
  """

  features: GroupFeatures
  whitening: Whitening
  choice: Choice
  clusters: Clusters
  output: np.ndarray


def find_sources(
  experiment: Experiment, restored: RestoredNetwork, whitening: str
) -> Sources:
  """Clusters the whitened features of all training rows.

  There are as many clusters as outputs in use. Each novel one is named after
  the output that the head gives to most of its unlabelled rows. An upper bound
  was given the labels of all rows: its clusters are the classes.

  Args:
    experiment: a trained run.
    restored: its network, whose head classifies.
    whitening: one of `setting_checks.WHITENINGS`.
  """
  placement, num_known = experiment.placement, num_labelled_classes(experiment)
  features = collect_features(experiment, restored)
  label = features.label_of_groups(trained_label(experiment))
  outputs = indices_in_use(experiment, restored.batch_stats)
  choice = Choice(KINDS.get(whitening, DEFAULT), {}, 'the setting')
  if whitening == 'auto':
    choice = choose_whitening(
      features.feature,
      label,
      num_known=num_known,
      num_clusters=len(outputs),
      seed=experiment.config.seed,
      placement=placement,
      rows=features.rows,
    )
    say(describe_choice(choice))
  fitted, whitened = clusters.whiten_rows(
    choice.kind,
    features.feature,
    label,
    num_known=num_known,
    placement=placement,
    rows=features.rows,
  )
  found = clusters.semi_supervised_kmeans(
    whitened,
    label,
    num_known=num_known,
    num_clusters=len(outputs),
    **(EARLIER_STARTS if whitening == 'none' else {}),
    # The run's seed, so that the same network gives the same clusters.
    key=jax.random.key(experiment.config.seed),
    placement=placement,
  )
  found = jax.device_get(found)
  row = np.flatnonzero(experiment.dataset.train.tag == UNLABELLED)
  output = clusters.match_outputs(
    found.assigned[features.group[row]],
    features.predictions.predicted[row],
    num_known,
    outputs,
  )
  return Sources(features, fitted, choice, found, output)


def num_labelled_classes(experiment: Experiment) -> int:
  """Returns how many classes have labels: all of them for an upper bound."""
  if experiment.config.data.supervision == 'all':
    return experiment.dataset.num_classes
  return experiment.dataset.num_known


def trained_label(experiment: Experiment) -> np.ndarray:
  """Returns the labels that the training used, int32 [N]; -1 on other rows.

  Labelled rows that are held out for validation were not used either.

  Args:
    experiment: a trained run.
  """
  dataset, config = experiment.dataset, experiment.config
  label = supervision.given_label(dataset.train, config.data.supervision, None)
  held_out = supervision.validation_rows(
    dataset, config.seed, validation_share(config)
  )
  label[held_out] = -1
  return label


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
