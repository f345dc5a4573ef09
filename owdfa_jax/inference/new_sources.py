"""Groups new images that are of none of the sources of a run.

The run's own features are clustered. How many sources there may be comes from
how large clusters of the known sources are, as for training images.
"""

import collections
import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from input_pipeline.errors import UserError
from input_pipeline.progress_bars import with_progress
from owdfa_jax.discovery.estimate_from_network import training_features
from owdfa_jax.discovery.num_sources import (
  LEAST_IMAGES,
  SourceEstimate,
  cannot_estimate,
  estimate_num_sources,
)
from owdfa_jax.evaluation.centres_file import read_centres
from owdfa_jax.experiment import Experiment, build_experiment
from owdfa_jax.inference.answers import Answer, Answers
from owdfa_jax.inference.run import TrainedRun
from owdfa_jax.spectrum.kmeans import (
  OVERCLUSTERING,
  semi_supervised_kmeans,
  squared_distances,
  unit_rows,
)
from owdfa_jax.spectrum.whitening import row_chunks, whitened_components
from owdfa_jax.training.progress import say
from owdfa_jax.training.run_data import inputs_with_images

# Images of a source that the run knows or has found.
SET_ASIDE = ('known', 'found')
# Centres come from at most this many images; then each image gets the nearest.
_MOST_ROWS = 20_000
_RESTARTS = 8
# Of the features, where the run has no whitening of its own.
_COMPONENTS = 64


@dataclasses.dataclass(frozen=True)
class NewSources:
  """Groups of images whose sources a run neither knows nor has found.

  Attributes:
    answers: what the run says of each image.
    cluster: int [N], the number of each image's group, from 0, the largest
      first; -1 of one that was set aside or cannot be read.
    confidence: float [N], 1 - the distance to the own centre over that to the
      next one; NaN without a next one.
    estimate: of the number of sources of the grouped images; None if it was
      not made.
    no_estimate: why it was not made; '' if it was.
    num_known: how many known sources the estimate counts; 0 where their images
      are set aside.
    checkpoint: the folder of the checkpoint that answered; its name is the
      step.
  """

  answers: Sequence[Answer]
  cluster: np.ndarray
  confidence: np.ndarray
  estimate: SourceEstimate | None
  no_estimate: str
  num_known: int
  checkpoint: pathlib.Path


def find_new_sources(
  experiment: Experiment,
  images: Sequence[str],
  *,
  clusters: int | None = None,
  every: bool = False,
) -> NewSources:
  """Groups the images whose source a run neither knows nor has found.

  Args:
    experiment: a trained run that is ready to attribute, see
      `prepare.prepare_run`. Without its images there is no estimate.
    images: paths.
    clusters: the number of groups; None takes the estimated number of sources.
    every: groups all images that can be read.

  Raises:
    UserError: the number of groups is not given and cannot be estimated.
  """
  run = TrainedRun(experiment)
  if run.remark:
    say(f'warning: {run.remark}', always=True)
  answers = Answers(
    with_progress(run.stream(images), 'attribute', len(images), 'image')
  )
  rows = np.flatnonzero(
    [x.error is None and (every or x.verdict not in SET_ASIDE) for x in answers]
  )
  cluster = np.full(len(answers), -1)
  confidence = np.full(len(answers), np.nan)
  estimate, why = None, ''
  num_known = count_known([answers[int(row)] for row in rows])
  if len(rows):
    chosen = (images[int(row)] for row in rows)
    feature = run.features(
      with_progress(chosen, 'features', len(rows), 'image')
    )
    estimate, why = _try_estimate(experiment, feature, num_known)
    if clusters is None:
      if estimate is None:
        raise cannot_estimate(why)
      clusters = estimate.number
    elif clusters > len(rows):
      raise UserError(
        f'more groups than images: --clusters={clusters} of {len(rows)} images '
        'to group; give a smaller number'
      )
    cluster[rows], confidence[rows] = group_rows(
      _whitened(experiment, run, feature), min(clusters, len(rows))
    )
  return NewSources(
    answers, cluster, confidence, estimate, why, num_known, run.checkpoint
  )


