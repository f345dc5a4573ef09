"""Which files below a folder are images, and what is said of the others."""

import os
import pathlib
import re
import socket

import pytest

from helpers.picture_cases import RGB, saved
from input_pipeline import folder, image_folders, prepare
from input_pipeline.errors import UserError

HEIC = pathlib.Path(__file__).parents[1] / 'data' / 'quarters.heic'


def write(root, files):
  for name, content in files.items():
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
  return root


def names(paths, root):
  return sorted(os.path.relpath(path, root) for path in paths)


def test_images_are_recognised_by_their_content(tmp_path):
  files = {
    'a.jfif': saved(RGB, 'JPEG'),
    'b.AVIF': saved(RGB, 'AVIF'),
    'c.gif': saved(RGB, 'GIF'),
    'd.jp2': saved(RGB, 'JPEG2000'),
    'e.heic': HEIC.read_bytes(),
    'f': saved(RGB, 'PNG'),
    'g.txt': saved(RGB, 'WEBP'),
    'h.ppm': saved(RGB, 'PPM'),
    'i.part': saved(RGB, 'BMP'),
    'j.dat': saved(RGB, 'TIFF'),
    'K.JPG': saved(RGB, 'JPEG'),
  }
  others = {
    'notes.txt': b'text',
    'sub/more.TXT': b'text',
    'video.mp4': b'\0\0\0\x20ftypisom',
    'list': b'a\nb\n',
  }
  scan = image_folders.scan_images(write(tmp_path, files | others))
  assert names(scan.images, tmp_path) == sorted(files)
  assert names(scan.others, tmp_path) == sorted(others)
  assert (
    scan.others[str(tmp_path / 'video.mp4')] == 'an MP4 video, not an image'
  )
  assert image_folders.skipped_lines([scan]) == [
    'skipped, not images: 2 .txt, 1 .mp4, 1 without a suffix'
  ]


def test_heic_without_its_package_is_named_with_the_remedy(
  tmp_path, monkeypatch
):
  write(tmp_path, {'a.heic': HEIC.read_bytes(), 'b.txt': b'text'})
  monkeypatch.setattr(image_folders, 'can_decode_heic', lambda: False)
  scan = image_folders.scan_images(tmp_path)
  assert not scan.images
  assert image_folders.skipped_lines([scan]) == [
    'skipped, not images: 1 .txt',
    'skipped, cannot be read: 1',
    f'  {tmp_path}/a.heic: a HEIC image; `pip install pi-heif`, or convert it '
    'to PNG or JPEG',
  ]


def test_prepare_stops_at_heic_without_its_package(tmp_path, monkeypatch):
  for name in 'ab':
    write(tmp_path / name, {f'{i}.png': f'{name}{i}'.encode() for i in '1234'})
  write(tmp_path, {'a/5.heic': HEIC.read_bytes()})
  monkeypatch.setattr(image_folders, 'can_decode_heic', lambda: False)
  with pytest.raises(UserError, match='5.heic: a HEIC image.*--on_error skip'):
    folder.prepare_folder(tmp_path, ['a'], tmp_path / 'out')
  lines = folder.prepare_folder(
    tmp_path, ['a'], tmp_path / 'out', on_error='skip'
  )
  assert 'skipped, cannot be read: 1' in lines


def test_what_systems_and_network_drives_add_is_ignored(tmp_path):
  png = saved(RGB, 'PNG')
  ignored = [
    '.DS_Store',
    '._a.png',
    '.thumbnails/a.png',
    '@eaDir/a.png/SYNOPHOTO_THUMB_M.jpg',
    '__MACOSX/a.png',
    '#recycle/a.png',
    '$RECYCLE.BIN/a.png',
    'Thumbs.db',
    'sub/thumbs.db',
    'desktop.ini',
    'Icon\r',
  ]
  write(tmp_path / 'c', {name: png for name in ['a.png', *ignored]})
  scan = image_folders.scan_images(tmp_path / 'c')
  assert names(scan.images, tmp_path / 'c') == ['a.png']
  assert not scan.others and not scan.unreadable
  write(tmp_path, {'@eaDir/a.png': png, '__MACOSX/a.png': png})
  assert image_folders.list_class_names(tmp_path) == ['c']


