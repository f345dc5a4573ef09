"""Labels unlabelled images by a trained network, for a round of training."""

from typing import NamedTuple

import ml_collections
import numpy as np
from etils import epath

from input_pipeline import pseudo_labels
from input_pipeline.meta import UNLABELLED
from owdfa_jax.discovery.discover import find_sources
from owdfa_jax.discovery.whitening_choice import Choice
from owdfa_jax.evaluation.report import write_json
from owdfa_jax.evaluation.restore import restore_network
from owdfa_jax.experiment import Experiment
from owdfa_jax.parallel import write_in_first_process
from owdfa_jax.settings import eval_rows
from owdfa_jax.training.progress import say


class PredictedLabels(NamedTuple):
  """The labels that a network gives to N unlabelled rows.

  Attributes:
    row: int [N], the rows of the training split.
    label: int32 [N], outputs of the network; the same for all rows of a group.
    confidence: float32 [N] in [0, 1]; the same for all rows of a group.
    group: int32 [N], the group of each row.
    choice: how features were whitened; None if there are no clusters.
  """

  row: np.ndarray
  label: np.ndarray
  confidence: np.ndarray
  group: np.ndarray
  choice: Choice | None = None


def label_unlabelled(
  experiment: Experiment, path: str, settings: ml_collections.ConfigDict
) -> None:
  """Writes the confident labels of a run's network to a file.

  Args:
    experiment: a trained run.
    path: the file, in the format of `input_pipeline.pseudo_labels`.
    settings: `label_by`, a key of `LABELLERS`; `whitening`, for clusters; and
      the limits for `select_confident`: `keep_confidence` and `keep_share`.
  """
  dataset = experiment.dataset
  predicted = LABELLERS[settings.label_by](experiment, settings.whitening)
  kept = select_confident(
    predicted, settings.keep_confidence, settings.keep_share
  )
  label = np.full(len(dataset.train), -1, np.int32)
  label[predicted.row[kept]] = predicted.label[kept]
  how = {} if predicted.choice is None else predicted.choice.report()
  report = {'label_by': settings.label_by, **how, 'kept': int(kept.sum())}

  def write() -> None:
    pseudo_labels.write_pseudo_labels(path, dataset, label)
    write_json(labelling_file(path), report)

  write_in_first_process('pseudo-labels', write)
  say(describe_labels(predicted.label[kept], len(kept), dataset.num_known))


def labelling_file(path: str | epath.Path) -> epath.Path:
  """Returns the path of the JSON file that says how labels were made.

  Args:
    path: the file of the pseudo-labels.
  """
  return epath.Path(path).with_suffix('.json')


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


def label_by_head(
  experiment: Experiment, whitening: str = 'none'
) -> PredictedLabels:
  """Labels rows by the most probable output; its probability is the confidence.

  Where rows are in groups, the verdict of its group labels each row.

  Args:
    experiment: a trained run.
    whitening: without effect.
  """
  del whitening
  restored = restore_network(experiment, by_head=True)
  split, rows = eval_rows(experiment.dataset, 'unlabelled')
  train = experiment.dataset.train
  predictions = restored.predictor.predict(
    restored.params,
    restored.batch_stats,
    restored.predictor.batches(split, rows),
    train.group if train.has_groups else None,
  )
  row, group = predictions.row, train.group[predictions.row]
  verdicts = predictions.verdicts
  if verdicts is None:
    return PredictedLabels(
      row, predictions.predicted, predictions.confidence, group
    )
  # Where the verdict of each group is.
  place = np.zeros(int(train.group.max()) + 1, np.int64)
  place[train.group[verdicts.row]] = np.arange(len(verdicts.row))
  return PredictedLabels(
    row,
    verdicts.predicted[place[group]],
    verdicts.confidence[place[group]],
    group,
  )


def label_by_clusters(
  experiment: Experiment, whitening: str = 'none'
) -> PredictedLabels:
  """Labels rows by clusters of features; a row's margin is the confidence.

  Each cluster gets the output that most of its rows have. The rows of a group,
  such as the tiles of one image, get the same label.

  Args:
    experiment: a trained run.
    whitening: how features are whitened before, one of
      `setting_checks.WHITENINGS`.
  """
  restored = restore_network(experiment, by_head=True)
  found = find_sources(experiment, restored, whitening)
  row = np.flatnonzero(experiment.dataset.train.tag == UNLABELLED)
  group = found.features.group[row]
  return PredictedLabels(
    row,
    found.output[found.clusters.assigned[group]],
    np.asarray(found.clusters.margin)[group],
    group,
    found.choice,
  )


# The functions behind `stage_plan.LABEL_BY`.
LABELLERS = {'head': label_by_head, 'clusters': label_by_clusters}


def select_confident(
  predicted: PredictedLabels, least_confidence: float, share: float
) -> np.ndarray:
  """Returns which labels to keep, bool [N]: those of whole groups.

  Keeps the most confident `share` of the groups of each class, as far as their
  confidence is at least `least_confidence`. Without groups each row is a group.
  The share is per class because a network is less confident of novel classes
  than of known ones: one threshold for all would leave the novel classes out.

  Args:
    predicted: the labels.
    least_confidence: in [0, 1].
    share: in (0, 1]; at least one group of each class passes it.
  """
  # The rows of a group have one label and one confidence.
  first = np.unique(predicted.group, return_index=True)[1]
  kept = []
  for label in np.unique(predicted.label):
    rows = first[predicted.label[first] == label]
    # Stable, so that ties do not depend on the library's version.
    order = np.argsort(-predicted.confidence[rows], kind='stable')
    kept.append(rows[order[: int(np.ceil(share * len(rows)))]])
  groups = predicted.group[np.concatenate(kept)] if kept else []
  is_kept = np.isin(predicted.group, groups)
  return is_kept & (predicted.confidence >= least_confidence)
