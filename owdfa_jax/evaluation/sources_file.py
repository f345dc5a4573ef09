"""The file of the sources that a checkpoint has seen, `sources-STEP.npz`.

It also has what else attribution takes from the training images: temperatures
of the confidence, and images to show beside new ones.

It names the checkpoint and the classifier that it belongs to: the Gaussians of
another network would score at random. Its own digest shows damage.
"""

import os
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from etils import epath

from owdfa_jax.evaluation.calibration import Calibration, usable_or_failed
from owdfa_jax.evaluation.checkpoint_arrays import CheckpointArrays
from owdfa_jax.evaluation.threshold_rows import TEST_IMAGES
from owdfa_jax.evaluation.training_sample import (
  SAMPLE_ARRAYS,
  TrainingSample,
  sample_of,
)
from owdfa_jax.evaluation.unseen import SourceDensities
from owdfa_jax.evaluation.whitening_map import Whitening
from owdfa_jax.training.manifest import checkpoint_digest

_DENSITIES = (
  'whitening_mean',
  'matrix',
  'mean',
  'factor',
  'log_scale',
  'pooled',
  'usual',
  'spread',
)
_SCORES = ('image_score', 'verdict_score')
_CALIBRATION = 'calibration'
SOURCES = CheckpointArrays(
  'sources',
  (*_DENSITIES, *_SCORES, 'belongs_to'),
  ('scored', _CALIBRATION, *SAMPLE_ARRAYS),
)


class SeenSources(NamedTuple):
  """The sources that a network has seen, and scores of images of them.

  Attributes:
    densities: a Gaussian for each output.
    image_score: float32 [N], `unseen_score` of images of these sources that
      set the threshold, ascending.
    verdict_score: float32 [G], the same of their groups, ascending; equal to
      `image_score` without groups.
    scored: which images these are, such as
      `threshold_rows.UNLABELLED_IMAGES`.
    calibration: temperatures of the confidence; None with too few images
      without a label, where their fit failed, and in files of earlier versions.
    sample: training images that the run carries; None in files of earlier
      versions, and without a network.
    failed: the temperatures of a failed fit, which are not used; None
      otherwise.
  """

  densities: SourceDensities
  image_score: np.ndarray
  verdict_score: np.ndarray
  scored: str
  calibration: Calibration | None = None
  sample: TrainingSample | None = None
  failed: Calibration | None = None


def write_sources(
  workdir: epath.Path,
  checkpoint: epath.Path,
  config: ml_collections.ConfigDict,
  seen: SeenSources,
) -> None:
  """Writes the sources of a checkpoint, complete or not at all.

  Args:
    workdir: the run's folder.
    checkpoint: the folder of the checkpoint, named by its step.
    config: the run's settings.
    seen: on every device or on the host.

  Raises:
    UserError: the file cannot be written.
  """
  densities = jax.device_get(seen.densities)
  values = (*densities.whitening, *densities[1:])
  content = dict(zip(_DENSITIES, values, strict=True)) | {
    'image_score': seen.image_score,
    'verdict_score': seen.verdict_score,
    'scored': np.array(seen.scored),
    'belongs_to': np.array(_owner(checkpoint, config)),
  }
  if (fitted := seen.calibration or seen.failed) is not None:
    content[_CALIBRATION] = np.array(fitted, np.float64)
  if seen.sample is not None:
    content |= seen.sample.arrays()
  SOURCES.write(workdir, int(checkpoint.name), content)


def read_sources(
  workdir: epath.Path,
  checkpoint: epath.Path,
  config: ml_collections.ConfigDict,
) -> SeenSources | None:
  """Returns the sources of a checkpoint under a run's settings.

  Returns None if there is no file of them, or one of another checkpoint or
  classifier.

  Args:
    workdir: the run's folder.
    checkpoint: the folder of the checkpoint, named by its step.
    config: the run's settings.

  Raises:
    UserError: the file is damaged or cannot be read.
  """
  content = SOURCES.read(workdir, int(checkpoint.name))
  if content is None:
    return None
  if str(content['belongs_to']) != _owner(checkpoint, config):
    return None
  image_score, verdict_score = (np.asarray(content[x]) for x in _SCORES)
  scored = str(content.get('scored', TEST_IMAGES))
  fitted = content.get(_CALIBRATION)
  calibration, failed = usable_or_failed(
    None if fitted is None else Calibration(*fitted.tolist())
  )
  return SeenSources(
    _densities(content),
    image_score,
    verdict_score,
    scored,
    calibration,
    sample_of(content),
    failed,
  )


def read_sample(
  workdir: str | os.PathLike[str], step: int
) -> TrainingSample | None:
  """Returns the training images that a run carries; None without any.

  Args:
    workdir: the run's folder.
    step: the step of the checkpoint.

  Raises:
    UserError: the file is damaged or cannot be read.
  """
  content = SOURCES.read(epath.Path(workdir), step)
  return None if content is None else sample_of(content)


def _densities(content: Mapping[str, np.ndarray]) -> SourceDensities:
  mean, matrix, *rest = (jnp.asarray(content[name]) for name in _DENSITIES)
  return SourceDensities(Whitening(mean, matrix), *rest)


def _owner(checkpoint: epath.Path, config: ml_collections.ConfigDict) -> str:
  """Returns what the sources depend on: the network, and what classifies."""
  by = config.eval.classify_by
  # The whitening has no effect on a head.
  by += f' {config.eval.whitening}' if by == 'centres' else ''
  return f'{checkpoint_digest(checkpoint)} {by}'
