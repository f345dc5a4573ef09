"""Writes `report.html` of a run, and its pictures as files."""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from etils import epath

from input_pipeline.dataset import PackedDataset
from input_pipeline.errors import UserError
from input_pipeline.files import write_whole
from owdfa_jax.page import draw, render
from owdfa_jax.page.bounds import bounds_beside
from owdfa_jax.page.content import ShownCluster, shown_clusters
from owdfa_jax.page.context import PageParts, page_context
from owdfa_jax.page.feature_map import fits, read_map
from owdfa_jax.page.galleries import (
  Gallery,
  by_name,
  make_gallery,
  read_gallery,
)
from owdfa_jax.page.heap_content import HeapCluster, heap_clusters, heap_context
from owdfa_jax.page.heap_pictures import heap_pictures
from owdfa_jax.page.run_files import RunFiles
from owdfa_jax.page.svg import svg_file

PAGE_FILE = 'report.html'
PICTURES = 'page'


def write_page(
  run: RunFiles,
  folder: pathlib.Path,
  *,
  dataset: PackedDataset | None,
  stages: Mapping[str, Mapping[str, Any]] | None = None,
  other: RunFiles | None = None,
  out: pathlib.Path | None = None,
  device: str = '',
) -> pathlib.Path:
  """Writes the page of a run.

  Args:
    run: the files of the run, or of its last stage.
    folder: the run's folder; gets `report.html` and the folder `page`, unless
      `out` is given.
    dataset: the packed data; None if its images are not at hand.
    stages: the report of each stage of a staged run, by its name.
    other: the files of a run to compare it with.
    out: the page's path, the only file that is then written beside those that
      keep what was computed; None for `report.html` in the folder.
    device: what evaluated the run, '' if that is unknown.

  Returns:
    The path of the page.

  Raises:
    UserError: a file cannot be written, or a kept file is damaged.
  """
  step = int(run.report.get('checkpoint_step') or 0)
  found = read_map(epath.Path(run.workdir), step)
  if not fits(found, len(run.verdicts.group)):
    found = None
  gallery = _gallery(run, step, dataset)
  of_heap = heap_pictures(run, step) if run.heap is not None else {}
  shown = shown_clusters(run, gallery)
  parts = PageParts(
    run=run,
    gallery=gallery,
    shown=shown,
    heap=heap_context(run, shown, of_heap),
    heap_pictures=of_heap,
    map=found,
    pictures=draw.draw_pictures(run, bounds_beside(run, folder), found),
    stages=stages or {},
    other=other,
  )
  files = {key: svg_file(x.figure) for key, x in parts.pictures.items()}
  if out is None:
    _write_pictures(files, folder / PICTURES)
    _write_montages(run, shown, gallery, of_heap, folder / PICTURES)
  path = out or folder / PAGE_FILE
  context = page_context(parts, files, device=device, has_files=out is None)
  _write(path, render.render_page(context).encode())
  return path


def _write_pictures(files: Mapping[str, bytes], folder: pathlib.Path) -> None:
  """Writes the drawn pictures; removes those that the page has no more."""
  for name, data in files.items():
    _write(folder / f'{name}.svg', data)
  for path in folder.glob('*.svg'):
    if path.stem in draw.PICTURES and path.stem not in files:
      path.unlink(missing_ok=True)


def _gallery(
  run: RunFiles, step: int, dataset: PackedDataset | None
) -> Gallery | None:
  """Returns the images and the spectra of names; None if not at hand."""
  gallery = read_gallery(run, step)
  if gallery is None and dataset is not None and len(dataset.test):
    gallery = make_gallery(run, step, dataset.test)
  return None if gallery is None else by_name(gallery, run)


def _write_montages(
  run: RunFiles,
  shown: list[ShownCluster],
  gallery: Gallery | None,
  of_heap: Mapping[int, np.ndarray],
  folder: pathlib.Path,
) -> None:
  """Writes a picture of each name's images; removes those of other names."""
  kinds: dict[str, dict[str, np.ndarray | None]] = {}
  if gallery is not None:
    images = dict(zip(gallery.row.tolist(), gallery.image, strict=True))
    kinds['name'] = {f'name-{x.output}.png': montage(x, images) for x in shown}
  if run.heap is not None and of_heap:
    kinds['heap'] = {
      f'heap-{x.output}.png': montage(x, of_heap)
      for x in heap_clusters(run, shown)
    }
  for kind, montages in kinds.items():
    found = {name: x for name, x in montages.items() if x is not None}
    for name, picture in found.items():
      _write(folder / name, render.png_bytes(picture))
    for path in folder.glob(f'{kind}-*.png'):
      if path.name not in found:
        path.unlink(missing_ok=True)


def montage(
  cluster: ShownCluster | HeapCluster,
  images: Mapping[int, np.ndarray],
) -> np.ndarray | None:
  """Returns a cluster's images in one picture, uint8 [H, W, 3].

  The most typical ones are in the first line, the most doubtful in the second.

  Args:
    cluster: the cluster.
    images: uint8 [s, s, 3] each, by their rows; some may be missing.

  Returns:
    None if all are missing.
  """
  rows = [[x.row for x in kind] for kind in (cluster.typical, cluster.doubtful)]
  lines = [[images.get(row) for row in line] for line in rows if line]
  sides = [len(x) for line in lines for x in line if x is not None]
  if not sides:
    return None
  side, width = sides[0], max(len(line) for line in lines)
  picture = np.full((len(lines) * side, width * side, 3), 255, np.uint8)
  for number, line in enumerate(lines):
    for place, image in enumerate(line):
      if image is not None:
        top, left = number * side, place * side
        picture[top : top + side, left : left + side] = image
  return picture


def _write(path: pathlib.Path, data: bytes) -> None:
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise UserError(
      f'cannot make the folder of the page: {path.parent} ({error.strerror}); '
      'give another --out'
    ) from error
  with write_whole(path, what='the page') as file:
    file.write(data)
