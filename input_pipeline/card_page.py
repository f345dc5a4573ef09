"""The data card of a packed directory, its README.md.

The texts of the CSV and of the card's file are shown literally: Markdown and
HTML in them have no effect.
"""

from input_pipeline import text_tables
from input_pipeline.data_card import SOURCES, Card, SourceInfo
from input_pipeline.escape import (
  code,
  code_block,
  distinct,
  link,
  markdown_text,
  prose,
)
from input_pipeline.summary import group_lines

_NO_LICENCE = (
  'The terms of this collection are not stated. Those of each source apply.'
)


def card_text(description: dict, card: Card) -> str:
  """Returns the data card in Markdown.

  Args:
    description: the description of the packed directory.
    card: texts on it.
  """
  made = description['made']
  sections = [
    f'# {markdown_text(description["name"])}\n\n{prose(card.description)}',
    _content(description, card),
    _classes(description),
    _sources(description, card),
    f'## Licence\n\n{prose(card.licence) or _NO_LICENCE}',
  ]
  if card.citation:
    sections.append(f'## Citation\n\n{code_block(card.citation)}')
  sections += [_how(made), _files(description)]
  return '\n\n'.join(sections) + '\n'


def _content(description: dict, card: Card) -> str:
  size = description['image_size']
  splits = description['splits']
  formats = ' and '.join(description['image_formats']).upper()
  kept = ', the original files' if description['original_bytes'] else ''
  lines = [
    f'- {size} x {size} pixels, RGB, {formats}{kept}',
    f'- {splits["train"]["records"]:,} training and '
    f'{splits["test"]["records"]:,} test images',
    f'- {description["num_classes"]} classes, {description["num_known"]} known',
  ]
  lines += [f'- {line}' for line in group_lines(description)]
  if not description['novel_count_known']:
    lines.append('- the class of some unlabelled images is not known')
  counts = [entry['counts'] for entry in description['classes']]
  counts.append(description['truth_unknown'])
  if 'no_face' in counts[0]:
    whole = sum(c['no_face'] for c in counts)
    lines.append(
      f'- faces cut out; whole images, without a detected face: {whole:,}'
    )
  if description['skipped']:
    left_out = len(description['skipped'])
    lines.append(f'- unreadable images left out: {left_out:,}')
  for kind, found in description['duplicates'].items():
    if found['groups']:
      what = kind.replace('_', ' ')
      lines.append(f'- images {what}: {found["groups"]:,}')
  if card.homepage:
    lines.append(f'- home page: {link(card.homepage)}')
  return '## Content\n\n' + '\n'.join(lines)


def _classes(description: dict) -> str:
  header = ('id', 'class', 'type', 'source', 'role')
  columns = ('labelled', 'unlabelled', 'test')
  names = distinct([entry['name'] for entry in description['classes']])
  rows = [
    (
      str(entry['label']),
      name,
      entry['forgery_type'],
      entry['image_source'],
      'known' if entry['known'] else 'novel',
      *(f'{entry["counts"][c]:,}' for c in columns),
    )
    for entry, name in zip(description['classes'], names, strict=True)
  ]
  unknown = description['truth_unknown']
  if any(unknown.values()):
    counts = (f'{unknown[c]:,}' for c in columns)
    rows.append(('-1', '(truth unknown)', '', '', '', *counts))
  return '## Classes\n\n' + text_tables.markdown((*header, *columns), rows)


def _sources(description: dict, card: Card) -> str:
  rows = []
  for name in _source_names(description):
    plain = ''.join(c for c in name.lower() if c.isalnum())
    source = card.sources.get(name) or SOURCES.get(plain) or SourceInfo(name)
    rows.append((name, source.title, source.licence, link(source.homepage)))
  header = ('source', 'what it is', 'licence', 'where')
  return '## Sources\n\n' + text_tables.markdown(header, rows)


def unused_sources(description: dict, card: Card) -> list[str]:
  """Returns the sources of a card that no class has, such as misspelt ones."""
  return sorted(card.sources.keys() - set(_source_names(description)))


def _source_names(description: dict) -> list[str]:
  return sorted(
    {
      name
      for entry in description['classes']
      for name in entry['image_source'].split('&')
    }
  )


def _how(made: dict) -> str:
  arguments = ' '.join(
    f'--{name}={value}'
    for name, value in made['arguments'].items()
    if value is not None
  )
  versions = ', '.join(
    f'{k} {markdown_text(v)}' for k, v in made['versions'].items()
  )
  command = code(f'{made["by"]} {arguments}')
  return (
    f'## How it was made\n\n{command} from a meta CSV of SHA-256 '
    f'{code(made["meta_sha256"])}; split: {made["split"]}; with {versions}.'
    '\n\nThe records are `tf.train.Example`s in TFRecord files, which '
    '`tfds.builder_from_directory` opens. `features.json` lists the fields of '
    'a record; its `sha256` is that of the original image file. '
    '`description.json` has the content of this page for programs.'
  )


def _files(description: dict) -> str:
  rows = [
    (name, f'{file["records"]:,}', f'{file["bytes"]:,}', code(file['sha256']))
    for name, file in description['shards'].items()
  ]
  header = ('shard', 'records', 'bytes', 'SHA-256')
  return '## Files\n\n' + text_tables.markdown(header, rows)
