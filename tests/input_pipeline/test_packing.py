"""Packing: the content of the directory, and what is refused."""

import hashlib
import json
import shutil

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds

from helpers.imagesets import image, meta_row, write_set
from input_pipeline import features, images, meta, pack, splits, summary
from input_pipeline.errors import UserError
from input_pipeline.image_headers import probe

SMALL = pack.Options(size=16, shards=2)


def hidden(folder):
  return [p.name for p in folder.iterdir() if p.name.startswith('.')]


def test_records_are_the_split_in_its_order(tmp_path):
  csv = write_set(tmp_path)
  packed = pack.pack(csv, tmp_path / 'out', SMALL, workers=1)
  table = meta.read_meta(csv)
  for split, rows in zip(
    (packed.train, packed.test), splits.split_rows(table), strict=True
  ):
    assert len(split) == len(rows)
    for number, row in enumerate(rows):
      data = table.file(row).read_bytes()
      assert features.decode_record(split.source[number]) == features.Record(
        image=data,
        label=table.label[row],
        tag=table.tag[row],
        id=table.img_path[row],
        method=table.method[row],
        forgery_type='IdentitySwap',
        image_source='src',
        sha256=hashlib.sha256(data).hexdigest(),
      )


def test_the_description_has_the_content_and_the_making(tmp_path):
  csv = write_set(tmp_path)
  packed = pack.pack(csv, tmp_path / 'out', SMALL, workers=1)
  description = packed.description
  assert description['name'] == 'out'
  assert description['image_formats'] == ['png']
  assert description['original_bytes'] is True
  assert description['splits']['train']['records'] == 24
  assert description['splits']['test']['shards'] == 2
  assert description['skipped'] == []
  made = description['made']
  assert made['meta_csv'] == str(csv)
  assert made['meta_sha256'] == hashlib.sha256(csv.read_bytes()).hexdigest()
  assert made['arguments']['size'] == 16
  assert made['versions']['numpy'] == np.__version__
  for entry in description['classes']:
    counts = entry['counts']
    assert counts['labelled'] + counts['unlabelled'] == 8
    assert (counts['labelled'] > 0) == entry['known']
    assert (counts['test'], counts['skipped']) == (2, 0)


def test_tfds_reads_the_metadata(tmp_path):
  pack.pack(write_set(tmp_path), tmp_path / 'out', SMALL, workers=1)
  text = (tmp_path / 'out' / 'dataset_info.json').read_text()
  counted = {
    split['name']: sum(map(int, split['shardLengths']))
    for split in json.loads(text)['splits']
  }
  assert counted == {'train': 24, 'test': 6}
  text = (tmp_path / 'out' / 'features.json').read_text()
  schema = tfds.features.FeaturesDict.from_json(json.loads(text))
  assert schema['image'].shape == (16, 16, 3)
  assert schema['image'].encoding_format == 'png'
  assert schema['label'].num_classes == 3
  names = (tmp_path / 'out' / 'label.labels.txt').read_text()
  assert names.split() == ['m0', 'm1', 'm2']


def test_images_of_another_size_are_resized(tmp_path):
  csv = write_set(tmp_path, size=23)
  packed = pack.pack(csv, tmp_path / 'out', SMALL, workers=1)
  assert packed.description['original_bytes'] is False
  table = meta.read_meta(csv)
  for number, row in enumerate(splits.split_rows(table)[0]):
    np.testing.assert_array_equal(
      features.decode_image(packed.train.source[number]),
      images.resize_image(images.load_image(table.file(row)), 16),
    )


def test_all_are_encoded_anew_if_one_image_does_not_fit(tmp_path):
  csv = write_set(tmp_path, suffix='jpg')
  cv2.imwrite(str(tmp_path / '2' / '9.jpg'), image(20, 0))
  packed = pack.pack(csv, tmp_path / 'out', SMALL, workers=1)
  assert packed.description['original_bytes'] is False
  assert packed.description['image_formats'] == ['png']


def test_kept_files_that_are_not_plain_are_encoded_anew(tmp_path):
  csv = write_set(tmp_path, suffix='jpg')
  grey = image(16, 0)[..., 0]
  path = tmp_path / '2' / '9.jpg'
  cv2.imwrite(str(path), grey)
  packed = pack.pack(csv, tmp_path / 'out', SMALL, workers=1)
  assert packed.description['original_bytes'] is True
  assert packed.description['image_formats'] == ['jpeg', 'png']
  records = [
    split.source[i]
    for split in (packed.train, packed.test)
    for i in range(len(split))
  ]
  (found,) = [r for r in records if features.decode_record(r).id == '2/9.jpg']
  np.testing.assert_array_equal(
    features.decode_image(found), images.load_image(path)
  )
  assert probe(features.decode_record(found).image) == (
    'png',
    16,
    16,
    True,
  )


