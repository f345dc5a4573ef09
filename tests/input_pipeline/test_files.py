"""Bounded reads and whole writes of files, their hashes, absolute paths."""

import hashlib
import os
import pathlib
import re
import socket

import pytest

from input_pipeline import files, object_store
from input_pipeline.errors import UserError


def test_a_regular_file_is_read(tmp_path, monkeypatch):
  (tmp_path / 'a').write_bytes('\ufeffgrün\r\n'.encode())
  assert files.read_text(tmp_path / 'a') == 'grün\r\n'
  monkeypatch.setenv('OWDFA_MAX_FILE_MB', '1')
  assert files.read_regular(tmp_path / 'a')[3:] == 'grün\r\n'.encode()
  # Files of /proc tell no size.
  assert files.read_regular('/proc/self/status').startswith(b'Name:')


@pytest.mark.parametrize(
  'path', ['pipe', 'link', '/dev/zero', 'socket', '/dev/full']
)
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, path):
  os.mkfifo(tmp_path / 'pipe')
  os.symlink('/dev/zero', tmp_path / 'link')
  with socket.socket(socket.AF_UNIX) as server:
    server.bind(os.fspath(tmp_path / 'socket'))
    with pytest.raises(OSError) as caught:
      files.read_regular(tmp_path / path)
  assert re.match(
    'it is a (named pipe|device|socket), not a regular file',
    caught.value.strerror,
  )
  with pytest.raises(UserError, match='not a regular file'):
    files.file_sha256(tmp_path / path)


def test_a_folder_and_a_null_byte_are_refused(tmp_path):
  with pytest.raises(IsADirectoryError):
    files.open_regular(tmp_path)
  with pytest.raises(OSError, match='null byte'):
    files.open_regular(f'{tmp_path}/a\0')


def test_a_file_over_the_limit_is_refused_before_it_is_read(
  tmp_path, monkeypatch
):
  with open(tmp_path / 'a', 'wb') as file:
    file.truncate(20 << 30)  # 20 GiB that take no room
  with pytest.raises(OSError) as caught:
    files.read_regular(tmp_path / 'a', files.LIST_LIMIT)
  assert caught.value.strerror == (
    '21,474,836,480 bytes, over the limit of 512 MiB; $OWDFA_MAX_FILE_MB '
    'raises it'
  )
  monkeypatch.setenv('OWDFA_MAX_FILE_MB', 'x')
  with pytest.raises(UserError, match="out of range: .*_MB='x'"):
    files.read_regular(tmp_path / 'a')


def test_a_file_without_a_size_is_bounded():
  with pytest.raises(OSError, match='6 bytes, over the limit of 0 MiB'):
    files.read_regular('/proc/self/status', 5)


def test_content_appears_only_at_the_end(tmp_path):
  path = tmp_path / 'new' / 'a.txt'
  with files.write_whole(path, text=True) as file:
    file.write('grün\n')
    assert not path.exists()
  assert path.read_bytes() == 'grün\n'.encode()
  assert os.listdir(path.parent) == ['a.txt']


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
  path = tmp_path / 'a'
  path.write_bytes(b'old')
  with pytest.raises(RuntimeError), files.write_whole(path) as file:
    file.write(b'new')
    raise RuntimeError
  assert path.read_bytes() == b'old'
  assert os.listdir(tmp_path) == ['a']


@pytest.mark.parametrize('sync', [True, False])
def test_content_reaches_the_disk_unless_sync_is_off(
  tmp_path, monkeypatch, sync
):
  synced = []
  monkeypatch.setattr(files.os, 'fsync', synced.append)
  with files.write_whole(tmp_path / 'a', sync=sync) as file:
    file.write(b'x')
  assert (tmp_path / 'a').read_bytes() == b'x'
  assert len(synced) == 2 * sync  # the file and its folder


def test_a_file_that_cannot_be_written_is_named(tmp_path):
  (tmp_path / 'file').touch()
  path = tmp_path / 'file' / 'report.json'
  with (
    pytest.raises(UserError, match=f'the report: {path} .*; go elsewhere'),
    files.write_whole(path, what='the report', remedy='go elsewhere'),
  ):
    pass


def test_a_folder_that_takes_no_files_is_named():
  """No file can be made in /proc, as in a read-only folder."""
  with (
    pytest.raises(UserError, match='the report: /proc/report.json .*; go away'),
    files.write_whole('/proc/report.json', what='the report', remedy='go away'),
  ):
    pass


def test_a_full_disk_leaves_no_file(tmp_path):
  """Writing to /dev/full fails like writing to a full disk."""
  with (
    pytest.raises(UserError, match='No space left'),
    files.write_whole(tmp_path / 'a'),
    open('/dev/full', 'wb') as full,
  ):
    full.write(b'x')
    full.flush()
  assert os.listdir(tmp_path) == []


