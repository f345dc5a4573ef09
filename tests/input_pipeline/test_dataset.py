"""Opening a packed directory: its content, and what is refused."""

import json
import shutil

import numpy as np
import pytest

from helpers.imagesets import image, write_set
from input_pipeline import dataset, features, pack
from input_pipeline.errors import UserError


@pytest.fixture(scope='module')
def packed(tmp_path_factory):
  folder = tmp_path_factory.mktemp('set')
  options = pack.Options(size=16, shards=3)
  pack.pack(write_set(folder), folder / 'out', options, workers=1)
  return folder / 'out'


@pytest.fixture
def copy(packed, tmp_path):
  return shutil.copytree(packed, tmp_path / 'copy')


def test_a_packed_directory_opens(packed):
  opened = dataset.open_dataset(str(packed))
  assert opened.path == packed
  assert (opened.num_known, opened.num_classes) == (2, 3)
  assert opened.novel_count_known
  assert opened.image_size == 16
  assert [c.name for c in opened.classes] == ['m0', 'm1', 'm2']
  assert [c.known for c in opened.classes] == [True, True, False]
  assert (len(opened.train), len(opened.test)) == (24, 6)
  for split in (opened.train, opened.test):
    assert split.label.dtype == np.int32
    assert split.tag.dtype == np.int8
    for row in range(len(split)):
      record = features.decode_record(split.source[row])
      assert (record.label, record.tag) == (split.label[row], split.tag[row])
      number = int(record.id.split('/')[1].removesuffix('.png'))
      np.testing.assert_array_equal(
        features.decode_image(split.source[row]),
        image(16, 1000 * record.label + number),
      )


def remove_ids(folder):
  """Makes a pack as it was before indices held ids."""
  for path in folder.glob('*.index.npz'):
    with np.load(path) as file:
      index = {k: file[k] for k in file.files if not k.startswith('id_')}
    np.savez(path, **index)


def test_ids_are_the_paths_of_the_csv(copy):
  opened = dataset.open_dataset(copy)
  for split in (opened.train, opened.test):
    rows = range(len(split))
    records = [features.decode_record(split.source[row]) for row in rows]
    assert split.ids(rows) == [record.id for record in records]
  first_three = opened.train.ids(np.array([2, 0, 1]))
  remove_ids(copy)
  older = dataset.open_dataset(copy)
  assert older.train.row_ids is None
  assert older.train.ids(np.array([2, 0, 1])) == first_three
  assert older.test.ids(range(6)) == opened.test.ids(range(6))


def test_ids_need_no_record_unless_the_pack_is_old(copy):
  for shard in copy.glob('*.tfrecord-*'):
    shard.write_bytes(bytes(shard.stat().st_size))
  assert len(dataset.open_dataset(copy).train.ids(range(24))) == 24
  remove_ids(copy)
  with pytest.raises(UserError, match='corrupt record'):
    dataset.open_dataset(copy).train.ids([0])


def test_opening_reads_no_record(copy):
  for shard in copy.glob('*.tfrecord-*'):
    shard.write_bytes(bytes(shard.stat().st_size))
  opened = dataset.open_dataset(copy)
  with pytest.raises(UserError, match='corrupt record'):
    opened.train.source[0]


def test_a_missing_directory_is_refused(tmp_path):
  with pytest.raises(UserError, match='none does not exist; make it with'):
    dataset.open_dataset(tmp_path / 'none')


def test_a_foreign_directory_is_refused(tmp_path):
  with pytest.raises(UserError, match='has no description.json'):
    dataset.open_dataset(tmp_path)
  (tmp_path / 'file').touch()
  with pytest.raises(UserError, match='not a packed dataset'):
    dataset.open_dataset(tmp_path / 'file')


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    ('{', 'damaged file: .*description.json'),
    ('\xff', 'damaged file: .*description.json'),
    ('[' * 100000, 'damaged file: .*description.json'),
    ('[]', 'not a packed dataset'),
    ('{"format": "other"}', 'not a packed dataset'),
    ('{"format": "owdfa-packed"}', 'format_version=None'),
    (
      '{"format": "owdfa-packed", "format_version": 2}',
      'unknown format: .*format_version=2, this code reads 1',
    ),
    (
      '{"format": "owdfa-packed", "format_version": 1}',
      'damaged file: .*description.json: it lacks classes',
    ),
    ('{"format": "owdfa-packed", "format": 1}', 'a key occurs twice'),
    ('{"format": NaN}', 'NaN is not a finite number'),
    ('{"format": 1e999}', '1e999 is not a finite number'),
    (f'{{"format": {"9" * 5000}}}', 'damaged file: .*description.json'),
  ],
)
def test_a_bad_description_is_refused(copy, text, message):
  (copy / 'description.json').write_bytes(text.encode('latin-1'))
  with pytest.raises(UserError, match=message):
    dataset.open_dataset(copy)


