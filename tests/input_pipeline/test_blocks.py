"""Blocks: images that a split keeps together, and how folders name them."""

import collections

import numpy as np
import pytest

from input_pipeline import blocks, folder, meta, prepare
from input_pipeline.errors import UserError


def write_prompts(root, classes='abcd', prompts=12):
  """Writes class folders with the same names of files, of distinct bytes."""
  for name in classes:
    (root / name).mkdir(parents=True)
    for i in range(prompts):
      suffix = 'jpg' if name == 'a' else 'png'
      (root / name / f'p{i:02d}_x.{suffix}').write_bytes(f'{name}{i}'.encode())
  return root


@pytest.mark.parametrize(
  ('rule', 'path', 'name'),
  [
    ('file_name', 'prompt3.jpg', 'prompt3'),
    ('file_name', 'sub/prompt3.x.png', 'prompt3.x'),
    ('prefix:_', '001_03.jpg', '001'),
    ('prefix:--', 'sub_1/a_b--c--d.png', 'a_b'),
    ('pattern:^[^/]+', 'video7/0001.png', 'video7'),
    ('pattern:id(\\d+)_', 'x/id12_0003.png', '12'),
  ],
)
def test_rules_name_the_block_of_a_path(rule, path, name):
  assert blocks.block_rule(rule)(path) == name


@pytest.mark.parametrize(
  ('rule', 'path'),
  [
    ('prefix:_', 'plain.png'),
    ('prefix:_', '_.png'),
    ('pattern:id(\\d+)', 'x.png'),
    ('pattern:(a)?x', 'x.png'),
  ],
)
def test_an_image_that_a_rule_does_not_fit_is_named(rule, path):
  with pytest.raises(UserError, match=f'an image of no block: .*{path}'):
    blocks.block_rule(rule)(path)


@pytest.mark.parametrize('rule', ['', 'name', 'prefix', 'prefix:', 'pattern:('])
def test_a_bad_rule_is_one_line(rule):
  with pytest.raises(UserError, match='--group_by=') as caught:
    blocks.block_rule(rule)
  assert '\n' not in str(caught.value)


def test_an_expression_that_takes_years_is_stopped(monkeypatch):
  monkeypatch.setattr(blocks, '_SEARCH_SECONDS', 0.05)
  name_block = blocks.block_rule('pattern:(a+)+b')
  with pytest.raises(UserError, match='a slow regular expression: .*aaa'):
    name_block('a' * 60)
  assert name_block('aab') == 'aa'


def test_no_block_is_split_and_each_kind_gives_its_share():
  kinds = np.repeat(['a', 'b', 'c'], 60).tolist()
  # Blocks of 1 to 4 rows of a kind, some of two kinds.
  names = [i % 37 if k != 'c' else f'c{i // 4}' for i, k in enumerate(kinds)]
  test = blocks.draw_test_blocks(blocks.blocks_of(names), kinds, 0.3, 5)
  inside = {names[row] for row in test}
  assert not inside & {n for i, n in enumerate(names) if i not in test}
  count = collections.Counter(kinds[row] for row in test)
  assert all(abs(count[kind] - 18) <= 4 for kind in 'abc')


def test_a_prompt_of_several_classes_is_on_one_side(tmp_path):
  lines = folder.prepare_folder(
    write_prompts(tmp_path / 'root'),
    ['a', 'b'],
    tmp_path / 'out',
    split='by_group',
    group_by='file_name',
    test_share=0.25,
  )
  table = meta.read_meta(tmp_path / 'out' / 'meta.csv')
  assert table.split is not None and table.group is None
  sides = collections.defaultdict(set)
  for path, side in zip(table.img_path, table.split, strict=True):
    sides[path.split('/')[-1].split('.')[0]].add(side)
  assert all(len(found) == 1 for found in sides.values())
  for label in range(4):
    mine = table.label == label
    assert (table.split[mine] == 'test').sum() == 3
    labelled = (table.tag == 1) & mine
    # int(.75 * 9), of the training images alone.
    assert labelled.sum() == (6 if label < 2 else 0)
    assert (table.split[labelled] == 'train').all()
  assert '12 blocks of images that belong together, 3 of them' in '\n'.join(
    lines
  )
  assert 'packing will hold out' not in '\n'.join(lines)


def test_images_of_a_group_are_labelled_together(tmp_path):
  root = tmp_path / 'root'
  for name in 'ab':
    (root / name).mkdir(parents=True)
    for i in range(40):
      file = root / name / f'{i // 4:03d}_{i % 4}.png'
      file.write_bytes(f'{name}{i}'.encode())
  folder.prepare_folder(
    root, ['a'], tmp_path / 'out', split='by_group', group_by='prefix:_'
  )
  table = meta.read_meta(tmp_path / 'out' / 'meta.csv')
  tags = collections.defaultdict(set)
  for row in np.flatnonzero((table.label == 0) & (table.split == 'train')):
    tags[table.img_path[row][-9:-6]].add(int(table.tag[row]))
  assert sorted(map(tuple, tags.values())) == [(1,)] * 6 + [(2,)] * 2


@pytest.mark.parametrize(
  ('options', 'message'),
  [
    (['--split=by_group'], '--split=by_group needs --group_by'),
    (['--group_by=file_name'], '--group_by=file_name needs --split=by_group'),
    (['--test_share=0.3'], '--test_share=0.3 needs --split=by_group'),
    (
      ['--split=by_group', '--group_by=file_name', '--test_share=1'],
      'test_share',
    ),
    (
      ['--split=by_group', '--group_by=pattern:^.', '--test_share=0.3'],
      'no split by group: 48 images are in 1 blocks',
    ),
  ],
)
def test_what_does_not_fit_is_one_line(tmp_path, capsys, options, message):
  words = [f'--root={write_prompts(tmp_path / "root")}', '--known=a']
  with pytest.raises(SystemExit):
    prepare.main(['folder', *words, f'--out={tmp_path / "out"}', *options])
  error = capsys.readouterr().err
  assert message in error and error.count('\n') == 1
  assert not (tmp_path / 'out').exists()
