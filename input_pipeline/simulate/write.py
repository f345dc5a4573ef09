"""Writes a simulated dataset: images by all cores, meta CSVs, summary."""

import functools
import hashlib
import json
import multiprocessing
import os
import pathlib
import shutil
import tempfile

import cv2
import numpy as np
import tqdm

from input_pipeline import meta
from input_pipeline.errors import UserError
from input_pipeline.forgery_types import FORGERY_LABELS, REAL
from input_pipeline.meta import DROPPED, LABELLED, UNLABELLED
from input_pipeline.simulate.capture import CAPTURES
from input_pipeline.simulate.classes import CLASSES, ForgeryClass
from input_pipeline.simulate.faces import draw_face
from input_pipeline.simulate.photos import crop_face, find_photos

VERSION = 1  # raise it when the same parameters give other images
SUMMARY = 'simulation.json'
CSV_NAMES = {
  1: 'Protocol1_openset_fake_meta.csv',
  2: 'Protocol2_openset_real_fake_meta.csv',
}


def simulate(
  out: str,
  images_per_class: int,
  size: int,
  seed: int,
  faces: str | None = None,
  processes: int | None = None,
) -> bool:
  """Writes the dataset to `out`, or finds it there already.

  Each image is a function of (seed, class, index), and of the photos in
  `faces` when given, whatever `processes` is (None: one per core).

  Returns True when the dataset was written, False when `out` had it.

  Raises:
    UserError: a bad argument, or `out` holds something else.
  """
  _check(images_per_class, size, seed)
  photos = find_photos(faces) if faces is not None else None
  summary: dict[str, object] = {
    'version': VERSION,
    'images_per_class': images_per_class,
    'size': size,
    'seed': seed,
    'faces': None if photos is None else _digest(photos, str(faces)),
  }
  final = pathlib.Path(out)
  if _is_complete(final, summary):
    return False
  try:
    _write(final, summary, images_per_class, size, seed, photos, processes)
  except OSError as error:
    raise UserError(
      f'cannot write: --out={out} ({error.strerror}); name another folder'
    ) from error
  return True


def make_image(
  index: int, row: int, size: int, seed: int, photos: list[str] | None
) -> np.ndarray:
  """Image `index` of class `CLASSES[row]`, [S, S, 3] uint8 RGB."""
  rng = np.random.default_rng((seed, CLASSES[row].label_2, index))
  if photos is None:
    face = draw_face(rng, size)
  else:
    face = crop_face(rng, size, photos)
  forged = CLASSES[row].trace.apply(face, rng)
  return CAPTURES[CLASSES[row].source].apply(forged, rng)


def image_path(entry: ForgeryClass, index: int) -> str:
  """Path of an image inside the dataset, with forward slashes."""
  folder = f'{entry.forgery_type}/{entry.method}/{entry.source}'
  return f'{folder}/{index:05d}.png'


def tags(entry: ForgeryClass, count: int, seed: int) -> np.ndarray:
  """Tag of each image of a class, [count] int.

  Known: 75 % labelled, 25 % unlabelled; novel: 75 % unlabelled, 25 % dropped,
  as in the benchmark.
  """
  first, rest = (LABELLED, UNLABELLED) if entry.known else (UNLABELLED, DROPPED)
  result = np.full(count, rest)
  # One more number than an image's seed, so that the draws are unrelated.
  rng = np.random.default_rng((seed, entry.label_2, 0, 1))
  result[rng.permutation(count)[: int(count * 0.75 + 0.5)]] = first
  return result


def _check(images_per_class: int, size: int, seed: int) -> None:
  if images_per_class < 4:
    raise UserError(
      f'too few images: --images_per_class={images_per_class}; use 4 or more'
    )
  if size < 32:
    raise UserError(f'images too small: --size={size}; use 32 or more')
  if seed < 0:
    raise UserError(f'negative seed: --seed={seed}; use 0 or more')


def _digest(photos: list[str], faces: str) -> str:
  """A name for the set of photos: their paths in the folder and their sizes."""
  lines = [f'{os.path.relpath(p, faces)} {os.path.getsize(p)}' for p in photos]
  return hashlib.sha256('\n'.join(lines).encode()).hexdigest()


