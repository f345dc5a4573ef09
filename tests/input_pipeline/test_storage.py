"""Files at URLs: packing to a URL, and fetching from it."""

import os
import pathlib

import fsspec
import pytest

from helpers.imagesets import write_set
from input_pipeline import (
  dataset,
  features,
  pack,
  packed_format,
  packing,
  storage,
)
from input_pipeline.errors import UserError

SMALL = pack.Options(size=16, shards=2)


@pytest.fixture
def url(tmp_path, monkeypatch):
  """Returns an empty folder in memory, and sets a local cache."""
  monkeypatch.setenv('OWDFA_CACHE', str(tmp_path / 'cache'))
  return f'memory://bucket{tmp_path}/out'


@pytest.fixture
def csv(tmp_path):
  return write_set(tmp_path / 'images')


def records(opened):
  return [
    split.source[i]
    for split in (opened.train, opened.test)
    for i in range(len(split))
  ]


def test_a_url_holds_the_same_files_as_a_directory(csv, url, tmp_path):
  remote = pack.pack(csv, url, SMALL, workers=1)
  local = pack.pack(csv, tmp_path / 'out', SMALL, workers=1)
  assert remote.path.parent == tmp_path / 'cache'
  assert records(remote) == records(local)
  assert remote.description == local.description
  there = storage.sizes(url)
  here = {p.name: p.stat().st_size for p in (tmp_path / 'out').iterdir()}
  assert there == here
  assert all(packed_format.is_packed_name(name) for name in there)


def test_a_file_that_the_store_cuts_short_is_noticed(csv, url, monkeypatch):
  class_of = type(fsspec.filesystem('memory'))
  write = class_of.pipe_file

  def cut(self, name, content, **options):
    write(self, name, content[:-1], **options)

  monkeypatch.setattr(class_of, 'pipe_file', cut)
  with pytest.raises(
    UserError, match='cut short: .*a has 2 bytes instead of 3'
  ):
    storage.write_bytes(f'{url}-other/a', b'abc')

  def cut_file(self, path, name, **options):
    cut(self, name, pathlib.Path(path).read_bytes())

  monkeypatch.setattr(class_of, 'put_file', cut_file)
  with pytest.raises(UserError, match='cut short: '):
    pack.pack(csv, url, SMALL, workers=1)
  assert storage.sizes(url) == {}


def test_several_processes_write_to_a_url(csv, tmp_path, monkeypatch):
  # At a file: URL, since processes share no memory file system.
  monkeypatch.setenv('OWDFA_CACHE', str(tmp_path / 'cache'))
  out = f'file://{tmp_path}/far/out'
  opened = pack.pack(csv, out, SMALL, workers=2)
  assert len(opened.train) == 24
  assert [p.name for p in (tmp_path / 'far').iterdir()] == ['out']


def test_the_description_is_uploaded_last(csv, url, monkeypatch):
  names = []
  upload = storage.upload

  def seen(file, folder):
    names.append(file.name)
    upload(file, folder)

  monkeypatch.setattr(storage, 'upload', seen)
  packing.write_pack(csv, url, SMALL, pack.Resources(workers=1))
  assert names[-1] == packed_format.DESCRIPTION
  assert set(names) == set(storage.sizes(url))


def test_a_finished_url_is_reused_for_the_same_request(csv, url, capsys):
  packing.write_pack(csv, url, SMALL, pack.Resources(workers=1))
  capsys.readouterr()
  packing.write_pack(csv, url, SMALL, pack.Resources(workers=1))
  assert 'packed already' in capsys.readouterr().out
  with pytest.raises(
    UserError, match=f'cannot write {url}: it was packed with'
  ):
    packing.write_pack(csv, url, pack.Options(size=16))
  csv.write_text(csv.read_text() + '\n')
  with pytest.raises(UserError, match='packed from another CSV'):
    packing.write_pack(csv, url, SMALL, pack.Resources(workers=1))


