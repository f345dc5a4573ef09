"""Lists the images to attribute, without importing JAX."""

import pathlib

from input_pipeline.errors import UserError
from input_pipeline.image_folders import (
  FolderScan,
  scan_images,
  skipped_lines,
)


def list_new_images(images: str) -> FolderScan:
  """Returns the image files and the other files under a folder.

  Raises:
    UserError: there is no such folder, or it holds no image.
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
  scan = scan_images(root)
  if not scan.images:
    found = '; '.join(map(str.strip, skipped_lines([scan], shown=1)))
    found = found or 'it is empty'
    raise UserError(
      f'no images to attribute: --images={images} ({found}); name a folder of '
      'images'
    )
  return scan