def _is_complete(final: pathlib.Path, summary: dict[str, object]) -> bool:
  """Whether `final` holds this very dataset; UserError if it holds another."""
  if not final.exists() or (final.is_dir() and not any(final.iterdir())):
    return False
  advice = 'remove it or name another folder'
  try:
    found = json.loads((final / SUMMARY).read_text())
  except (OSError, ValueError) as error:
    raise UserError(
      f'not a simulated dataset: --out={final} has no readable {SUMMARY};'
      f' {advice}'
    ) from error
  for key, value in summary.items():
    if found.get(key) != value:
      raise UserError(
        f'made with other parameters: --out={final} has {key}='
        f'{found.get(key)}, asked for {value}; {advice}'
      )
  return True


def _write(
  final: pathlib.Path,
  summary: dict[str, object],
  count: int,
  size: int,
  seed: int,
  photos: list[str] | None,
  processes: int | None,
) -> None:
  """Writes everything beside `final`, then moves it there in one step."""
  parent = final.absolute().parent
  parent.mkdir(parents=True, exist_ok=True)
  partial = pathlib.Path(tempfile.mkdtemp(prefix=f'.{final.name}-', dir=parent))
  try:
    _write_images(partial, count, size, seed, photos, processes)
    for protocol in CSV_NAMES:
      _write_csv(partial, protocol, count, seed)
    made = {
      'classes': len(CLASSES),
      'images': len(CLASSES) * count,
      'numpy': np.__version__,
      'opencv': cv2.__version__,
    }
    text = json.dumps(summary | made, indent=2)
    (partial / SUMMARY).write_text(text + '\n')
    partial.chmod(0o755)
    os.rename(partial, final)
  finally:
    shutil.rmtree(partial, ignore_errors=True)


def _write_images(
  root: pathlib.Path,
  count: int,
  size: int,
  seed: int,
  photos: list[str] | None,
  processes: int | None,
) -> None:
  for entry in CLASSES:
    (root / image_path(entry, 0)).parent.mkdir(parents=True)
  jobs = [(row, index) for index in range(count) for row in range(len(CLASSES))]
  work = functools.partial(_write_image, str(root), size, seed, photos)
  processes = processes or len(os.sched_getaffinity(0))
  bar = functools.partial(
    tqdm.tqdm, total=len(jobs), unit='image', mininterval=0.5
  )
  if processes == 1:
    for _ in bar(map(work, jobs), desc='simulate'):
      pass
    return
  # Spawned, since a caller may have threads, which a fork would not survive.
  context = multiprocessing.get_context('spawn')
  with context.Pool(processes, _one_thread) as pool:
    results = pool.imap_unordered(work, jobs, chunksize=32)
    for _ in bar(results, desc='simulate'):
      pass


def _one_thread() -> None:
  cv2.setNumThreads(1)  # the processes already fill the cores


def _write_image(
  root: str,
  size: int,
  seed: int,
  photos: list[str] | None,
  job: tuple[int, int],
) -> None:
  row, index = job
  image = make_image(index, row, size, seed, photos)
  path = os.path.join(root, image_path(CLASSES[row], index))
  if not cv2.imwrite(path, image[..., ::-1]):
    raise UserError(f'cannot write: {path}; is the disk full?')


def _write_csv(
  root: pathlib.Path, protocol: int, count: int, seed: int
) -> None:
  """Writes one protocol's meta CSV, classes in the order of their labels."""
  rows = []
  for entry in sorted(CLASSES, key=lambda entry: entry.label_2):
    label = entry.label_1 if protocol == 1 else entry.label_2
    if label is not None:
      for index, tag in enumerate(tags(entry, count, seed)):
        rows.append(_row(entry, label, index, int(tag)))
  meta.write(root / CSV_NAMES[protocol], rows)


def _row(entry: ForgeryClass, label: int, index: int, tag: int) -> dict:
  lossless = CAPTURES[entry.source].quality is None
  return {
    'img_name': f'{index:05d}.png',
    'label': label,
    'method': entry.method,
    'forgery_type': entry.forgery_type,
    'forgery_label': FORGERY_LABELS[entry.forgery_type],
    'face_type': int(entry.forgery_type == REAL),
    'tag': tag,
    'code': f'{index:05d}',
    'image_source': entry.source,
    'img_path': image_path(entry, index),
    'compression': 'lossless' if lossless else 'jpeg',
    'frame_idx': 0,
  }
