"""The model card of an export: what the network is for, and what it is not."""

import pathlib
import re
from collections.abc import Mapping
from typing import Any

import jinja2

from input_pipeline import escape
from input_pipeline.text_tables import percent
from owdfa_jax.export.exported_files import DESCRIPTION_FILE, PROGRAM_FILE
from owdfa_jax.report_fields import TABLE_COLUMNS, main_figures

# The name of a group to which the user gave none.
_UNNAMED = re.compile(r'novel-[0-9]+')
_TEMPLATES = pathlib.Path(__file__).parent / 'templates'


def render_card(
  description: Mapping[str, Any],
  data: Mapping[str, Any],
  report: Mapping[str, Any] | None,
  licence: str,
  no_real: str = '',
) -> str:
  """Returns the model card in Markdown.

  Names are shown literally: Markdown and HTML in them have no effect.

  Args:
    description: the content of `export.json`.
    data: the description of the packed data, as packing wrote it.
    report: the content of `report.json`; None if the run was not evaluated, or
      with another checkpoint.
    licence: of the weights; '' if it was not given.
    no_real: see `source_names.no_real_source`.
  """
  environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_TEMPLATES),
    # Markdown: `finalize` escapes in place of HTML's autoescape.
    autoescape=False,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    finalize=lambda x: escape.markdown_text(str(x)),
  )
  return environment.get_template('model_card.md').render(
    description,
    name=_name(description['run']),
    known=description['classes'][: description['num_known']],
    found=_found(description),
    sources=_sources(data),
    splits=data['splits'],
    figures=None if report is None else _figures(report),
    has_intervals=bool(report and main_figures(report).get('intervals')),
    report=report,
    licence=licence,
    no_real=no_real[:1].upper() + no_real[1:],
    program_file=PROGRAM_FILE,
    description_file=DESCRIPTION_FILE,
  )


def _name(run: Mapping[str, Any]) -> str:
  stage = f', stage {run["stage"]}' if run['stage'] else ''
  return f'{run["name"]}{stage} ({run["title"]}, step {run["step"]})'


def _found(description: Mapping[str, Any]) -> list[dict[str, Any]]:
  """Returns the found groups: names, numbers of outputs, where they are from.

  Args:
    description: the content of `export.json`.
  """
  outputs = description['outputs']
  split = description['split_clusters']
  part_of = {part: whole for whole, parts in split.items() for part in parts}
  rows = []
  for name in description['classes'][description['num_known'] :]:
    remark = 'a name from the user'
    if name in part_of:
      remark = f'a part of {part_of[name]}, which the user split'
    elif name in split:
      parts = ', '.join(split[name])
      remark = f'split by the user into {parts}; the program gives the whole'
    elif _UNNAMED.fullmatch(name):
      remark = 'no name from the user'
    rows.append(
      {'name': name, 'outputs': outputs.count(name), 'remark': remark}
    )
  return rows


def _sources(data: Mapping[str, Any]) -> list[dict[str, Any]]:
  """Returns the sources of the training images: names, kinds and counts.

  The last one stands for the images of unknown source, if there are any.
  """
  of_class = [(x['name'], x['known'], x['counts']) for x in data['classes']]
  unknown = data.get('truth_unknown') or {}
  if unknown.get('unlabelled'):
    of_class.append(('(unknown: the heap)', False, unknown))
  return [
    {
      'name': name,
      'known': known,
      'labelled': counts['labelled'],
      'unlabelled': counts['unlabelled'],
    }
    for name, known, counts in of_class
  ]


def _figures(report: Mapping[str, Any]) -> list[dict[str, str]]:
  """Returns the rows of the table of figures, in percent."""
  figures = main_figures(report)
  intervals = (figures.get('intervals') or {}).get('figures') or {}
  rows = []
  for key, label in TABLE_COLUMNS.items():
    interval = intervals.get(key)
    both = ' to '.join(percent(x) for x in interval or ())
    value = percent(figures.get(key))
    rows.append({'name': label, 'value': value, 'interval': both})
  return rows
