"""The data card of a packed directory: README.md, for whoever finds it.

What we cannot know (licences above all) comes from a TOML file:

  description = '...'
  citation = '...'
  licence = '...'
  homepage = '...'
  [sources.NAME]  # an image_source of the meta CSV
  title = '...'
  licence = '...'
  homepage = '...'
"""

import dataclasses
import tomllib
from collections.abc import Iterable, Sequence
from typing import Any

from input_pipeline.errors import UserError

_ASK = 'not known here: its own terms apply'
_FORM = 'given out on request; its own terms apply'


@dataclasses.dataclass(frozen=True)
class Source:
  """Where images come from."""

  title: str
  licence: str = _ASK
  homepage: str = ''


@dataclasses.dataclass(frozen=True)
class Card:
  """What a person says of a dataset."""

  description: str = 'Face images for open-world deepfake attribution.'
  citation: str = ''
  licence: str = ''
  homepage: str = ''
  sources: dict[str, Source] = dataclasses.field(default_factory=dict)


# By the image_source, in small letters without anything but letters and
# digits. Terms change: the card points to the source instead of quoting them.
_FACE_FORENSICS = Source(
  'FaceForensics++ (Rössler et al., ICCV 2019)',
  _FORM,
  'https://github.com/ondyari/FaceForensics',
)
_CELEB_DF = Source(
  'Celeb-DF v2 (Li et al., CVPR 2020)',
  _FORM,
  'https://github.com/yuezunli/celeb-deepfakeforensics',
)
_FORGERY_NIR = Source('ForgeryNIR (Wang et al., TIFS 2022)', _FORM)
_SOURCES = {
  'ff': _FACE_FORENSICS,
  'ffpp': _FACE_FORENSICS,
  'faceforensics': _FACE_FORENSICS,
  'celebdf': _CELEB_DF,
  'celebdfv2': _CELEB_DF,
  'forgerynet': Source(
    'ForgeryNet (He et al., CVPR 2021)',
    _FORM,
    'https://github.com/yinanhe/forgerynet',
  ),
  'dffd': Source(
    'DFFD, Diverse Fake Face Dataset (Dang et al., CVPR 2020)', _FORM
  ),
  'forgerynir': _FORGERY_NIR,
  'df40': Source(
    'DF40 (Yan et al., NeurIPS 2024)',
    _ASK,
    'https://github.com/YZY-stack/DF40',
  ),
  'df3': Source('DF^3 (Ju et al., arXiv 2211.08615)', _FORM),
  'owdfa40': Source(
    'OWDFA-40 (Zheng et al., AAAI 2026)',
    _ASK,
    'https://huggingface.co/datasets/hyzheng/OWDFA40-Benchmark',
  ),
}


def read(path: str | None) -> Card:
  """The card of a TOML file; the default one if None.

  Raises:
    UserError: it cannot be read, or has other fields than a card.
  """
  if path is None:
    return Card()
  try:
    with open(path, 'rb') as file:
      fields = tomllib.load(file)
  except OSError as error:
    raise UserError(f'cannot read the card {path}: {error.strerror}') from error
  except ValueError as error:
    raise UserError(f'bad card: {path}: {error}') from error
  sources = fields.pop('sources', {})
  if not isinstance(sources, dict):
    raise UserError(f'bad card: {path}: sources must be tables')
  return _checked(
    path,
    Card,
    fields,
    sources={
      name: _checked(path, Source, {'title': name} | source)
      if isinstance(source, dict)
      else _checked(path, Source, {name: source})
      for name, source in sources.items()
    },
  )


def _checked(path: str, kind: Any, fields: dict, **more: Any) -> Any:
  """An object of texts."""
  known = [f.name for f in dataclasses.fields(kind) if f.name not in more]
  for name, value in fields.items():
    if name not in known or not isinstance(value, str):
      raise UserError(
        f'bad card: {path}: {name}={value!r}; the fields are {", ".join(known)}'
        ', each a text'
      )
  return kind(**fields, **more)


