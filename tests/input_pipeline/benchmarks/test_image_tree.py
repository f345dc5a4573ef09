"""The chosen files: checked, and linked or copied into one tree."""

import dataclasses
import os

import pytest

from input_pipeline.benchmarks import image_tree
from input_pipeline.benchmarks.candidates import Candidate
from input_pipeline.benchmarks.owdfa_classes import OWDFA
from input_pipeline.benchmarks.picks import Pick
from input_pipeline.errors import UserError
from input_pipeline.meta import UNLABELLED

ENTRY = OWDFA[8]  # CycleGAN of ForgeryNIR
TARGET = 'images/EntireFaceSyncthesis/CycleGAN/ForgeryNIR/a.png'


@pytest.fixture
def picks(tmp_path):
  """Two images of one class, in folders of their own."""
  found = []
  for folder, flat in ('x', 'a.png'), ('y', 'b.png'):
    file = tmp_path / 'faces' / folder / 'image.png'
    file.parent.mkdir(parents=True)
    file.write_bytes(folder.encode())
    image = Candidate(str(file), flat, flat, ENTRY.dataset)
    found.append(Pick(image, ENTRY, UNLABELLED))
  return found


def test_without_a_tree_paths_are_absolute_or_below_out(picks, tmp_path):
  a, b = (pick.image.path for pick in picks)
  targets = image_tree.gather_images(picks, tmp_path / 'faces' / 'x', None)
  assert targets == {a: 'image.png', b: b}


def test_a_copy_replaces_a_link_and_leaves_the_image_alone(picks, tmp_path):
  out = tmp_path / 'out'
  for how in 'link', 'copy':
    targets = image_tree.gather_images(picks, out, how)
    assert targets[picks[0].image.path] == TARGET
    assert (out / TARGET).is_symlink() == (how == 'link')
    assert (out / TARGET).read_bytes() == b'x'
  assert os.path.isfile(picks[0].image.path)
  assert not os.path.islink(picks[0].image.path)


def test_a_copy_of_another_size_is_written_again(picks, tmp_path):
  image_tree.gather_images(picks, tmp_path / 'out', 'copy')
  (tmp_path / 'out' / TARGET).write_bytes(b'cut short')
  image_tree.gather_images(picks, tmp_path / 'out', 'copy')
  assert (tmp_path / 'out' / TARGET).read_bytes() == b'x'


def test_copies_do_not_wait_for_the_disk(picks, tmp_path, monkeypatch):
  monkeypatch.setattr(os, 'fsync', None)
  image_tree.gather_images(picks, tmp_path / 'out', 'copy')
  assert (tmp_path / 'out' / TARGET).read_bytes() == b'x'


def test_two_images_of_one_name_are_an_error(picks, tmp_path):
  twin = dataclasses.replace(picks[1].image, flat='a.png')
  twins = [picks[0], Pick(twin, ENTRY, UNLABELLED)]
  with pytest.raises(UserError, match=r'both be called .*a\.png.*rename one'):
    image_tree.gather_images(twins, tmp_path / 'out', 'link')


def test_each_bad_file_is_reported_once(picks, tmp_path):
  a, b = (pick.image.path for pick in picks)
  open(a, 'wb').close()
  os.remove(b)
  bad = image_tree.check_files([*picks, *picks], 'skip')
  assert list(bad) == [a, b]
  assert '0 bytes' in bad[a] and 'No such file' in bad[b]
  with pytest.raises(UserError, match='0 bytes'):
    image_tree.check_files(picks, 'stop')
