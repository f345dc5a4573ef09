"""Refuses what a network says of images if its numbers are not finite."""

import os

import numpy as np

from input_pipeline.errors import UserError


def check_finite(
  is_finite: np.ndarray, workdir: str | os.PathLike[str]
) -> None:
  """Raises `UserError` if the results of some images are not finite.

  `argmax` of such numbers is 0, so they would look like predictions.

  Args:
    is_finite: bool [N].
    workdir: the folder of the run.
  """
  if not is_finite.all():
    raise UserError(
      'the network gives NaN or infinite numbers for '
      f'{np.sum(~is_finite)} of {len(is_finite)} images: the training in '
      f'{workdir} has diverged; use another checkpoint, or train anew in '
      'another folder with a lower --config.optimizer.learning_rate'
    )
