"""Writes `report.html` of a run, and its pictures as files."""

import pathlib
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from etils import epath

from input_pipeline.dataset import PackedDataset
from input_pipeline.errors import UserError
from input_pipeline.files import write_whole
from owdfa_jax import __version__
from owdfa_jax.page import content as page_content
from owdfa_jax.page import draw, render
from owdfa_jax.page.bounds import bounds_beside
from owdfa_jax.page.feature_map import FeatureMap, read_map
from owdfa_jax.page.galleries import (
  Gallery,
  by_name,
  make_gallery,
  read_gallery,
)
from owdfa_jax.page.heap_content import HeapCluster, heap_clusters, heap_context
from owdfa_jax.page.heap_pictures import heap_pictures
from owdfa_jax.page.paired import compare_runs
from owdfa_jax.page.run_files import RunFiles
from owdfa_jax.page.svg import inline_svg, svg_file
from owdfa_jax.report_fields import TABLE_COLUMNS, main_figures

PAGE_FILE = 'report.html'
PICTURES = 'page'
_SECTIONS = {
  'pair': 'Two runs',
  'figures': 'Figures',
  'heap': 'Heap',
  'confusion': 'Confusions',
  'curves': 'Training',
  'reliability': 'Confidence',
  'scores': 'Unseen',
  'map': 'Map',
  'robustness': 'Robustness',
  'clusters': 'Names',
}


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
  gallery = _gallery(run, step, dataset)
  found = read_map(epath.Path(run.workdir), step)
  if found is not None and found.row.max() >= len(run.verdicts.group):
    found = None  # of another table of test images
  pictures = draw.draw_pictures(run, bounds_beside(run, folder), found)
  files = {key: svg_file(picture.figure) for key, picture in pictures.items()}
  shown = page_content.shown_clusters(run, gallery)
  of_heap = heap_pictures(run, step) if run.heap is not None else {}
  context = {
    **page_context(run, gallery, found, stages, other),
    'facts': page_content.facts(run, device),
    'clusters': shown,
    'heap': heap_context(run, shown, of_heap),
    'heap_thumbnails': {k: render.jpeg_uri(x) for k, x in of_heap.items()},
    'has_files': out is None,
    'sections': _sections(run, other, pictures),
    'pictures': {
      key: inline_svg(svg, key, pictures[key].description)
      for key, svg in files.items()
    },
  }
  if out is None:
    for name, data in files.items():
      _write(folder / PICTURES / f'{name}.svg', data)
    _write_montages(run, shown, gallery, of_heap, folder / PICTURES)
  path = out or folder / PAGE_FILE
  _write(path, render.render_page(context).encode())
  return path


def _gallery(
  run: RunFiles, step: int, dataset: PackedDataset | None
) -> Gallery | None:
  """Returns the images and the spectra of names; None if not at hand."""
  gallery = read_gallery(run, step)
  if gallery is None and dataset is not None and len(dataset.test):
    gallery = make_gallery(run, step, dataset.test)
  return None if gallery is None else by_name(gallery, run)


def _sections(
  run: RunFiles, other: RunFiles | None, pictures: Collection[str]
) -> list[tuple[str, str]]:
  """Returns the keys and the titles of the sections that the page has."""
  return [
    (key, label)
    for key, label in _SECTIONS.items()
    if key in ('figures', 'clusters')
    or key in pictures
    or (key == 'pair' and other is not None)
    or (key == 'heap' and run.heap is not None)
  ]


def _write_montages(
  run: RunFiles,
  shown: list[page_content.ShownCluster],
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


def page_context(
  run: RunFiles,
  gallery: Gallery | None,
  found: FeatureMap | None,
  stages: Mapping[str, Mapping[str, Any]] | None,
  other: RunFiles | None,
) -> dict[str, Any]:
  """Returns what the template shows beside pictures and clusters.

  Args:
    run: the files of the run.
    gallery: its images and the spectra of names; None if they are not at hand.
    found: the map of features, None if there is none.
    stages: as for `write_page`.
    other: as for `write_page`.
  """
  report, fingerprints, thumbnails = run.report, {}, {}
  warnings = list((run.figures.get('heap') or {}).get('warnings', ()))
  if len({*run.given.values()}) < len(run.given) and not run.adds_up:
    warnings.append(
      'Names were given after the evaluation. Where clusters share a name, '
      'confidences are those of single clusters; a new evaluation adds them up.'
    )
  if gallery is None:
    warnings.append('The images are not at hand: the page shows none of them.')
  else:
    thumbnails = {
      int(row): render.jpeg_uri(image)
      for row, image in zip(gallery.row, gallery.image, strict=True)
    }
    colours = render.fingerprint_images(gallery.spectrum)
    fingerprints = {
      int(output): render.png_uri(colour)
      for output, colour in zip(gallery.output, colours, strict=True)
    }
  counted = 'images' if run.figures is report else 'groups'
  return {
    'title': run.name,
    'warnings': warnings,
    'main': page_content.main_rows(run),
    'has_intervals': bool(run.figures.get('intervals')),
    'num_units': run.figures['num_examples'],
    'counted': counted,
    'published': page_content.published_table(run),
    'stages': _stage_table(stages),
    'pair': None if other is None else _pair(run, other),
    'false_alarm_rate': (report.get('unseen') or {}).get('false_alarm_rate'),
    'map_caption': ''
    if found is None
    else f'{len(found.row)} test {counted} by the features of the network '
    f'({found.method}). Near each other: alike to the network. Distances '
    'between far groups mean little. Names in blue are known, in orange novel.',
    'thumbnails': thumbnails,
    'fingerprints': fingerprints,
    'names': run.named.name,
    'num_known': run.num_known,
    'has_given_names': bool(run.given),
    'made_by': f'Made by owdfa-jax {__version__}',
  }


def _stage_table(
  stages: Mapping[str, Mapping[str, Any]] | None,
) -> dict[str, Any] | None:
  if not stages:
    return None
  return {
    'header': [*TABLE_COLUMNS.values()],
    'rows': [
      (name, [main_figures(report).get(key) for key in TABLE_COLUMNS])
      for name, report in stages.items()
    ],
  }


def _pair(run: RunFiles, other: RunFiles) -> dict[str, Any]:
  return {
    'names': (run.name, other.name),
    'rows': [
      {'name': label, 'values': [x.figures.get(key) for x in (run, other)]}
      for key, label in TABLE_COLUMNS.items()
    ],
    'result': compare_runs(run.verdicts, other.verdicts),
  }


def montage(
  cluster: page_content.ShownCluster | HeapCluster,
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
