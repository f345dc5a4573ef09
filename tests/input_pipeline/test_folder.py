"""Meta CSVs of class folders: ids, labelled draw, splits, lines, errors."""

import os

import numpy as np
import pytest

from input_pipeline import folder, image_folders, meta
from input_pipeline.errors import UserError


def fill(root, sizes, start=0):
  """Writes files of distinct bytes, which need not be images."""
  number = start
  for name, size in sizes.items():
    (root / name).mkdir(parents=True)
    for i in range(size):
      (root / name / f'{i:03d}.png').write_bytes(b'image %d' % number)
      number += 1
  return root


@pytest.fixture
def root(tmp_path):
  return fill(tmp_path / 'train', {'d': 8, 'a': 5, 'c': 9, 'b': 4})


def prepare(root, known, out, **options):
  lines = folder.prepare_folder(root, known, out, **options)
  return meta.read_meta(out / 'meta.csv'), '\n'.join(lines)


def test_known_ids_follow_the_order_given_and_novel_ones_are_sorted(
  root, tmp_path
):
  table, text = prepare(root, ['c', 'a'], tmp_path / 'out')
  ids = dict(zip(table.method, table.label, strict=True))
  assert ids == {'c': 0, 'a': 1, 'b': 2, 'd': 3}
  assert table.num_known == 2 and table.split is None
  assert (table.tag[table.label >= 2] == meta.UNLABELLED).all()
  assert 'no duplicates' in text and '26 images' in text


def test_the_labelled_draw_is_one_generator_class_by_class(root, tmp_path):
  table, _ = prepare(root, ['c', 'a'], tmp_path / 'out', seed=7)
  draws = np.random.RandomState(7)
  for label, n in (0, 9), (1, 5):
    tags = np.full(n, meta.UNLABELLED)
    tags[draws.permutation(n)[: int(0.75 * n)]] = meta.LABELLED
    np.testing.assert_array_equal(table.tag[table.label == label], tags)


def test_the_same_call_writes_the_same_bytes_and_another_seed_does_not(
  root, tmp_path
):
  contents = []
  for out, seed in ('x', 0), ('y', 0), ('z', 1):
    prepare(root, ['c'], tmp_path / out, seed=seed)
    contents.append((tmp_path / out / 'meta.csv').read_bytes())
  assert contents[0] == contents[1] != contents[2]


def test_a_test_root_makes_a_split_column(root, tmp_path):
  test = fill(tmp_path / 'test', {'a': 2, 'c': 3, 'd': 1, 'x': 1}, start=100)
  table, text = prepare(
    root, ['c', 'a'], tmp_path / 'out', test_root=test, exclude=['x']
  )
  here = table.split == 'test'
  np.testing.assert_array_equal(
    np.bincount(table.label[here], minlength=4), [3, 2, 0, 1]
  )
  np.testing.assert_array_equal(np.bincount(table.label[~here]), [9, 5, 4, 8])
  assert (table.tag[here] == meta.UNLABELLED).all()
  assert all(str(test) in path for path in table.img_path[here])
  assert 'not in the test set: b' in text


def test_images_without_class_folders_are_unlabelled_and_of_unknown_class(
  root, tmp_path
):
  other = fill(tmp_path / 'other', {'p/q': 3, 'r': 2}, start=100)
  table, text = prepare(
    root, ['a', 'b', 'c', 'd'], tmp_path / 'out', unlabelled=other
  )
  assert table.num_known == 4
  assert [c.name for c in meta.classes(table)] == ['a', 'b', 'c', 'd']
  unknown = table.label == -1
  assert unknown.sum() == 5
  assert (table.tag[unknown] == meta.UNLABELLED).all()
  line = text.splitlines()[5].split()
  assert line == ['(no', 'class', 'folder)', '-1', 'unknown', '0', '5']


def test_images_are_found_at_any_depth_in_any_case_but_not_hidden_ones(
  tmp_path,
):
  for name in 'z.PNG', 'a/b/y.JpEg', 'x.tiff', 'notes.txt', '.hidden.png':
    path = tmp_path / 'c' / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'x')
  (tmp_path / 'c' / '.thumbnails').mkdir()
  (tmp_path / 'c' / '.thumbnails' / 'w.png').write_bytes(b'x')
  found = [
    os.path.relpath(p, tmp_path)
    for p in image_folders.list_images(tmp_path / 'c')
  ]
  assert found == ['c/a/b/y.JpEg', 'c/x.tiff', 'c/z.PNG']


def test_linked_folders_are_read_once(root, tmp_path):
  (root / 'a' / 'again').symlink_to(root / 'a')
  (root / 'a' / 'up').symlink_to(tmp_path)
  (root / 'e').symlink_to(fill(tmp_path / 'elsewhere', {'e': 3}) / 'e')
  assert 'e' in image_folders.list_class_names(root)
  assert len(image_folders.list_images(root / 'e')) == 3
  found = image_folders.list_images(root / 'a')
  assert len(found) == len({os.path.realpath(path) for path in found})


def test_duplicates_are_reported_by_content_and_kept(root, tmp_path):
  test = fill(tmp_path / 'test', {'a': 2, 'c': 2}, start=100)
  leak = (root / 'a' / '000.png').read_bytes()
  (test / 'a' / '001.png').write_bytes(leak)
  (root / 'b' / '000.png').write_bytes((root / 'c' / '000.png').read_bytes())
  (root / 'd' / '000.png').write_bytes((root / 'd' / '001.png').read_bytes())
  table, text = prepare(root, ['c', 'a'], tmp_path / 'out', test_root=test)
  assert len(table) == 8 + 5 + 9 + 4 + 4
  assert 'duplicates in both training and test: 1' in text
  assert 'duplicates in more than one class: 1' in text
  assert 'duplicates within one class: 1' in text
  assert f'{root}/a/000.png = {test}/a/001.png' in text