def write(description: dict, card: Card) -> str:
  """The card as Markdown.

  Args:
    description: of the packed directory.
    card: what a person says of it.
  """
  made = description['made']
  sections = [
    f'# {description["name"]}\n\n{card.description.strip()}',
    _content(description),
    _classes(description),
    _sources(description, card),
    f'## Licence\n\n{card.licence.strip() or _NO_LICENCE}',
  ]
  if card.citation:
    sections.append(f'## Citation\n\n```\n{card.citation.strip()}\n```')
  sections += [_how(made), _files(description)]
  return '\n\n'.join(sections) + '\n'


_NO_LICENCE = (
  'Nobody said under which terms this collection may be used or passed on. '
  'Those of every source apply.'
)


def _content(description: dict) -> str:
  size = description['image_size']
  splits = description['splits']
  formats = ' and '.join(description['image_formats']).upper()
  kept = description['original_bytes'] and ', the original files' or ''
  lines = [
    f'- {size} x {size} pixels, RGB, {formats}{kept}',
    f'- {splits["train"]["records"]:,} training and '
    f'{splits["test"]["records"]:,} test images',
    f'- {description["num_classes"]} classes, {description["num_known"]} known',
  ]
  if not description['novel_count_known']:
    lines.append('- the class of some unlabelled images is not known')
  counts = [entry['counts'] for entry in description['classes']]
  counts.append(description['truth_unknown'])
  if 'no_face' in counts[0]:
    whole = sum(c['no_face'] for c in counts)
    lines.append(
      f'- cut out by the face, except {whole:,} where none was found'
    )
  if description['skipped']:
    lines.append(
      f'- {len(description["skipped"]):,} unreadable images left out'
    )
  for kind, found in description['duplicates'].items():
    if found['groups']:
      what = kind.replace('_', ' ')
      lines.append(f'- {found["groups"]:,} images occur {what}')
  return '## Content\n\n' + '\n'.join(lines)


def _classes(description: dict) -> str:
  header = ('id', 'class', 'type', 'source', 'role')
  columns = ('labelled', 'unlabelled', 'test')
  rows = [
    (
      str(entry['label']),
      entry['name'],
      entry['forgery_type'],
      entry['image_source'],
      'known' if entry['known'] else 'novel',
      *(f'{entry["counts"][c]:,}' for c in columns),
    )
    for entry in description['classes']
  ]
  unknown = description['truth_unknown']
  if any(unknown.values()):
    counts = (f'{unknown[c]:,}' for c in columns)
    rows.append(('-1', '(truth unknown)', '', '', '', *counts))
  return '## Classes\n\n' + _table((*header, *columns), rows)


def _sources(description: dict, card: Card) -> str:
  names = sorted(
    {
      name
      for entry in description['classes']
      for name in entry['image_source'].split('&')
    }
  )
  rows = []
  for name in names:
    plain = ''.join(c for c in name.lower() if c.isalnum())
    source = card.sources.get(name) or _SOURCES.get(plain) or Source(name)
    rows.append((name, source.title, source.licence, source.homepage))
  header = ('source', 'what it is', 'licence', 'where')
  return '## Sources\n\n' + _table(header, rows)


def _how(made: dict) -> str:
  arguments = ' '.join(
    f'--{name}={value}'
    for name, value in made['arguments'].items()
    if value is not None
  )
  versions = ', '.join(f'{k} {v}' for k, v in made['versions'].items())
  return (
    f'## How it was made\n\n`{made["by"]} {arguments}` from a meta CSV of '
    f'SHA-256 `{made["meta_sha256"]}`; split: {made["split"]}; with {versions}.'
    '\n\nThe records are `tf.train.Example`s in TFRecord files: '
    '`tfds.builder_from_directory` opens the directory, `features.json` says '
    'what a record holds, and its `sha256` is that of the original image file. '
    '`description.json` has all of this for programs.'
  )


def _files(description: dict) -> str:
  rows = [
    (name, f'{file["records"]:,}', f'{file["bytes"]:,}', f'`{file["sha256"]}`')
    for name, file in description['shards'].items()
  ]
  header = ('shard', 'records', 'bytes', 'SHA-256')
  return '## Files\n\n' + _table(header, rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
  """A Markdown table; a bar in a cell would end it."""
  lines = [header, ('---',) * len(header), *rows]
  return '\n'.join(
    f'| {" | ".join(cell.replace("|", "&#124;") for cell in line)} |'
    for line in lines
  )
