"""Frames of videos, and videos that cannot be read."""

import os

import pytest

from helpers.video_files import flat_frames, write_video
from input_pipeline.errors import UserError
from input_pipeline.video_frames import is_video, read_frames


def test_frames_are_spread_from_the_first_to_the_last(tmp_path):
  path = tmp_path / 'a.mp4'
  write_video(path, flat_frames(50))
  numbers, frames = zip(*read_frames(str(path), 5), strict=True)
  assert numbers == (0, 12, 24, 36, 49)
  assert [frame.shape for frame in frames] == [(48, 64, 3)] * 5
  reds = [frame[..., 0].mean() for frame in frames]
  # As well as the codec keeps a colour.
  assert reds == pytest.approx([0, 48, 96, 144, 196], abs=8)
  assert frames[-1][..., 1:].mean() < 10


def test_a_short_video_gives_each_frame_once(tmp_path):
  path = tmp_path / 'a.mp4'
  write_video(path, flat_frames(3))
  assert len(read_frames(str(path), 16)) == 3


def test_videos_are_known_by_their_suffix():
  assert is_video('a.MP4') and is_video('/b/c.webm')
  assert not is_video('mp4') and not is_video('a.mp4.png')


def test_what_cannot_be_read_is_named(tmp_path):
  for name, content in (('a.mp4', b'\0\0\0\x20ftypisom'), ('b.avi', b'')):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f'unreadable video: .*{name}: damaged'):
      read_frames(str(tmp_path / name))
  with pytest.raises(UserError, match='none.mp4: No such file'):
    read_frames(str(tmp_path / 'none.mp4'))
  os.mkfifo(tmp_path / 'pipe.mp4')
  with pytest.raises(UserError, match='unreadable video: .*pipe.mp4'):
    read_frames(str(tmp_path / 'pipe.mp4'))


def test_frames_over_the_limit_are_not_decoded(tmp_path):
  path = tmp_path / 'a.mp4'
  write_video(path, flat_frames(2))
  with pytest.raises(UserError, match='more than --max_pixels=99'):
    read_frames(str(path), max_pixels=99)