def test_file_sha256(tmp_path):
  (tmp_path / 'a').write_bytes(b'content')
  digest = hashlib.sha256(b'content').hexdigest()
  assert files.file_sha256(tmp_path / 'a') == digest
  with pytest.raises(UserError, match='cannot read .*/b: No such file'):
    files.file_sha256(tmp_path / 'b')


def test_permissions_are_kept(tmp_path):
  (tmp_path / 'a').write_bytes(b'old')
  (tmp_path / 'a').chmod(0o600)
  with files.write_whole(tmp_path / 'a') as file:
    file.write(b'new')
  assert (tmp_path / 'a').read_bytes() == b'new'
  assert (tmp_path / 'a').stat().st_mode & 0o777 == 0o600


def test_a_link_is_replaced_and_its_target_left_alone(tmp_path):
  (tmp_path / 'image').write_bytes(b'image')
  (tmp_path / 'link').symlink_to('image')
  with files.write_whole(tmp_path / 'link') as file:
    file.write(b'new')
  assert not (tmp_path / 'link').is_symlink()
  assert (tmp_path / 'link').read_bytes() == b'new'
  assert (tmp_path / 'image').read_bytes() == b'image'


def test_a_pipe_is_written_directly(tmp_path):
  os.mkfifo(tmp_path / 'pipe')
  reader = os.open(tmp_path / 'pipe', os.O_RDONLY | os.O_NONBLOCK)
  with files.write_whole(tmp_path / 'pipe') as file:
    file.write(b'content')
  assert os.read(reader, 100) == b'content'
  os.close(reader)


def test_the_longest_name(tmp_path):
  path = tmp_path / ('ü' * 127)
  with files.write_whole(path) as file:
    file.write(b'x')
  assert path.read_bytes() == b'x'


def test_writers_of_one_path_do_not_meet(tmp_path):
  with files.write_whole(tmp_path / 'a') as first:
    first.write(b'first')
    with files.write_whole(tmp_path / 'a') as second:
      second.write(b'second')
    assert (tmp_path / 'a').read_bytes() == b'second'
  assert (tmp_path / 'a').read_bytes() == b'first'
  assert os.listdir(tmp_path) == ['a']


def test_an_error_at_another_file_is_not_taken_for_one_here(tmp_path):
  with (
    pytest.raises(FileNotFoundError, match='elsewhere'),
    files.write_whole(tmp_path / 'a'),
  ):
    open(tmp_path / 'elsewhere')


def test_no_cache_folder_without_a_home(monkeypatch):
  monkeypatch.setattr(os.path, 'expanduser', lambda path: path)
  monkeypatch.delenv('OWDFA_CACHE', raising=False)
  monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
  assert files.cache_folder() == ''
  monkeypatch.setenv('XDG_CACHE_HOME', '/cache')
  assert files.cache_folder() == '/cache/owdfa-jax'


def test_absolute(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setenv('HOME', '/home/someone')
  assert files.absolute('a/../b') == str(tmp_path / 'b')
  assert files.absolute(pathlib.Path('~/runs')) == '/home/someone/runs'


@pytest.mark.parametrize(
  'path',
  ['gs://bucket/runs', 's3://b', 'file:///runs', pathlib.Path('gs://bucket')],
)
def test_a_url_is_no_local_path(tmp_path, monkeypatch, path):
  monkeypatch.chdir(tmp_path)
  with pytest.raises(
    UserError, match='--workdir=.*:/.* is a URL; give a local'
  ):
    files.absolute(path, '--workdir')


def test_a_url_that_became_a_path_is_not_written(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  with (
    pytest.raises(UserError, match='the report=.* is a URL'),
    files.write_whole(pathlib.Path('gs://bucket'), what='the report'),
  ):
    pass
  assert not os.listdir()


def test_a_url_with_one_slash(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  with pytest.raises(UserError, match='--out=gs:/b/t; write gs://b/t$'):
    object_store.check_slashes('gs:/b/t', '--out')
  for path in 'gs://b/t', 'a:b', '/gs:/b', './gs:/b':
    object_store.check_slashes(path, '--out')
  os.mkdir('gs:')  # then it is a path
  object_store.check_slashes('gs:/b/t', '--out')


@pytest.mark.parametrize('path', ['', ' '])
def test_an_empty_path_is_not_the_current_folder(path):
  with pytest.raises(UserError, match=f"empty path: --out='{path}'; give a"):
    files.path_type('--out')(path)


@pytest.mark.parametrize('path', ['a:b', './gs://x', '12://x', 'C/gs:/x'])
def test_paths_with_a_colon_are_local(path):
  assert files.local_path(path) == path
