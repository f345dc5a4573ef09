"""Files at URLs, read and written as local ones are; the store is in memory."""

import fsspec
import pytest

from input_pipeline import files, npz, object_store, storage
from input_pipeline.errors import UserError


@pytest.fixture
def url(tmp_path):
  """A folder in memory that no other test uses."""
  return f'memory://bucket{tmp_path}/run'


def test_written_and_read(url):
  with files.write_whole(f'{url}/a/text', text=True) as file:
    file.write('grün\r\n')
  with files.write_whole(f'{url}/bytes') as file:
    file.write(b'1')
  assert files.read_text(f'{url}/a/text') == 'grün\r\n'
  with files.open_regular(f'{url}/a/text') as file:
    assert file.readline(2) == b'gr'
    assert file.read() == 'ün\r\n'.encode()
  with files.write_whole(f'{url}/bytes') as file:
    file.write(b'22')
  assert object_store.object_size(f'{url}/bytes') == 2
  assert object_store.object_names(url) == ['a/text', 'bytes']
  assert object_store.object_names(f'{url}/none') == []
  assert files.file_sha256(f'{url}/bytes').startswith('785f3ec7')


def test_an_error_leaves_the_object_as_it_was(url):
  with files.write_whole(f'{url}/a', text=True) as file:
    file.write('before')
  with pytest.raises(KeyError), files.write_whole(f'{url}/a') as file:
    file.write(b'half')
    raise KeyError
  assert files.read_text(f'{url}/a') == 'before'


def test_missing_and_too_large(url, monkeypatch):
  for read in (
    files.read_regular,
    files.open_regular,
    object_store.object_size,
  ):
    with pytest.raises(FileNotFoundError):
      read(f'{url}/none')
  with files.write_whole(f'{url}/a') as file:
    file.write(bytes(3 << 20))
  monkeypatch.setenv(files.LIMIT_VARIABLE, '2')
  with pytest.raises(OSError, match='over the limit of 2 MiB'):
    files.read_regular(f'{url}/a')
  with pytest.raises(OSError, match='over the limit'):
    npz.read_npz(f'{url}/a', ('x',))


def test_what_the_store_says_is_in_the_error(url, monkeypatch):
  def refuse(self, *_, **__):
    raise RuntimeError('403: no\n  permission')

  monkeypatch.setattr(type(fsspec.filesystem('memory')), 'put_file', refuse)
  with (
    pytest.raises(UserError, match=f'write the report: {url}/a .403: no perm'),
    files.write_whole(f'{url}/a', what='the report') as file,
  ):
    file.write(b'1')


def test_an_object_that_is_cut_short_is_noticed(url, monkeypatch):
  system = type(fsspec.filesystem('memory'))
  monkeypatch.setattr(system, 'size', lambda self, name: 0)
  with (
    pytest.raises(UserError, match='cut short: 0 bytes instead of 1'),
    files.write_whole(f'{url}/a') as file,
  ):
    file.write(b'1')


def test_no_package_for_the_url():
  with (
    pytest.raises(UserError, match='cannot write the file: abfs://b/a'),
    files.write_whole('abfs://b/a') as file,
  ):
    file.write(b'1')


@pytest.mark.parametrize(
  'path', ['gs://', 'gs://bucket', 'gs://bucket/', 'gs:///a']
)
def test_a_run_has_a_folder_of_a_bucket(path):
  with pytest.raises(UserError, match='no folder of a bucket: --workdir='):
    storage.run_folder(path)


def test_the_folder_of_a_run(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  assert storage.run_folder('runs') == str(tmp_path / 'runs')
  monkeypatch.setattr(storage, 'object_exists', lambda url: False)
  assert storage.run_folder('gs://bucket/a/b/') == 'gs://bucket/a/b'
  for other in ('s3://bucket/a', 'memory://a/b'):
    with pytest.raises(UserError, match='is a URL; give a local path'):
      storage.run_folder(other)


def test_moved(url):
  for name in ('a/text', 'bytes'):
    with files.write_whole(f'{url}/{name}', text=True) as file:
      file.write(name)
  object_store.move_objects(url, f'{url}.old')
  assert object_store.object_names(url) == []
  assert object_store.object_names(f'{url}.old') == ['a/text', 'bytes']
  assert files.read_text(f'{url}.old/a/text') == 'a/text'


def test_a_store_that_refuses_is_reported_in_one_line(monkeypatch):
  def refuse(url):
    raise OSError(5, '401: who are you?', url)

  monkeypatch.setattr(storage, 'object_exists', refuse)
  with pytest.raises(UserError, match='cannot use gs://bucket/c: 401: who'):
    storage.run_folder('gs://bucket/c')
