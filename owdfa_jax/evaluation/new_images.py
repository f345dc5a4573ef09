"""Lists the images that a user wants attributed, without importing JAX."""

import pathlib

from input_pipeline import image_folders
from input_pipeline.errors import UserError


def list_new_images(images: str) -> list[str]:
  """Returns the paths of the image files under a folder, sorted.

  Raises:
    UserError: there is no such folder, it holds no image, or a folder cannot
      be read.
  """
  root = pathlib.Path(images)
  if not root.exists():
    raise UserError(
      f'no such folder: --images={images}; name a folder of images'
    )
  if not root.is_dir():
    raise UserError(
      f'not a folder: --images={images}; name the folder that the image is in'
    )
  paths = image_folders.list_images(root)
  if not paths:
    raise UserError(
      f'no images to attribute: --images={images} has no file that ends in '
      f'{", ".join(image_folders.SUFFIXES)}; name a folder of images'
    )
  return paths
