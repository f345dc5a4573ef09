"""The data card, on its page and in the files of tensorflow-datasets."""

import dataclasses
import hashlib
import json
import re

import pytest
import tensorflow_datasets as tfds

from helpers.imagesets import meta_row, write_set
from input_pipeline import card_page, data_card, meta, pack
from input_pipeline.data_card import Card, SourceInfo
from input_pipeline.errors import UserError

CARD = """
description = 'Three methods.'
citation = '@misc{a}'
licence = 'CC BY 4.0'
homepage = 'https://example.org'
[sources.src]
title = 'A | B'
licence = 'CC0'
"""


@pytest.fixture
def packed(tmp_path):
  (tmp_path / 'card.toml').write_text(CARD)
  options = pack.Options(size=16, shards=2, card=str(tmp_path / 'card.toml'))
  csv = write_set(tmp_path / 'images')
  return pack.pack(csv, tmp_path / 'out', options, workers=1)


def sections(text):
  """Returns the lines of each section by its title."""
  parts = re.split(r'^#+ (.*)\n', text, flags=re.MULTILINE)
  return {
    title: body.strip().splitlines()
    for title, body in zip(parts[1::2], parts[2::2], strict=True)
  }


def cells(line):
  return [cell.strip() for cell in line.strip('|').split('|')]


def test_the_card_lists_the_content(packed):
  card = sections((packed.path / 'README.md').read_text())
  assert card['out'] == ['Three methods.']
  assert '- 24 training and 6 test images' in card['Content']
  assert '- 3 classes, 2 known' in card['Content']
  assert card['Content'][-1] == '- home page: <https://example.org>'
  assert [cells(line) for line in card['Classes'][2:]] == [
    ['0', 'm0', 'IdentitySwap', 'src', 'known', '5', '3', '2'],
    ['1', 'm1', 'IdentitySwap', 'src', 'known', '5', '3', '2'],
    ['2', 'm2', 'IdentitySwap', 'src', 'novel', '0', '8', '2'],
  ]
  assert cells(card['Sources'][2]) == ['src', 'A &#124; B', 'CC0', '']
  assert card['Licence'] == ['CC BY 4.0']
  assert '@misc{a}' in card['Citation']
  assert '--size=16' in card['How it was made'][0]
  files = [cells(line) for line in card['Files'][2:]]
  assert len(files) == 4
  for name, _, size, sha256 in files:
    content = (packed.path / name).read_bytes()
    assert int(size.replace(',', '')) == len(content)
    assert sha256 == f'`{hashlib.sha256(content).hexdigest()}`'
  assert sum(int(records) for _, records, *_ in files) == 30


def test_sources_that_the_csv_lacks_are_named(tmp_path, capsys):
  path = tmp_path / 'card.toml'
  csv = write_set(tmp_path / 'images')
  for text, named in (('', False), ('[sources."scr\\n"]\n', True)):
    path.write_text(CARD + text)
    options = pack.Options(size=16, card=str(path))
    pack.pack(csv, tmp_path / f'out{named}', options, workers=1)
    printed = capsys.readouterr().out
    assert ('the sources scr\\n; no image_source' in printed) == named
    assert ('not used of' in printed) == named


def test_tfds_reads_the_card(packed):
  identity = tfds.core.dataset_info.DatasetIdentity(
    name='owdfa',
    version=tfds.core.Version('1.0.0'),
    data_dir=str(packed.path),
    module_name='x',
  )
  info = tfds.core.DatasetInfo(builder=identity)
  info.read_from_directory(packed.path)
  assert info.description == 'Three methods.'
  assert info.citation == '@misc{a}'
  assert info.homepage == 'https://example.org'
  assert info.redistribution_info.license == 'CC BY 4.0'
  assert info.splits['train'].num_examples == 24


HOSTILE = '\x1b[2J<script>&[a](http://b)|`c`\n# d\u202e'


