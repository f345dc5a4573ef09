"""Lists images that are not those of the run, without importing JAX."""

import glob
import os
import pathlib
from collections.abc import Sequence

from input_pipeline.dataset import PackedDataset, open_dataset
from input_pipeline.errors import UserError
from input_pipeline.image_folders import (
  FolderScan,
  scan_file,
  scan_images,
  skipped_lines,
)
from input_pipeline.packed_format import DESCRIPTION
from input_pipeline.video_frames import is_video

# A path with one of these that names nothing is meant as a pattern. Braces are
# the shell's, which replaces them unless they are quoted.
_MARKS = '*?[{'
UNSEEN_SETTING = '--config.eval.unseen_path'


def list_new_images(
  images: str, flag: str = '--images', *, videos: bool = False
) -> FolderScan:
  """Returns the image files and the other files under a folder.

  Args:
    images: the folder.
    flag: what names it, for errors.
    videos: whether videos count as images.

  Raises:
    UserError: there is no such folder, or it holds no image.
  """
  root = pathlib.Path(images)
  if not root.exists():
    raise UserError(f'no such folder: {flag}={images}; name a folder of images')
  if not root.is_dir():
    raise UserError(
      f'not a folder: {flag}={images}; name the folder that the image is in'
    )
  scan = scan_images(root)
  if videos:
    _take_videos(scan)
  if not scan.images:
    found = '; '.join(map(str.strip, skipped_lines([scan], shown=1)))
    found = found or 'it is empty'
    raise UserError(
      f'no images: {flag}={images} ({found}); name a folder of images'
    )
  return scan


def find_new_images(
  places: Sequence[str], *, videos: bool = False
) -> FolderScan:
  """Returns the images among files, in folders, and of patterns.

  Each file counts once, under its absolute path.

  Args:
    places: paths of files and folders, and patterns such as 'new/*.png', in
      which `**` stands for any folders.
    videos: whether videos count as images.

  Raises:
    UserError: there is nothing at a place, or no image at any of them.
  """
  found = FolderScan()
  for place in places:
    paths = [place] if os.path.lexists(place) else _matches(place)
    for path in paths:
      scan = scan_images(path) if os.path.isdir(path) else scan_file(path)
      found.images += scan.images
      found.others |= scan.others
      found.unreadable |= scan.unreadable
  if videos:
    _take_videos(found)
  found.images = sorted(set(found.images))
  if not found.images:
    why = '; '.join(map(str.strip, skipped_lines([found], shown=1)))
    raise UserError(
      f'no images: {" ".join(places[:3])} ({why or "no files"}); name image '
      'files, or folders of them'
    )
  return found


def _take_videos(scan: FolderScan) -> None:
  """Puts the videos among the other files of a scan among its images."""
  # A path that does not print has escapes there, and names no file.
  found = [
    path for path in scan.others if is_video(path) and os.path.isfile(path)
  ]
  for path in found:
    del scan.others[path]
  scan.images = sorted([*scan.images, *found])


def _matches(pattern: str) -> list[str]:
  """Returns the paths that match a pattern, sorted; at least one."""
  paths = sorted(glob.glob(pattern, recursive=True))
  if not paths and not any(mark in pattern for mark in _MARKS):
    raise UserError(
      f'no such file or folder: {pattern}; name image files, or folders of them'
    )
  if not paths:
    raise UserError(
      f'nothing matches the pattern: {pattern} (only * ? ** and [...] stand '
      'for others); name image files, folders of them, or another pattern'
    )
  return paths


def is_packed(path: str) -> bool:
  """Returns whether a path is that of a packed directory, or a URL of one.

  Args:
    path: of a packed directory or a folder of images.
  """
  return '://' in path or os.path.exists(os.path.join(path, DESCRIPTION))


def check_unseen_path(
  path: str, dataset: PackedDataset, *, packed_only: bool = False
) -> None:
  """Raises `UserError` if `eval.unseen_path` has no images for a run.

  Args:
    path: the setting, not ''.
    dataset: the images of the run.
    packed_only: a folder of images does not do.
  """
  if not is_packed(path):
    list_new_images(path, UNSEEN_SETTING)
    if packed_only:
      raise UserError(
        f'not a packed directory: {UNSEEN_SETTING}={path}: a spectrum reads '
        'packed images alone; pack the folder'
      )
    return
  other = open_dataset(path)
  if other.image_size != dataset.image_size:
    raise UserError(
      f'images of another size: {UNSEEN_SETTING}={path} has {other.image_size} '
      f'pixels, {dataset.path} has {dataset.image_size}; pack it again with '
      f'--size {dataset.image_size}'
    )
  if not len(other.test):
    raise UserError(
      f'no test images: {UNSEEN_SETTING}={path}: its test split is empty; give '
      'another packed directory, or a folder of images'
    )