def count_known(answers: Sequence[Answer]) -> int:
  """Returns how many known sources images are of, by what the run says.

  Args:
    answers: for the images. A source with fewer than `LEAST_IMAGES` does not
      count: it may be the wrong name of images of another one.
  """
  count = collections.Counter(x.source for x in answers if x.verdict == 'known')
  return sum(images >= LEAST_IMAGES for images in count.values())


def group_rows(
  rows: np.ndarray, clusters: int
) -> tuple[np.ndarray, np.ndarray]:
  """Clusters rows by their direction.

  Args:
    rows: float32 [N, D].
    clusters: their number, at most N.

  Returns:
    int [N], the cluster of each row, numbered from the largest to the smallest;
    and float [N], 1 - the distance to the own centre over that to the next
    one, NaN if there is but one. A row alone in its cluster has NaN too: its
    distance is 0, which says nothing.
  """
  rows = unit_rows(rows)
  generator = np.random.default_rng(0)
  chosen = np.sort(generator.permutation(len(rows))[:_MOST_ROWS])
  centres = semi_supervised_kmeans(
    rows[chosen],
    np.full(len(chosen), -1),
    num_known=0,
    num_clusters=clusters,
    seed=(0,),
    num_restarts=_RESTARTS,
    overclustering=min(OVERCLUSTERING, len(chosen) // clusters),
  ).centres
  nearest, confidence = [], []
  for part in row_chunks(rows):
    distance = np.sqrt(squared_distances(part, centres))
    nearest.append(distance.argmin(1))
    two = np.sort(distance, axis=1)[:, :2]
    confidence.append(
      1 - two[:, 0] / np.maximum(two[:, 1], 1e-12)
      if clusters > 1
      else np.full(len(part), np.nan)
    )
  cluster = np.concatenate(nearest)
  size = np.bincount(cluster, minlength=clusters)
  sure = np.where(size[cluster] > 1, np.concatenate(confidence), np.nan)
  order = np.argsort(-size, kind='stable')
  return np.argsort(order)[cluster], sure


def estimate_new(
  known: np.ndarray, label: np.ndarray, new: np.ndarray, num_known: int = 0
) -> SourceEstimate:
  """Estimates how many sources new images have.

  The new images count as the unlabelled ones of an estimate in which the
  labelled ones are of known sources, about as many as the new ones. Its number
  less that of the known sources which they are not of is the answer.

  Args:
    known: float32 [M, C], features of images of known sources.
    label: int [M], their sources; at least two.
    new: float32 [N, C], features of new images.
    num_known: how many of the known sources they are of.

  Returns:
    The estimate, of the new images alone.
  """
  generator = np.random.default_rng(0)
  sources = np.unique(label)
  most = max(LEAST_IMAGES, len(new) // len(sources))
  kept = np.concatenate(
    [
      generator.permutation(np.flatnonzero(label == source))[:most]
      for source in sources
    ]
  )
  found = estimate_num_sources(
    np.concatenate([known[kept], new]),
    np.concatenate([label[kept], np.full(len(new), -1)]),
  )
  less = len(sources) - num_known
  number = max(1, found.number - less)
  return dataclasses.replace(
    found,
    number=number,
    novel=number,
    images=len(new),
    low=max(1, found.low - less),
    high=max(1, found.high - less),
  )


def _try_estimate(
  experiment: Experiment, new: np.ndarray, num_known: int
) -> tuple[SourceEstimate | None, str]:
  """Returns an estimate, or None and why there is none."""
  try:
    if not experiment.dataset.has_images:
      inputs = inputs_with_images(experiment.config, experiment.workdir)
      experiment = build_experiment(inputs, trains=False)
    known, label = training_features(experiment)
  except UserError as error:
    return None, str(error)
  labelled = label >= 0
  found = estimate_new(known[labelled], label[labelled], new, num_known)
  return found, ''


def _whitened(
  experiment: Experiment, run: TrainedRun, feature: np.ndarray
) -> np.ndarray:
  """Returns features whitened as for the run's centres, if it has them."""
  if experiment.config.eval.classify_by == 'centres':
    found = read_centres(experiment.workdir, int(run.checkpoint.name))
    if found is not None:
      mean, matrix = map(np.asarray, found.centres.whitening)
      return (feature - mean) @ matrix
  return whitened_components(feature, _COMPONENTS)(feature)