@pytest.mark.parametrize('format', ['png', 'jpeg'])
def test_all_are_encoded_anew_in_a_given_format(tmp_path, format):
  csv = write_set(tmp_path)
  options = pack.Options(size=16, format=format, quality=50)
  packed = pack.pack(csv, tmp_path / 'out', options, workers=1)
  stored = features.decode_record(packed.train.source[0]).image
  assert probe(stored)[0] == format
  assert packed.description['image_formats'] == [format]
  assert packed.description['original_bytes'] is False


def test_the_split_column_is_honoured(tmp_path):
  csv = write_set(tmp_path)
  rows = [
    meta_row(label, n, tag=1 if label < 2 else 2)
    | {'split': 'test' if n < 3 else 'train'}
    for label in range(3)
    for n in range(10)
  ]
  meta.write_meta(csv, rows)
  packed = pack.pack(csv, tmp_path / 'out', SMALL, workers=1)
  assert (len(packed.train), len(packed.test)) == (21, 9)
  assert features.decode_record(packed.test.source[0]).id == '0/0.png'
  assert packed.description['made']['split'] == 'column'


def test_dropped_rows_are_not_packed(tmp_path):
  csv = write_set(tmp_path)
  meta.write_meta(
    csv,
    [meta_row(l, n, tag=1) for l in (0, 1) for n in range(9)]
    + [meta_row(2, n, tag=0, path='none') for n in range(9)],
  )
  packed = pack.pack(csv, tmp_path / 'out', SMALL, workers=1)
  assert len(packed.train) + len(packed.test) == 18
  assert packed.num_classes == 2


def test_images_of_unknown_class_are_packed(tmp_path):
  csv = write_set(tmp_path, novel=1)
  rows = [meta_row(l, n, tag=1) for l in (0, 1) for n in range(10)]
  unknown = [
    meta_row(-1, n, path=f'2/{n}.png', method='', face_type=-1)
    for n in range(10)
  ]
  meta.write_meta(csv, rows + unknown)
  packed = pack.pack(csv, tmp_path / 'out', SMALL, workers=1)
  assert (packed.num_known, packed.num_classes) == (2, 2)
  assert not packed.novel_count_known
  assert (packed.train.label == -1).sum() == 8
  assert packed.description['truth_unknown']['unlabelled'] == 8
  assert '(truth unknown)' in summary.summary(packed.description)


def test_unreadable_images_can_be_skipped_and_are_counted(tmp_path):
  csv = write_set(tmp_path)
  (tmp_path / '1' / '7.png').unlink()
  (tmp_path / '2' / '3.png').write_bytes(b'')
  options = pack.Options(size=16, shards=2, on_error='skip')
  packed = pack.pack(csv, tmp_path / 'out', options, workers=1)
  assert len(packed.train) + len(packed.test) == 28
  skipped = {entry['id']: entry for entry in packed.description['skipped']}
  assert skipped.keys() == {'1/7.png', '2/3.png'}
  assert 'No such file' in skipped['1/7.png']['why']
  assert skipped['2/3.png']['label'] == 2
  counts = [c['counts']['skipped'] for c in packed.description['classes']]
  assert counts == [0, 1, 1]
  # The other images keep their order, and none is repeated.
  table = meta.read_meta(csv)
  wanted = [
    table.img_path[row]
    for row in splits.split_rows(table)[0]
    if table.img_path[row] not in skipped
  ]
  ids = [
    features.decode_record(packed.train.source[i]).id
    for i in range(len(wanted))
  ]
  assert ids == wanted
  assert len(packed.train) == len(wanted)


def test_skipping_a_whole_class_is_refused(tmp_path):
  csv = write_set(tmp_path)
  shutil.rmtree(tmp_path / '2')
  options = pack.Options(size=16, on_error='skip')
  with pytest.raises(UserError, match="empty class: 'm2'"):
    pack.pack(csv, tmp_path / 'out', options, workers=1)
  assert not (tmp_path / 'out').exists()
  assert not hidden(tmp_path)


def test_skipping_the_whole_test_split_is_refused(tmp_path):
  csv = write_set(tmp_path)
  table = meta.read_meta(csv)
  for row in splits.split_rows(table)[1]:
    table.file(row).unlink()
  options = pack.Options(size=16, on_error='skip')
  words = 'no image of the test split can be used; the first: unreadable .*m'
  with pytest.raises(UserError, match=words):
    pack.pack(csv, tmp_path / 'out', options, workers=1)


