"""Finds the images that a command line asks to attribute."""

from collections.abc import Sequence

from input_pipeline.errors import UsageError
from input_pipeline.image_folders import FolderScan
from owdfa_jax.evaluation.new_images import find_new_images, list_new_images
from owdfa_jax.inference.tables import check_out


def find_images(
  folder: str | None, files: Sequence[str], out: str | None
) -> FolderScan:
  """Returns the images to attribute, after a look at --out.

  Args:
    folder: the value of --images, if given.
    files: images, and folders of them.
    out: the value of --out, if given.

  Raises:
    UserError: there are none, or the table cannot be written.
  """
  if not folder and not files:
    raise UsageError(
      'no images to attribute: give --images=FOLDER, or name image files and '
      'folders'
    )
  if out is not None:
    check_out(out)
  if not folder:
    return find_new_images(files, videos=True)
  if not files:
    return list_new_images(folder, videos=True)
  return find_new_images([folder, *files], videos=True)
