"""A description with any of its fields damaged is refused, or does no harm."""

import copy
import dataclasses
import json

import pytest

from helpers.imagesets import write_set
from input_pipeline import dataset, loose_images, pack
from input_pipeline.description_fields import read_fields
from input_pipeline.errors import UserError

VALUES = (
  *(None, True, 'x', '', [], {}, [[]], {'a': 1}, 1.5),
  *(-1, 0, 10**7, 10**12, 2**63, 10**400, '\x1b' * 10**5),
)


@pytest.fixture(scope='module')
def packed(tmp_path_factory):
  folder = tmp_path_factory.mktemp('set')
  csv = write_set(folder)
  return pack.pack(csv, folder / 'out', pack.Options(size=16), workers=1)


def paths(tree, here=()):
  """Yields the path of every value in a tree of dicts and lists."""
  if here:
    yield here
  below = (
    tree.items()
    if isinstance(tree, dict)
    else enumerate(tree)
    if isinstance(tree, list)
    else ()
  )
  for key, value in below:
    yield from paths(value, (*here, key))


def changed(tree, path, *value):
  """Returns a copy with the value at `path` replaced, or removed."""
  tree = copy.deepcopy(tree)
  parent = tree
  for key in path[:-1]:
    parent = parent[key]
  if value:
    parent[path[-1]] = value[0]
  else:
    del parent[path[-1]]
  return tree


def test_every_field_is_checked(packed):
  """Whatever passes has the types that readers rely on."""
  sound = packed.description
  refused = 0
  for path in paths(sound):
    trees = [changed(sound, path, value) for value in VALUES]
    for tree in [*trees, changed(sound, path)]:
      try:
        fields = read_fields(tree)
      except ValueError as error:
        refused += 1
        assert len(str(error)) < 600
        continue
      assert all(type(entry.name) is str for entry in fields.classes)
      assert 8 <= fields.image_size <= 4096
      assert all(s.num_shards <= 99999 for s in fields.splits.values())
      opened = dataclasses.replace(packed, description=tree)
      loose_images.crop_of(opened)
      assert len(tree['made']['meta_sha256']) == 64
  assert refused > 500


@pytest.mark.parametrize(
  ('path', 'value', 'message'),
  [
    ('image_size', 10**6, 'image_size=1000000 is not from 8 to 4096'),
    ('image_size', True, 'image_size=True is not a whole number'),
    ('num_known', 0, 'num_known=0 is not from 1 to 3'),
    ('splits.train.shards', 10**7, 'shards=10000000 is not from 1 to 99999'),
    ('splits.test.records', 10**12, 'splits.test.records=1000000000000 is not'),
    ('splits.test', None, 'splits.test=None is not an object'),
    ('made', {}, 'it lacks made.meta_sha256'),
    ('made.meta_sha256', 'x', "made.meta_sha256='x' is not a SHA-256"),
    ('made.arguments', [], 'made.arguments is not an object'),
    ('made.arguments.size', '16', 'made.arguments.size='),
    ('made.arguments.crop', 'x', 'made.arguments: unknown value: --crop=x'),
    ('classes', {}, 'classes={} is not a list'),
  ],
)
def test_a_damaged_field_is_named(packed, tmp_path, path, value, message):
  tree = changed(packed.description, path.split('.'), value)
  (tmp_path / 'description.json').write_text(json.dumps(tree))
  with pytest.raises(UserError, match=f'damaged file: .*{message}.*; copy it'):
    dataset.open_dataset(tmp_path)


def test_the_first_packs_had_no_arguments(packed):
  tree = changed(packed.description, ['made', 'arguments'])
  assert read_fields(tree) == read_fields(packed.description)
  opened = dataclasses.replace(packed, description=tree)
  assert loose_images.crop_of(opened) is None
