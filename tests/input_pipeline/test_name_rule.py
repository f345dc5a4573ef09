"""Which names may go into tables and indices, and that they stay the same."""

import unicodedata

import pytest

from helpers.imagesets import image
from input_pipeline import folder, images, meta, pack
from input_pipeline.errors import UserError
from input_pipeline.name_rule import is_one_line

NAMES = (
  'Screenshot 2024-05-01 at 9.41.00\u202fAM',
  'no\u00a0break',
  '\u5199\u771f\u3000\u4e00',
  '\U0001f468\u200d\U0001f469\u200d\U0001f467',
  # An emoji of Unicode 16, which Python 3.11 does not know.
  '\U0001fae9',
)


def test_categories_that_are_refused():
  for number in range(0x110000):
    refused = unicodedata.category(chr(number)) in ('Cc', 'Cs', 'Zl', 'Zp')
    assert is_one_line(chr(number)) != refused, hex(number)


def test_names_are_the_same_in_the_csv_and_in_the_index(tmp_path):
  root = tmp_path / 'images'
  for number, name in enumerate(NAMES):
    (root / name).mkdir(parents=True)
    for i, picture in enumerate(NAMES):
      content = images.encode_image(image(16, 9 * number + i), 'png', 0)
      (root / name / f'{picture}.png').write_bytes(content)
  folder.prepare_folder(root, NAMES[:2], tmp_path)
  table = meta.read_meta(tmp_path / 'meta.csv')
  assert set(table.method) == set(NAMES)
  packed = pack.pack(
    tmp_path / 'meta.csv', tmp_path / 'out', pack.Options(size=16), workers=1
  )
  rows = [
    row
    for split in (packed.train, packed.test)
    for row in split.ids(range(len(split)))
  ]
  paths = [f'{root}/{name}/{i}.png' for name in NAMES for i in NAMES]
  assert sorted(rows) == sorted(table.img_path) == sorted(paths)


@pytest.mark.parametrize('character', ['\x85', '\u2028', '\u2029', '\x1b'])
def test_names_that_break_lines_are_refused(tmp_path, character):
  for name in 'ab':
    (tmp_path / name).mkdir()
  (tmp_path / 'a' / f'x{character}.png').write_bytes(b'')
  with pytest.raises(UserError, match='bad file name'):
    folder.prepare_folder(tmp_path, ['a'], tmp_path / 'out')