@pytest.fixture
def broken(tmp_path, monkeypatch):
  """Class folders in which much cannot be read."""
  root = tmp_path / 'root'
  for name in 'abc':
    files = {f'{i}.png': f'{name}{i}'.encode() for i in range(8)}
    write(root / name, files)
  a = root / 'a'
  (a / 'dangling.png').symlink_to('/nowhere/x.png')
  (a / 'dangling').symlink_to('nowhere')
  (a / 'loop.png').symlink_to('loop.png')
  (a / 'zero.png').symlink_to('/dev/zero')
  os.mkfifo(a / 'pipe.png')
  with socket.socket(socket.AF_UNIX) as end:
    monkeypatch.chdir(a)  # the path of a socket may be too long
    end.bind('socket')
  write(a, {'empty.png': b''})
  write(a, {'denied.png': b'x', 'line\nbreak.png': b'y', 'shut/x.png': b'z'})
  # For root, who may read everything, as it is for others.
  access, scandir = os.access, os.scandir
  monkeypatch.setattr(
    os, 'access', lambda p, m: 'denied' not in p and access(p, m)
  )

  def guarded(path):
    if os.fspath(path).endswith('shut'):
      raise PermissionError(13, 'Permission denied', path)
    return scandir(path)

  monkeypatch.setattr(os, 'scandir', guarded)
  return root


@pytest.mark.parametrize(
  ('name', 'why'),
  [
    ('dangling.png', "a link to '/nowhere/x.png', which does not exist"),
    ('dangling', "a link to 'nowhere', which does not exist"),
    ('loop.png', 'repair or remove it'),
    ('zero.png', 'a device'),
    ('pipe.png', 'a named pipe'),
    ('socket', 'a socket'),
    ('denied.png', 'Permission denied; check its permissions'),
    ('empty.png', 'the file is empty; replace or remove it'),
    ('shut', 'cannot read .*shut: Permission denied'),
    ('line\\nbreak.png', 'bad file name: .*rename it'),
  ],
)
def test_each_thing_that_cannot_be_read_is_named(broken, name, why):
  scan = image_folders.scan_images(broken / 'a')
  assert len(scan.images) == 8 and len(scan.unreadable) == 10
  assert re.search(why, scan.unreadable[f'{broken}/a/{name}'])


def test_prepare_stops_at_what_cannot_be_read_or_skips_and_counts_it(
  broken, tmp_path, capsys
):
  with pytest.raises(UserError, match='--on_error skip'):
    folder.prepare_folder(broken, ['a', 'b'], tmp_path / 'out')
  assert not (tmp_path / 'out').exists()
  prepare.main(
    f'folder --root {broken} --known a,b --out {tmp_path}/out --on_error '
    'skip'.split()
  )
  printed = capsys.readouterr().out
  assert 'skipped, cannot be read: 10\n' in printed
  assert 'and 5 more' in printed and 'unreadable' not in printed
  assert ': 24 images' in printed


def test_an_empty_class_says_what_is_there(tmp_path):
  for name in 'abc':
    write(tmp_path / name, {'0.png': name.encode(), '1.png': name.encode() * 2})
  (tmp_path / 'c' / '0.png').unlink()
  (tmp_path / 'c' / '1.png').rename(tmp_path / 'c' / '1.txt')
  with pytest.raises(
    UserError, match=r'no images in .*/c \(skipped, not images: 1 .txt\); add'
  ):
    folder.prepare_folder(tmp_path, ['a'], tmp_path / 'out')


def test_images_and_links_beside_the_class_folders_are_counted(tmp_path):
  for name in 'abc':
    write(
      tmp_path / 'root' / name,
      {f'{i}.png': f'{name}{i}'.encode() for i in range(4)},
    )
  write(tmp_path / 'root', {'1.png': b'1', '2.JPG': b'2', 'list.txt': b'text'})
  lines = folder.prepare_folder(tmp_path / 'root', ['a'], tmp_path / 'out')
  assert 'skipped, not images: 1 .txt' in lines
  where = tmp_path / 'root'
  assert f'skipped, in no class folder: 2 images, directly in {where}' in lines
  (where / '2.JPG').unlink()
  lines = folder.prepare_folder(where, ['a'], tmp_path / 'out')
  assert f'skipped, in no class folder: 1 image, directly in {where}' in lines
  (where / 'd').symlink_to(tmp_path / 'unmounted')
  with pytest.raises(UserError, match='a link to .*unmounted'):
    folder.prepare_folder(where, ['a'], tmp_path / 'out')
