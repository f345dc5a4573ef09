"""Gathers what the template of a page names."""

import dataclasses
import shlex
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from owdfa_jax import __version__
from owdfa_jax.evaluation.calibration_report import failed_fit_in_words
from owdfa_jax.evaluation.unlike_training import unlike_training
from owdfa_jax.page import content, draw, render
from owdfa_jax.page.feature_map import FeatureMap
from owdfa_jax.page.galleries import Gallery
from owdfa_jax.page.missing import missing_parts
from owdfa_jax.page.paired import compare_runs, no_test_because
from owdfa_jax.page.run_files import RunFiles
from owdfa_jax.page.svg import inline_svg
from owdfa_jax.report_fields import CALIBRATION, TABLE_COLUMNS, main_figures

# Sections by their keys, with what the links to them say. A page has those that
# it has something for, if only why they are missing.
_SECTIONS = {
  'pair': 'Two runs',
  'figures': 'Figures',
  'heap': 'Heap',
  'confusion': 'Sources and names',
  'curves': 'Training',
  'reliability': 'Confidence',
  'scores': 'None of these',
  'map': 'Map',
  'robustness': 'Robustness',
  'clusters': 'Names',
}


@dataclasses.dataclass(frozen=True)
class PageParts:
  """What a page is made from.

  Attributes:
    run: the files of the run.
    gallery: its images and the spectra of names; None if not at hand.
    shown: the names that test images got.
    heap: what the page says about the heap; None without one.
    heap_pictures: small images of the heap by their place, uint8 [s, s, 3].
    map: the map of features; None if there is none.
    pictures: the drawn ones.
    stages: the report of each stage of a staged run, by its name.
    other: the files of a run to compare it with; None for none.
  """

  run: RunFiles
  gallery: Gallery | None
  shown: list[content.ShownCluster]
  heap: dict[str, Any] | None
  heap_pictures: Mapping[int, np.ndarray]
  map: FeatureMap | None
  pictures: Mapping[str, draw.Picture]
  stages: Mapping[str, Mapping[str, Any]]
  other: RunFiles | None


def page_context(
  parts: PageParts,
  files: Mapping[str, bytes],
  *,
  device: str,
  has_files: bool,
) -> dict[str, Any]:
  """Returns what the template of a page names.

  Args:
    parts: what the page is made from.
    files: the drawn pictures as SVG files.
    device: what evaluated the run, '' if that is unknown.
    has_files: whether the pictures are also written as files.
  """
  run, there = parts.run, {*parts.pictures}
  if there & {draw.BY_SOURCE, draw.BY_NAME}:
    there.add('map')
  missing = missing_parts(run, there, has_images=parts.gallery is not None)
  return {
    **_texts(parts),
    **_tables(parts),
    **_images(parts.gallery),
    'facts': content.facts(run, device),
    'sections': _sections(parts, {*there, *missing}),
    'missing': missing,
    'pictures': {
      key: inline_svg(svg, key, parts.pictures[key].description)
      for key, svg in files.items()
    },
    'inches': {
      key: float(x.figure.get_size_inches()[0])
      for key, x in parts.pictures.items()
    },
    'clusters': parts.shown,
    'heap': parts.heap,
    'heap_thumbnails': {
      k: render.jpeg_uri(x) for k, x in parts.heap_pictures.items()
    },
    'has_files': has_files,
  }


def _sections(
  parts: PageParts, there: Collection[str]
) -> list[tuple[str, str]]:
  """Returns the keys and the titles of the sections that the page has.

  Args:
    parts: what the page is made from.
    there: the keys of pictures, and of parts that are missing.
  """
  there = {*there, 'figures', 'clusters'}
  if parts.other is not None:
    there.add('pair')
  if parts.heap is not None:
    there.add('heap')
  return [(key, label) for key, label in _SECTIONS.items() if key in there]


def _texts(parts: PageParts) -> dict[str, Any]:
  """Returns the words and numbers of the page's sentences."""
  run = parts.run
  unseen = run.report.get('unseen') or {}
  counted = _counted(run)
  return {
    'title': run.name,
    'run_word': shlex.quote(content.clean_name(run.name)),
    'warnings': _warnings(run),
    'num_units': run.figures['num_examples'],
    'num_without_truth': run.figures.get('num_without_truth'),
    'has_all_acc': run.figures['all_acc'] is not None,
    'counted': counted,
    'false_alarm_rate': unseen.get('false_alarm_rate'),
    'temperature': (run.figures.get(CALIBRATION) or {}).get('temperature'),
    'no_temperature': failed_fit_in_words(run.figures),
    'unlike_training': unlike_training(run.report),
    'has_threshold': unseen.get('threshold') is not None,
    'map_caption': ''
    if parts.map is None
    else _map_caption(parts.map, counted),
    'names': run.named.name,
    'num_known': run.num_known,
    'has_given_names': bool(run.given),
    'made_by': f'Made by owdfa-jax {__version__}',
  }


def _tables(parts: PageParts) -> dict[str, Any]:
  """Returns the tables of figures."""
  run, other = parts.run, parts.other
  return {
    'main': content.main_rows(run),
    'has_intervals': bool(run.figures.get('intervals')),
    'published': content.published_table(run),
    'stages': _stage_table(parts.stages),
    'pair': None if other is None else _pair(run, other, _counted(run)),
  }


def _images(gallery: Gallery | None) -> dict[str, dict[int, str]]:
  """Returns the images and fingerprints of names as data URIs."""
  if gallery is None:
    return {'thumbnails': {}, 'fingerprints': {}}
  colours = render.fingerprint_images(gallery.spectrum)
  return {
    'thumbnails': {
      int(row): render.jpeg_uri(image)
      for row, image in zip(gallery.row, gallery.image, strict=True)
    },
    'fingerprints': {
      int(output): render.png_uri(colour)
      for output, colour in zip(gallery.output, colours, strict=True)
    },
  }


def _warnings(run: RunFiles) -> list[str]:
  """Returns what a reader has to beware of, commands between backticks."""
  warnings = list((run.figures.get('heap') or {}).get('warnings', ()))
  if len({*run.given.values()}) < len(run.given) and not run.adds_up:
    warnings.append(
      'Names were given after the evaluation. Where clusters share a name, '
      'confidences are those of single clusters; `owdfa eval '
      '--workdir=RUN` adds them up.'
    )
  return warnings


def _map_caption(found: FeatureMap, counted: str) -> str:
  return (
    f'{len(found.row)} test {counted} by the features of the network '
    f'({found.method}). {counted.capitalize()} near each other are alike to '
    'the network; distances between far groups mean little. Names in blue are '
    'known, those in orange novel. A name with several far groups stands at '
    'each of them.'
  )


def _stage_table(
  stages: Mapping[str, Mapping[str, Any]],
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


def _counted(run: RunFiles) -> str:
  return 'images' if run.figures is run.report else 'groups'


def _pair(run: RunFiles, other: RunFiles, counted: str) -> dict[str, Any]:
  return {
    'names': (run.name, other.name),
    'rows': [
      {'name': label, 'values': [x.figures.get(key) for x in (run, other)]}
      for key, label in TABLE_COLUMNS.items()
    ],
    'result': compare_runs(run.verdicts, other.verdicts),
    'no_test': no_test_because(run.verdicts, other.verdicts, counted),
  }