@pytest.mark.parametrize(
  ('known', 'options', 'message'),
  [
    ([], {}, 'no known classes.*use one of a, b, c, d'),
    (
      ['a', 'cc'],
      {},
      "no class 'cc'.*did you mean c.* Otherwise use one of a, b",
    ),
    (['a', 'zebra'], {}, "no class 'zebra'.*; use one of a, b, c, d"),
    (['a', 'a'], {}, "names 'a' twice"),
    (['a'], {'exclude': ['a']}, 'both in --known and in --exclude'),
    (['a'], {'exclude': ['q']}, "no such class: --exclude 'q'; use"),
    (['a', 'b', 'c', 'd'], {}, 'none to discover'),
    (['a'], {'labelled_fraction': 0.1}, '5 images.*labels none'),
    (['a'], {'labelled_fraction': 1.5}, 'labelled_fraction=1.5'),
    (['a'], {'seed': -1}, 'seed=-1'),
  ],
)
def test_wrong_arguments_are_refused(root, tmp_path, known, options, message):
  with pytest.raises(UserError, match=message):
    prepare(root, known, tmp_path / 'out', **options)
  assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('known', [['a'], ['novel-2', 'a']])
def test_a_class_is_not_called_as_found_ones(root, tmp_path, known):
  (root / 'b').rename(root / 'novel-2')
  message = "has the folder 'novel-2' .*rename it, such as to 'class novel-2'"
  with pytest.raises(UserError, match=message):
    prepare(root, known, tmp_path / 'out')
  prepare(root, ['a'], tmp_path / 'out', exclude=['novel-2'])


def test_only_near_names_are_suggested(tmp_path):
  root = fill(tmp_path / 'train', {'DeepFaceLab': 4, 'StyleGAN2': 4})
  for wrong, message in (
    ('Face2Face', "'Face2Face' in .*; use one of DeepFaceLab, StyleGAN2"),
    ('deepfacelab', 'did you mean DeepFaceLab'),
  ):
    with pytest.raises(UserError, match=message):
      prepare(root, [wrong], tmp_path / 'out')


def test_a_class_of_subfolders_alone_is_reported(tmp_path):
  root = fill(tmp_path / 'faces', {'a': 4, 'b/x': 4, 'b/y': 4, 'c/x': 4})
  _, text = prepare(root, ['a'], tmp_path / 'out')
  assert "class 'b' has no images of its own, only in 2 subfolders" in text
  assert f'give --root {root}/b' in text and "class 'c'" not in text
  (root / 'b' / '0.png').write_bytes(b'one of its own')
  _, text = prepare(root, ['a'], tmp_path / 'out')
  assert 'of its own' not in text


def test_folders_that_do_not_fit_are_refused(root, tmp_path):
  out = tmp_path / 'out'
  with pytest.raises(UserError, match='no such folder'):
    prepare(tmp_path / 'nowhere', ['a'], out)
  (tmp_path / 'bare').mkdir()
  with pytest.raises(UserError, match='no class folders'):
    prepare(tmp_path / 'bare', ['a'], out)
  with pytest.raises(UserError, match='no such folder: --unlabelled'):
    prepare(root, ['a'], out, unlabelled=tmp_path / 'nowhere')
  with pytest.raises(
    UserError, match='no images in .*; add some or leave --unlabelled'
  ):
    prepare(root, ['a'], out, unlabelled=tmp_path / 'bare')
  with pytest.raises(UserError, match='lies inside --root'):
    prepare(root, ['a'], out, unlabelled=root / 'b')
  prepare(root, ['a'], out, unlabelled=root / 'b', exclude=['b'])
  test = fill(tmp_path / 'test', {'a': 1, 'x': 1, 'y': 1})
  with pytest.raises(UserError, match='lacks: x,y.*--exclude x,y'):
    prepare(root, ['a'], out, test_root=test)
  (root / 'e').mkdir()
  with pytest.raises(UserError, match='empty class.*--exclude e'):
    prepare(root, ['a'], out)
  (tmp_path / 'file').write_text('')
  with pytest.raises(UserError, match='cannot write the meta CSV'):
    prepare(root, ['a'], tmp_path / 'file', exclude=['e'])


def test_names_that_cannot_go_into_a_csv_are_refused(root, tmp_path):
  bad = os.fsencode(root / 'a') + b'/\xff.png'
  with open(bad, 'wb'):
    pass
  with pytest.raises(UserError, match='bad file name.*udcff'):
    prepare(root, ['a'], tmp_path / 'out')
  os.rename(bad, os.fsencode(root / 'a') + b'/line\nbreak.png')
  with pytest.raises(UserError, match='bad file name'):
    prepare(root, ['a'], tmp_path / 'out')


def test_an_interrupted_write_leaves_the_old_csv(root, tmp_path, monkeypatch):
  prepare(root, ['c'], tmp_path / 'out')
  before = (tmp_path / 'out' / 'meta.csv').read_bytes()

  def full(*_):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(os, 'replace', full)
  with pytest.raises(UserError, match='No space left'):
    prepare(root, ['a'], tmp_path / 'out')
  assert (tmp_path / 'out' / 'meta.csv').read_bytes() == before
  assert len(list((tmp_path / 'out').iterdir())) == 1
