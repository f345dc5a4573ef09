"""Writes a simulated dataset: images, meta CSVs and a summary."""

import functools
import hashlib
import json
import multiprocessing
import os
import pathlib

import cv2
import numpy as np
import tqdm

from input_pipeline.errors import UserError
from input_pipeline.files import absolute
from input_pipeline.forgery_types import FORGERY_LABELS, REAL
from input_pipeline.meta import write_meta
from input_pipeline.output_folders import publish_folder, temporary_folder
from input_pipeline.simulate.capture import CAPTURES
from input_pipeline.simulate.photos import find_photos
from input_pipeline.simulate.simulated_classes import CLASSES, SimulatedClass
from input_pipeline.simulate.simulated_images import (
  Simulation,
  draw_tags,
  image_path,
  make_image,
)

VERSION = 1  # Raised when the same parameters give other images.
SUMMARY = 'simulation.json'
CSV_NAMES = {
  1: 'Protocol1_openset_fake_meta.csv',
  2: 'Protocol2_openset_real_fake_meta.csv',
}
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
    images_per_class: number of images of each class, 4 or more.
    size: width and height of an image in pixels, 32 or more.
    seed: the seed of all random numbers, 0 or more.
    faces: a folder of photos to forge; by default portraits are rendered.
    processes: number of processes; one per core by default.

  Returns:
    Whether it was written; False if `out` already holds this dataset.

  Raises:
    UserError: an argument is wrong, a photo cannot be decoded, `out` holds
      something else, or a file cannot be written.
  """
  _check(images_per_class, size, seed)
  photos = None if faces is None else find_photos(faces)
  simulation = Simulation(images_per_class, size, seed, photos)
  summary: dict[str, object] = {
    'version': VERSION,
    'images_per_class': images_per_class,
    'size': size,
    'seed': seed,
    'faces': None if photos is None else _digest(photos, str(faces)),
  }
  folder = pathlib.Path(absolute(out))
  if _is_complete(folder, summary):
    return False
  with temporary_folder(folder) as partial:
    _write_images(partial, simulation, processes)
    for protocol in CSV_NAMES:
      _write_csv(partial, protocol, simulation)
    _write_summary(partial / SUMMARY, summary, simulation)
    publish_folder(partial, folder)
  return True


def _check(images_per_class: int, size: int, seed: int) -> None:
  if images_per_class < 4:
    raise UserError(
      f'too few images: --images_per_class={images_per_class}; use 4 or more'
    )
  if size < 32:
    raise UserError(f'images too small: --size={size}; use 32 or more')
  if seed < 0:
    raise UserError(f'negative seed: --seed={seed}; use 0 or more')


def _digest(photos: tuple[str, ...], faces: str) -> str:
  """Identifies a set of photos by their paths in the folder and their sizes."""
  lines = [f'{os.path.relpath(p, faces)} {os.path.getsize(p)}' for p in photos]
  return hashlib.sha256('\n'.join(lines).encode()).hexdigest()


def _is_complete(folder: pathlib.Path, summary: dict[str, object]) -> bool:
  """Returns whether `folder` holds this dataset.

  Raises:
    UserError: `folder` holds something else.
  """
  if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
    return False
  try:
    found = json.loads((folder / SUMMARY).read_text())
  except (OSError, ValueError) as error:
    raise UserError(
      f'not a simulated dataset: --out={folder} has no readable {SUMMARY};'
      f' {_ANOTHER}'
    ) from error
  for key, value in summary.items():
    if found.get(key) != value:
      raise UserError(
        f'made with other parameters: --out={folder} has {key}='
        f'{found.get(key)}, not {value}; {_ANOTHER}'
      )
  return True


def _write_images(
  root: pathlib.Path, simulation: Simulation, processes: int | None
) -> None:
  for entry in CLASSES:
    (root / image_path(entry, 0)).parent.mkdir(parents=True)
  jobs = [
    (row, index)
    for index in range(simulation.images_per_class)
    for row in range(len(CLASSES))
  ]
  write = functools.partial(_write_image, str(root), simulation)
  processes = processes or len(os.sched_getaffinity(0))
  bar = functools.partial(
    tqdm.tqdm, desc='simulate', total=len(jobs), unit='image', mininterval=0.5
  )
  if processes == 1:
    for _ in bar(map(write, jobs)):
      pass
    return
  # Spawned, because the caller may have threads, and a fork would copy their
  # locks without them.
  context = multiprocessing.get_context('spawn')
  with context.Pool(processes, _use_one_thread) as pool:
    for _ in bar(pool.imap_unordered(write, jobs, chunksize=32)):
      pass


def _use_one_thread() -> None:
  cv2.setNumThreads(1)  # The processes already use all cores.


def _write_image(
  root: str, simulation: Simulation, job: tuple[int, int]
) -> None:
  row, index = job
  image = make_image(simulation, row, index)
  path = os.path.join(root, image_path(CLASSES[row], index))
  if not cv2.imwrite(path, image[..., ::-1]):
    raise UserError(
      f'cannot write the image: {path}; make room or name another --out'
    )


def _write_csv(
  root: pathlib.Path, protocol: int, simulation: Simulation
) -> None:
  """Writes one protocol's meta CSV, classes in the order of their ids."""
  rows = []
  for entry in sorted(CLASSES, key=lambda entry: entry.label_2):
    label = entry.label_1 if protocol == 1 else entry.label_2
    if label is not None:
      tags = draw_tags(entry, simulation.images_per_class, simulation.seed)
      for index, tag in enumerate(tags):
        rows.append(_row(entry, label, index, int(tag)))
  write_meta(root / CSV_NAMES[protocol], rows)


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
  file.write_text(json.dumps(summary | made, indent=2) + '\n')