def change(folder, edit):
  path = folder / 'description.json'
  description = json.loads(path.read_text())
  edit(description)
  path.write_text(json.dumps(description))


@pytest.mark.parametrize(
  'edit',
  [
    lambda d: d['classes'].reverse(),
    lambda d: d['classes'][1].pop('method'),
    lambda d: d.update(classes=None),
    lambda d: d.update(num_known='two'),
    lambda d: d.update(num_known=3),
    lambda d: d.update(splits={}),
  ],
)
def test_a_contradictory_description_is_refused(copy, edit):
  change(copy, edit)
  with pytest.raises(UserError, match='damaged file: .*description.json'):
    dataset.open_dataset(copy)


def test_a_missing_shard_is_named(copy):
  shard = copy / 'owdfa-train.tfrecord-00001-of-00003'
  shard.unlink()
  with pytest.raises(UserError, match=f'missing shard: {shard}'):
    dataset.open_dataset(copy)


@pytest.mark.parametrize(('size', 'what'), [(-1, 'truncated'), (1, 'foreign')])
def test_a_shard_of_another_size_is_named(copy, size, what):
  shard = copy / 'owdfa-test.tfrecord-00000-of-00003'
  before = shard.stat().st_size
  with open(shard, 'r+b') as file:
    file.truncate(before + size)
  message = (
    f'{what} shard: {shard} has {before + size} bytes, the index expects '
    f'{before}'
  )
  with pytest.raises(UserError, match=message):
    dataset.open_dataset(copy)


def test_a_missing_index_is_named(copy):
  (copy / 'train.index.npz').unlink()
  with pytest.raises(UserError, match='missing index: .*train.index.npz'):
    dataset.open_dataset(copy)


@pytest.mark.parametrize(
  'damage',
  [
    lambda data: b'',
    lambda data: b'not a zip',
    lambda data: data[: len(data) // 2],
    lambda data: data[:60] + bytes(40) + data[100:],
    lambda data: data.replace(b'label', b'lobel'),
  ],
)
def test_a_damaged_index_is_named(copy, damage):
  path = copy / 'train.index.npz'
  path.write_bytes(damage(path.read_bytes()))
  with pytest.raises(UserError, match='damaged file: .*train.index.npz'):
    dataset.open_dataset(copy)


@pytest.mark.parametrize(
  ('name', 'edit'),
  [
    ('label', lambda c: c[:-1]),
    ('label', lambda c: c.astype(np.int64)),
    ('label', lambda c: c[None]),
    ('label', lambda c: c + 1),
    ('label', lambda c: c - 2),
    ('shard', lambda c: c + 1),
    ('shard', lambda c: c - 1),
    ('offset', lambda c: c - 100),
    ('offset', lambda c: c + 2**62),
    ('length', lambda c: c + 2**40),
    # Together they would wrap around to the end of the shard.
    ('offset', lambda c: np.where(np.arange(len(c)) == 3, 2**63 - 1, c)),
    ('length', lambda c: -c),
    ('tag', lambda c: c * 0),
    # A pickled object could run code when loaded.
    ('tag', lambda c: np.array([print] * len(c), object)),
  ],
)
def test_an_index_that_does_not_fit_is_named(copy, name, edit):
  path = copy / 'train.index.npz'
  with np.load(path) as file:
    index = dict(file)
  index[name] = edit(index[name])
  np.savez(path, **index)
  with pytest.raises(UserError, match='damaged file: .*train.index.npz'):
    dataset.open_dataset(copy)


@pytest.mark.parametrize(
  ('label', 'tag', 'message'),
  [
    ([0, 1, 2], [1, 1, 2], ''),
    ([0, 1, 2], [1, 2, 2], "'m1' has no labelled training record"),
    ([0, 1], [1, 1], "'m2' has no training record"),
    # A novel class may hide among the rows of unknown truth, a known one not.
    ([0, 1, -1], [1, 1, 2], ''),
    ([0, 2, -1], [1, 2, 2], "'m1' has no labelled training record"),
  ],
)
def test_empty_classes(packed, label, tag, message):
  classes = dataset.open_dataset(packed).classes
  found = dataset.empty_class(classes, np.array(label), np.array(tag))
  assert found == (message and f'empty class: {message}')


def test_an_empty_class_is_refused(copy):
  path = copy / 'train.index.npz'
  with np.load(path) as file:
    index = dict(file)
  index['label'][index['label'] == 2] = 1
  np.savez(path, **index)
  with pytest.raises(UserError, match="empty class: 'm2' has no training"):
    dataset.open_dataset(copy)
