"""How much predictions depend on JPEG, blur, resizing and noise.

The test images are degraded on the devices, before the network sees them, and
predicted again.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from input_pipeline.progress_bars import with_progress
from owdfa_jax.evaluation.metrics import best_matching
from owdfa_jax.evaluation.predictions import Predictions
from owdfa_jax.evaluation.restore import RestoredNetwork
from owdfa_jax.experiment import Experiment
from owdfa_jax.models.front_end import gaussian_blur
from owdfa_jax.parallel import DeviceBatch
from owdfa_jax.training.degradations import add_noise, resize_and_back
from owdfa_jax.training.jpeg import compress

_SEED = 0


class Degradation(NamedTuple):
  """What happens to every image.

  Attributes:
    kind: 'jpeg', 'blur', 'resize' or 'noise'.
    strength: the quality of the JPEG; the standard deviation of the blur, in
      pixels; the share of the side that shrinking leaves, before the image is
      enlarged again; the standard deviation of the noise, in grey levels.
  """

  kind: str
  strength: float


DEGRADATIONS = (
  Degradation('jpeg', 95),
  Degradation('jpeg', 75),
  Degradation('jpeg', 50),
  Degradation('blur', 0.5),
  Degradation('blur', 1),
  Degradation('resize', 0.75),
  Degradation('resize', 0.5),
  Degradation('noise', 2),
  Degradation('noise', 4),
)


def robustness_table(
  experiment: Experiment,
  restored: RestoredNetwork,
  split: str,
  rows: np.ndarray | None,
  clean: Predictions,
) -> list[dict[str, Any]]:
  """Returns how predictions change under each of `DEGRADATIONS`.

  Where images are in groups, the figures are of one verdict a group.

  Args:
    experiment: the run.
    restored: its network.
    split: 'train' or 'test'.
    rows: int [N], the rows that were evaluated; None for all.
    clean: the predictions for them as they are.

  Returns:
    A dict for each degradation: `kind`, `strength`; `all_acc`, the accuracy
    under the matching of the images as they are, None if one of them has no
    true class; and `unchanged`, the share of images that keep their output.

  Raises:
    UserError: the network's outputs are not finite.
  """
  of_split = getattr(experiment.dataset, split)
  before = clean.verdicts or clean
  table = []
  for degradation in with_progress(
    DEGRADATIONS, 'robustness', len(DEGRADATIONS), 'degradation'
  ):
    predictor = restored.predictor.with_degradation(make_degrade(degradation))
    found = predictor.predict(
      restored.params,
      restored.batch_stats,
      predictor.batches(split, rows),
      of_split.group if of_split.has_groups else None,
    )
    after = (found.verdicts or found).predicted
    table.append(
      {
        'kind': degradation.kind,
        'strength': degradation.strength,
        'all_acc': _accuracy(
          of_split.label[before.row], before.predicted, after
        ),
        'unchanged': float(np.mean(after == before.predicted)),
      }
    )
  return table


def _accuracy(
  label: np.ndarray, before: np.ndarray, after: np.ndarray
) -> float | None:
  """Returns All ACC of degraded images; None without every true class."""
  if (label < 0).any():
    return None
  # A cluster keeps the source that it stands for.
  matched = best_matching(label, before)
  # Outputs that only degraded images get are matched to nothing.
  padded = np.full(max(len(matched), int(after.max()) + 1), -1)
  padded[: len(matched)] = matched
  return float(np.mean(padded[after] == label))


def make_degrade(
  degradation: Degradation,
) -> Callable[[DeviceBatch], DeviceBatch]:
  """Returns a compiled function that degrades the images of a batch.

  Noise depends on the row alone, not on the size of the batch.

  Args:
    degradation: what happens to every image.
  """
  return jax.jit(functools.partial(_degrade_batch, degradation))


def _degrade_batch(degradation: Degradation, batch: DeviceBatch) -> DeviceBatch:
  kind, strength = degradation
  images = batch['image'].astype(jnp.float32)
  every = jnp.full(len(images), strength, jnp.float32)
  match kind:
    case 'jpeg':
      images = compress(images, every)
    case 'blur':
      images = jnp.round(gaussian_blur(images, strength))
    case 'resize':
      images = resize_and_back(images, every)
    case 'noise':
      keys = jax.vmap(
        functools.partial(jax.random.fold_in, jax.random.key(_SEED))
      )(batch['index'])
      normal = functools.partial(jax.random.normal, shape=images.shape[1:])
      images = add_noise(images, jax.vmap(normal)(keys), every)
  grey = jnp.clip(images, 0, 255).astype(batch['image'].dtype)
  return {**batch, 'image': grey}