def test_text_of_the_csv_and_the_card_is_shown_as_text(tmp_path):
  csv = write_set(tmp_path / 'images', novel=0)
  rows = [
    # Two classes of one method are named by their sources as well.
    meta_row(label, n, tag=1, method='m', image_source=f'{HOSTILE}{label}')
    | {'forgery_type': HOSTILE}
    for label in (0, 1)
    for n in range(10)
  ]
  meta.write_meta(csv, rows)
  card = {'description': HOSTILE, 'licence': HOSTILE, 'citation': HOSTILE}
  path = tmp_path / 'card.toml'
  path.write_text(''.join(f'{k} = {json.dumps(card[k])}\n' for k in card))
  options = pack.Options(size=16, card=str(path))
  opened = pack.pack(csv, tmp_path / 'out', options, workers=1)
  page = (opened.path / 'README.md').read_text()
  assert all(line.isprintable() for line in page.split('\n'))
  before, _, after = page.split('```')  # the citation is in between
  for text in (before, after):
    assert '<script' not in text
    assert '[a](' not in text.replace('\\[a\\](', '')
  titles = [x for x in (before + after).split('\n') if x.startswith('#')]
  assert titles == ['# out', *(x for x in titles if x.startswith('## '))]
  card_lines = sections(page)
  assert len(card_lines['Classes']) == 4
  assert all(len(cells(line)) == 8 for line in card_lines['Classes'])
  labels = (opened.path / 'label.labels.txt').read_text().splitlines()
  assert len(labels) == 2 and all(map(str.isprintable, labels))
  assert opened.classes[0].name == f'm-{HOSTILE}0'


def test_a_known_source_is_named(tmp_path):
  csv = write_set(tmp_path, novel=0)
  sources = ['Celeb-DF', 'ForgeryNIR+']
  meta.write_meta(
    csv,
    [
      meta_row(label, n, tag=1, image_source=sources[label])
      for label in (0, 1)
      for n in range(10)
    ],
  )
  opened = pack.pack(csv, tmp_path / 'out', pack.Options(size=16), workers=1)
  card = sections((opened.path / 'README.md').read_text())
  first, second = (cells(line) for line in card['Sources'][2:])
  assert first[0] == 'Celeb-DF'
  assert first[1].startswith('Celeb-DF v2 (Li et al.')
  assert second[1].startswith('ForgeryNIR (Wang et al.')
  assert card['Licence'][0].startswith('The terms of this collection are not')
  assert 'Citation' not in card


def test_irregularities_are_on_the_card(packed):
  description = packed.description | {
    'novel_count_known': False,
    'skipped': [{}] * 1234,
    'duplicates': {'in_two_classes': {'groups': 5, 'examples': []}},
    'truth_unknown': {
      'labelled': 0,
      'unlabelled': 7,
      'test': 1,
      'skipped': 0,
      'no_face': 2,
    },
  }
  for entry in description['classes']:
    entry['counts']['no_face'] = 1
  card = sections(card_page.card_text(description, Card()))
  assert '- the class of some unlabelled images is not known' in card['Content']
  assert '- unreadable images left out: 1,234' in card['Content']
  assert '- images in two classes: 5' in card['Content']
  cut = '- faces cut out; whole images, without a detected face: 5'
  assert cut in card['Content']
  assert cells(card['Classes'][-1])[:2] == ['-1', '(truth unknown)']


def test_a_card_is_read(tmp_path):
  path = tmp_path / 'card.toml'
  path.write_text(CARD)
  assert data_card.read_card(str(path)) == Card(
    'Three methods.',
    '@misc{a}',
    'CC BY 4.0',
    'https://example.org',
    {'src': SourceInfo('A | B', 'CC0')},
  )
  path.write_text('[sources.x]\n')
  source = data_card.read_card(str(path)).sources['x']
  assert source == SourceInfo('x', dataclasses.fields(SourceInfo)[1].default)


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    ('description', 'bad card: .*card.toml: '),
    ('license = "x"', "license='x'; the fields are description, citation"),
    ('licence = 3', 'licence=3; the fields are'),
    ('sources = 3', 'write each source as .sources.NAME.'),
    ('sources.x = 3', 'x=3; the fields are title'),
    ('[sources.x]\nurl = "u"', "url='u'; the fields are title, licence, home"),
  ],
)
def test_a_bad_card_is_refused(tmp_path, text, message):
  path = tmp_path / 'card.toml'
  path.write_text(text)
  with pytest.raises(UserError, match=message):
    data_card.read_card(str(path))
  with pytest.raises(UserError, match='cannot read the card'):
    data_card.read_card(str(tmp_path / 'none'))


def test_the_description_has_the_hashes(packed):
  text = (packed.path / 'description.json').read_text()
  shards = json.loads(text)['shards']
  for name, entry in shards.items():
    content = (packed.path / name).read_bytes()
    assert entry['sha256'] == hashlib.sha256(content).hexdigest()
    assert entry['bytes'] == len(content)