def test_a_class_without_training_rows_is_refused(tmp_path):
  csv = write_set(tmp_path)
  rows = [
    meta_row(label, n, tag=1 if label < 2 else 2)
    | {'split': 'test' if label == 2 else 'train'}
    for label in range(3)
    for n in range(5)
  ]
  meta.write_meta(csv, rows)
  with pytest.raises(UserError, match="empty class: 'm2' .*meta.csv"):
    pack.pack(csv, tmp_path / 'out', SMALL, workers=1)


def test_a_finished_directory_is_reused_only_for_the_same_request(
  tmp_path, capsys
):
  csv = write_set(tmp_path)
  out = tmp_path / 'out'
  pack.pack(csv, out, SMALL, workers=1)
  before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
  capsys.readouterr()
  pack.pack(csv, out, SMALL, workers=2)
  assert 'packed already' in capsys.readouterr().out
  with pytest.raises(UserError, match='packed with --shards=2; remove it'):
    pack.pack(csv, out, pack.Options(size=16), workers=1)
  csv.write_text(csv.read_text() + '\n')
  with pytest.raises(UserError, match='packed from another CSV; remove it'):
    pack.pack(csv, out, SMALL, workers=1)
  assert before == {path: path.stat().st_mtime_ns for path in out.iterdir()}


def test_a_damaged_directory_is_not_reused(tmp_path):
  csv = write_set(tmp_path)
  pack.pack(csv, tmp_path / 'out', SMALL, workers=1)
  (tmp_path / 'out' / 'owdfa-test.tfrecord-00000-of-00002').write_bytes(b'')
  with pytest.raises(UserError, match='truncated shard'):
    pack.pack(csv, tmp_path / 'out', SMALL, workers=1)


@pytest.mark.parametrize('name', ['README.md', 'features.json'])
def test_a_directory_with_an_empty_file_is_not_reused(tmp_path, name):
  csv = write_set(tmp_path)
  pack.pack(csv, tmp_path / 'out', SMALL, workers=1)
  (tmp_path / 'out' / name).write_bytes(b'')
  with pytest.raises(UserError, match=f'damaged file: .*{name}: it is empty'):
    pack.pack(csv, tmp_path / 'out', SMALL, workers=1)


def test_what_a_kill_left_beside_a_complete_directory_is_removed(tmp_path):
  """As of a process that was killed right after the last rename."""
  csv = write_set(tmp_path)
  pack.pack(csv, tmp_path / 'out', SMALL, workers=1)
  (tmp_path / f'.out.incomplete-7-{"0" * 12}.lock').touch()
  pack.pack(csv, tmp_path / 'out', SMALL, workers=1)
  assert not list(tmp_path.glob('.out*'))


def test_a_foreign_directory_is_left_alone(tmp_path):
  csv = write_set(tmp_path)
  with pytest.raises(
    UserError, match=f'cannot write {tmp_path}: .*not a packed'
  ):
    pack.pack(csv, tmp_path, SMALL, workers=1)
  with pytest.raises(UserError, match=f'cannot write {csv}'):
    pack.pack(csv, csv, SMALL, workers=1)
  with pytest.raises(UserError, match=f'cannot write {csv}'):
    pack.pack(csv, csv / 'out', SMALL, workers=1)


def test_an_empty_directory_is_filled(tmp_path):
  csv = write_set(tmp_path)
  (tmp_path / 'out').mkdir()
  assert len(pack.pack(csv, tmp_path / 'out', SMALL, workers=1).train) == 24


def test_too_little_space_is_refused_before_starting(tmp_path, monkeypatch):
  csv = write_set(tmp_path)
  usage = shutil.disk_usage(tmp_path)
  monkeypatch.setattr(
    shutil, 'disk_usage', lambda _: usage._replace(free=10000)
  )
  with pytest.raises(UserError, match='MB needed, 0.0 MB free'):
    pack.pack(csv, tmp_path / 'new' / 'out', SMALL, workers=1)
  assert not (tmp_path / 'new').exists()


def test_an_image_over_the_limit_is_unreadable(tmp_path, capsys):
  csv = write_set(tmp_path, size=16)
  cv2.imwrite(str(tmp_path / '0' / '0.png'), np.zeros((40, 40, 3), np.uint8))
  options = {'size': 16, 'max_pixels': 1000}
  with pytest.raises(UserError, match='40 x 40 pixels, more than --max_pixels'):
    pack.pack(csv, tmp_path / 'out', pack.Options(**options), workers=1)
  options['on_error'] = 'skip'
  packed = pack.pack(csv, tmp_path / 'out', pack.Options(**options), workers=1)
  (skipped,) = packed.description['skipped']
  assert skipped['id'] == '0/0.png'
