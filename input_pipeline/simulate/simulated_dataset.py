"""Writes a simulated dataset: images, meta CSVs and a summary."""

import hashlib
import json
import os
import pathlib

import cv2
import numpy as np

from input_pipeline import strict_json
from input_pipeline.errors import UserError
from input_pipeline.escape import shortened
from input_pipeline.files import (
  LIST_LIMIT,
  absolute,
  read_text,
  write_whole,
)
from input_pipeline.forgery_types import FORGERY_LABELS, REAL
from input_pipeline.meta import format_meta, write_meta
from input_pipeline.number_ranges import LARGEST_SEED, whole
from input_pipeline.output_folders import (
  check_space,
  clear_leftovers,
  publish_folder,
  temporary_folder,
)
from input_pipeline.simulate.capture import CAPTURES
from input_pipeline.simulate.image_files import (
  damaged_dataset,
  hash_images,
  write_images,
)
from input_pipeline.simulate.photos import find_photos
from input_pipeline.simulate.simulated_classes import CLASSES, SimulatedClass
from input_pipeline.simulate.simulated_images import (
  Simulation,
  draw_tags,
  image_path,
)

VERSION = 1  # Raised when the same parameters give other images.
SUMMARY = 'simulation.json'
CSV_NAMES = {
  1: 'Protocol1_openset_fake_meta.csv',
  2: 'Protocol2_openset_real_fake_meta.csv',
}
_IMAGES_PER_CLASS = whole(4, 10**6)
_SIZE = whole(32, 4096, 'an image is painted in memory')
_SEED = whole(0, LARGEST_SEED)
_ANOTHER = 'remove it or name another --out'


def simulate(
  out: str,
  images_per_class: int,
  size: int,
  seed: int,
  faces: str | None = None,
  processes: int | None = None,
) -> bool:
  """Writes a dataset to the folder `out`, unless it is there already.

  The dataset appears whole or not at all. Its bytes do not depend on
  `processes`.

  Args:
    out: the folder.
    images_per_class: number of images of each class, from 4 to 10**6.
    size: width and height of an image in pixels, from 32 to 4096.
    seed: the seed of all random numbers, from 0 to 2**32 - 1.
    faces: a folder of photos to forge; by default portraits are rendered.
    processes: number of processes; one per core by default.

  Returns:
    Whether it was written; False if `out` already holds this dataset.

  Raises:
    UserError: an argument is wrong, a photo cannot be decoded, `out` holds
      something else, or a file cannot be written.
  """
  _IMAGES_PER_CLASS.check('--images_per_class', images_per_class)
  _SIZE.check('--size', size)
  _SEED.check('--seed', seed)
  photos = None if faces is None else find_photos(faces)
  simulation = Simulation(images_per_class, size, seed, photos)
  summary: dict[str, object] = {
    'version': VERSION,
    'images_per_class': images_per_class,
    'size': size,
    'seed': seed,
    'faces': None if photos is None else _digest(photos, str(faces)),
  }
  folder = pathlib.Path(absolute(out, '--out'))
  if _is_there(folder, summary):
    _check_whole(folder, simulation)
    clear_leftovers(folder)
    return False
  with temporary_folder(folder) as partial:
    _check_room(folder, simulation)
    summary['images_sha256'] = write_images(partial, simulation, processes)
    for protocol, name in CSV_NAMES.items():
      write_meta(partial / name, _rows(protocol, simulation))
    _write_summary(partial / SUMMARY, summary, simulation)
    publish_folder(partial, folder)
  return True


def _digest(photos: tuple[str, ...], faces: str) -> str:
  """Identifies a set of photos by their paths in the folder and their sizes."""
  lines = [f'{os.path.relpath(p, faces)} {os.path.getsize(p)}' for p in photos]
  return hashlib.sha256('\n'.join(lines).encode()).hexdigest()


def _check_room(folder: pathlib.Path, simulation: Simulation) -> None:
  """Raises `UserError` if the disk may be too small."""
  # PNG may store the pixels as they are. Files take whole blocks of the disk,
  # and each has a line in both CSVs.
  per_image = 3 * simulation.size**2 + 5000
  images = len(CLASSES) * simulation.images_per_class
  check_space(folder, images * per_image)


def _is_there(folder: pathlib.Path, summary: dict[str, object]) -> bool:
  """Returns whether `folder` is a dataset of these parameters.

  Raises:
    UserError: `folder` holds something else.
  """
  if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
    return False
  found = _read_summary(folder)
  for key, value in summary.items():
    if found.get(key) != value:
      raise UserError(
        f'made with other parameters: --out={folder} has {key}='
        f'{shortened(str(found.get(key)))}, not {value}; {_ANOTHER}'
      )
  return True


def _read_summary(folder: pathlib.Path) -> dict[str, object]:
  try:
    found = strict_json.loads(read_text(folder / SUMMARY))
    if isinstance(found, dict):
      return found
  except (OSError, ValueError):
    pass
  raise UserError(
    f'not a simulated dataset: --out={folder} has no readable {SUMMARY};'
    f' {_ANOTHER}'
  )


def _check_whole(folder: pathlib.Path, simulation: Simulation) -> None:
  """Checks the files of a dataset that was made before.

  Raises:
    UserError: a file is missing or is not as it was written.
  """
  images_sha256 = hash_images(folder, simulation)
  # Datasets of earlier versions lack the hash.
  expected = _read_summary(folder).get('images_sha256', images_sha256)
  if images_sha256 != expected:
    raise damaged_dataset(folder, 'its images are not those that were written')
  for protocol, name in CSV_NAMES.items():
    try:
      text = read_text(folder / name, LIST_LIMIT)
    except (OSError, ValueError):
      text = ''
    if text != format_meta(_rows(protocol, simulation)):
      raise damaged_dataset(folder, f'{name} is not as it was written')


def _rows(protocol: int, simulation: Simulation) -> list[dict[str, object]]:
  """Returns the rows of a protocol's meta CSV, classes in the order of ids."""
  rows = []
  for entry in sorted(CLASSES, key=lambda entry: entry.label_2):
    label = entry.label_1 if protocol == 1 else entry.label_2
    if label is not None:
      tags = draw_tags(entry, simulation.images_per_class, simulation.seed)
      for index, tag in enumerate(tags):
        rows.append(_row(entry, label, index, int(tag)))
  return rows


def _row(
  entry: SimulatedClass, label: int, index: int, tag: int
) -> dict[str, object]:
  lossless = CAPTURES[entry.dataset].quality is None
  return {
    'img_name': f'{index:05d}.png',
    'label': label,
    'method': entry.method,
    'forgery_type': entry.forgery_type,
    'forgery_label': FORGERY_LABELS[entry.forgery_type],
    'face_type': int(entry.forgery_type == REAL),
    'tag': tag,
    'code': f'{index:05d}',
    'image_source': entry.dataset,
    'img_path': image_path(entry, index),
    'compression': 'lossless' if lossless else 'jpeg',
    'frame_idx': 0,
  }


def _write_summary(
  file: pathlib.Path, summary: dict[str, object], simulation: Simulation
) -> None:
  made = {
    'classes': len(CLASSES),
    'images': len(CLASSES) * simulation.images_per_class,
    'numpy': np.__version__,
    'opencv': cv2.__version__,
  }
  with write_whole(file, text=True, what='the summary') as text:
    text.write(json.dumps(summary | made, indent=2, allow_nan=False) + '\n')