def test_an_error_leaves_nothing_at_the_url(csv, url):
  (csv.parent / '1' / '7.png').write_bytes(b'')
  with pytest.raises(UserError, match='the file is empty'):
    packing.write_pack(csv, url, SMALL, pack.Resources(workers=1))
  assert storage.sizes(url) == {}


def test_files_of_a_killed_pack_are_replaced(csv, url):
  left = f'{url}/owdfa-train.tfrecord-00000-of-00009'
  storage.write_bytes(left, b'half')
  packing.write_pack(csv, url, SMALL, pack.Resources(workers=1))
  names = storage.sizes(url)
  assert 'owdfa-train.tfrecord-00000-of-00009' not in names
  assert packed_format.DESCRIPTION in names


@pytest.mark.parametrize('foreign', ['thesis.tex', 'owdfa-train.tfrecord-0/x'])
def test_a_foreign_url_is_left_alone(csv, url, foreign):
  storage.write_bytes(f'{url}/{foreign}', b'precious')
  with pytest.raises(UserError, match=f'cannot write {url}: it holds '):
    packing.write_pack(csv, url, SMALL, pack.Resources(workers=1))
  assert storage.read_bytes(f'{url}/{foreign}') == b'precious'


def test_each_version_is_copied_once(csv, url, tmp_path):
  first = pack.pack(csv, url, SMALL, workers=1)
  # Removed at the URL, the copy stays.
  storage.remove(url, ['owdfa-train.tfrecord-00000-of-00002'])
  assert dataset.open_dataset(f'{url}/').path == first.path
  storage.remove(url, storage.sizes(url))
  other = pack.pack(csv, url, pack.Options(size=16, shards=1), workers=1)
  assert other.path != first.path
  assert features.decode_image(other.train.source[0]).shape == (16, 16, 3)


def test_an_unfinished_url_is_refused(url, tmp_path):
  with pytest.raises(
    UserError, match=f'no complete dataset: {url} has no desc'
  ):
    dataset.open_dataset(url)
  assert not (tmp_path / 'cache').exists()


def test_a_short_copy_is_refused(csv, url, tmp_path, monkeypatch):
  packing.write_pack(csv, url, SMALL, pack.Resources(workers=1))
  filesystem = fsspec.filesystem('memory')

  def cut(self, source, copy):
    with open(copy, 'wb') as file:
      file.write(self.cat_file(source)[:-1])

  monkeypatch.setattr(type(filesystem), 'get_file', cut)
  with pytest.raises(UserError, match=f'cut short: {url}/.* bytes, its copy'):
    dataset.open_dataset(url)
  assert not list((tmp_path / 'cache').iterdir())


def test_a_missing_driver_is_named(csv, monkeypatch):
  # In the registry, but its package is not installed.
  fsspec.register_implementation('nowhere', 'no_such_package.FileSystem')
  with pytest.raises(
    UserError, match='cannot read nowhere://a/b/desc.*no_such'
  ):
    dataset.open_dataset('nowhere://a/b')
  with pytest.raises(UserError, match='cannot read unheard://a/b.*unheard'):
    packing.write_pack(csv, 'unheard://a/b', SMALL)


def test_a_failing_store_is_one_line(csv, url, monkeypatch):
  def refuse(self, *arguments, **options):
    raise RuntimeError('quota exceeded')

  monkeypatch.setattr(type(fsspec.filesystem('memory')), 'put_file', refuse)
  with pytest.raises(UserError, match=f'cannot write {url}/.*quota exceeded'):
    packing.write_pack(csv, url, SMALL, pack.Resources(workers=1))


def test_local_files_are_replaced_in_one_step(tmp_path, monkeypatch):
  path = str(tmp_path / 'file')
  storage.write_bytes(path, b'old')

  def fail(*_):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(os, 'replace', fail)
  with pytest.raises(UserError, match='cannot write .*No space left'):
    storage.write_bytes(path, b'new')
  assert storage.read_bytes(path) == b'old'
  assert [p.name for p in tmp_path.iterdir()] == ['file']
