"""Tests of which packed data is the data that a run was trained on."""

import json
import pathlib

import cv2
import pytest

from helpers import imagesets
from helpers.runs import start_run, tiny_experiment
from input_pipeline import meta, pack
from input_pipeline.dataset import open_dataset
from input_pipeline.errors import UserError
from owdfa_jax.training.packed_facts import packed_differences, packed_facts
from owdfa_jax.training.run_record import check_resumable, check_same_network
from owdfa_jax.training.workdir import claim_workdir


@pytest.fixture(scope='module')
def images(tmp_path_factory):
  """Images of four classes, and their meta CSV."""
  folder = tmp_path_factory.mktemp('images')
  return imagesets.write_set(folder, known=2, novel=2, per_class=30, size=32)


@pytest.fixture(scope='module')
def first(images, tmp_path_factory):
  return packed_as(images, tmp_path_factory.mktemp('first') / 'packed')


def packed_as(images, out, **options):
  options = {'size': 32, 'format': 'png'} | options
  pack.pack(images, out, pack.Options(**options), workers=1)
  return out


def differences(first, other):
  before, now = (packed_facts(open_dataset(pack)) for pack in (first, other))
  return packed_differences(before, now)


@pytest.mark.parametrize('shards', [2, 5])
def test_number_of_shards_makes_no_difference(images, first, tmp_path, shards):
  assert differences(first, packed_as(images, tmp_path / 'a')) == []
  other = packed_as(images, tmp_path / 'b', shards=shards)
  assert differences(first, other) == []


@pytest.mark.parametrize(
  'options, expected',
  [
    ({'size': 16}, ['image size 32 (now 16)', 'image bytes']),
    ({'format': 'jpeg'}, ['image format png (now jpeg)', 'image bytes']),
    ({'seed': 1}, ['labels', 'image bytes']),
  ],
)
def test_other_options_are_named(images, first, tmp_path, options, expected):
  other = packed_as(images, tmp_path / 'a', **options)
  assert differences(first, other) == expected


def test_jpeg_quality_is_named(images, tmp_path):
  one = packed_as(images, tmp_path / 'a', format='jpeg', quality=90)
  other = packed_as(images, tmp_path / 'b', format='jpeg', quality=80)
  assert differences(one, other) == ['JPEG quality 90 (now 80)', 'image bytes']


FACTS = {
  'crop': 'opencv',
  'margin': 1.2,
  'alignment': 'off',
  'classes': 'c',
  'records': 'r',
  'shards': 's',
}


@pytest.mark.parametrize(
  'changes, expected',
  [
    ({}, []),
    ({'shards': 'other'}, []),
    ({'records': 'other'}, []),  # the shards are the same
    ({'records': None, 'shards': 'other'}, ['image bytes']),
    ({'records': 'other', 'shards': 'other'}, ['image bytes']),
    (
      {'crop': 'none', 'margin': None, 'records': 'x', 'shards': 'x'},
      ['crop opencv (now none)', 'image bytes'],
    ),
    (
      {'margin': 1.5, 'alignment': 'on', 'records': 'x', 'shards': 'x'},
      ['margin 1.2 (now 1.5)', 'alignment off (now on)', 'image bytes'],
    ),
    # The records hold the numbers of the classes, not their names.
    ({'classes': 'd'}, ['classes']),
    # The first packs had no hashes.
    ({'records': None, 'shards': None}, []),
    (
      {'crop': 'none', 'records': None, 'shards': None},
      ['crop opencv (now none)'],
    ),
  ],
)
def test_what_differs_is_named(changes, expected):
  assert packed_differences(FACTS, FACTS | changes) == expected


def change_one_pixel(images, tmp_path):
  """Packs the same meta CSV after one of its images has changed."""
  table = meta.read_meta(images)
  path = pathlib.Path(table.file(5))
  before = path.read_bytes()
  image = cv2.imread(str(path))
  image[3, 3] ^= 255
  try:
    cv2.imwrite(str(path), image)
    return packed_as(images, tmp_path / 'changed')
  finally:
    path.write_bytes(before)


def test_run_does_not_go_on_with_other_pixels(images, first, tmp_path):
  start_run(first, tmp_path / 'run')
  other = tiny_experiment(
    change_one_pixel(images, tmp_path), tmp_path / 'run', epochs=9
  )
  for check in (check_resumable, check_same_network):
    with pytest.raises(UserError, match='config.json records: image bytes; '):
      check(other)


def test_run_of_an_earlier_version_is_identified_by_its_digest(
  images, first, tmp_path, capsys
):
  """It recorded no hash of the images."""
  start_run(first, tmp_path / 'run')
  record = tmp_path / 'run' / 'config.json'
  settings = json.loads(record.read_text())
  del settings['packed']
  record.write_text(json.dumps(settings))
  check_resumable(tiny_experiment(first, tmp_path / 'run'))
  changed = change_one_pixel(images, tmp_path)
  check_resumable(tiny_experiment(changed, tmp_path / 'run'))
  other = packed_as(images, tmp_path / 'other', size=48)
  with pytest.raises(UserError, match='config.json records: dataset=.* .now '):
    check_resumable(tiny_experiment(other, tmp_path / 'run'))
  # The images that it goes on with are recorded, and no others are taken then.
  for _ in range(2):
    claim_workdir(tiny_experiment(first, tmp_path / 'run'))
  assert capsys.readouterr().out.count('has no hash of its images') == 1
  with pytest.raises(UserError, match='image bytes'):
    check_resumable(tiny_experiment(changed, tmp_path / 'run'))
