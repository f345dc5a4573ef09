"""Lists the images that a user wants attributed, without importing JAX."""

import pathlib

from input_pipeline import image_folders
from input_pipeline.errors import UserError


def list_new_images(images: str) -> list[str]:
  """Returns the paths of the image files under a folder, sorted.

  Raises:
    UserError: there is no image, or a folder cannot be read.
  """
  root = pathlib.Path(images)
  paths = image_folders.list_images(root) if root.is_dir() else []
  if not paths:
    raise UserError(
      f'no images to attribute: --images={images}; name a folder of images'
    )
  return paths
