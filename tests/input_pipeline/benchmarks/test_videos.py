"""Frames of videos: which are chosen and extracted, and what goes wrong."""

import os

import cv2
import numpy as np
import pytest

from helpers import trees
from input_pipeline import files
from input_pipeline.benchmarks import videos
from input_pipeline.benchmarks.candidates import Candidate
from input_pipeline.errors import UserError


def frame(folder, video, index):
  path = str(folder / 'frames' / f'{video.stem}-{index}.png')
  return Candidate(
    path, path, video.stem, 'x', frame_idx=index, from_video=str(video)
  )


def test_only_the_wanted_frames_are_extracted(tmp_path):
  video = tmp_path / 'v.mp4'
  trees.write_video(video, seed=1)
  wanted = [frame(tmp_path, video, i) for i in (0, 11, 23)]
  assert videos.extract_frames(wanted, 'stop') == {}
  levels = [cv2.imread(image.path).mean() for image in wanted]
  steps = np.diff(levels) / 8
  np.testing.assert_allclose(steps, [11, 12], atol=0.6)
  assert len(list((tmp_path / 'frames').iterdir())) == 3


def test_existing_frames_are_not_extracted_again(tmp_path):
  video = tmp_path / 'v.mp4'
  trees.write_video(video, seed=1)
  wanted = [frame(tmp_path, video, i) for i in (3, 5)]
  videos.extract_frames(wanted[:1], 'stop')
  kept = b'kept' + (tmp_path / 'frames' / 'v-3.png').read_bytes()
  (tmp_path / 'frames' / 'v-3.png').write_bytes(kept)
  videos.extract_frames(wanted, 'stop')
  assert (tmp_path / 'frames' / 'v-3.png').read_bytes() == kept
  assert cv2.imread(wanted[1].path) is not None


@pytest.mark.parametrize('size', [0, 5, -1])
def test_frames_that_are_not_whole_are_extracted_again(tmp_path, size):
  """A crash of the machine can leave them."""
  video = tmp_path / 'v.mp4'
  trees.write_video(video, seed=1)
  wanted = [frame(tmp_path, video, 3)]
  videos.extract_frames(wanted, 'stop')
  path = tmp_path / 'frames' / 'v-3.png'
  whole = path.read_bytes()
  path.write_bytes(whole[:size])
  videos.extract_frames(wanted, 'stop')
  assert path.read_bytes() == whole


def test_frames_do_not_wait_for_the_disk(tmp_path, monkeypatch):
  monkeypatch.setattr(files.os, 'fsync', None)
  video = tmp_path / 'v.mp4'
  trees.write_video(video, seed=1)
  assert videos.extract_frames([frame(tmp_path, video, 3)], 'stop') == {}


def test_a_frame_beyond_the_end_is_an_error_or_skipped(tmp_path):
  video = tmp_path / 'v.mp4'
  trees.write_video(video, seed=1)
  wanted = [frame(tmp_path, video, i) for i in (3, 99)]
  with pytest.raises(UserError, match=r'v\.mp4: no frame 99; repair'):
    videos.extract_frames(wanted, 'stop')
  failed = videos.extract_frames(wanted, 'skip')
  assert list(failed) == [wanted[1].path]


def test_a_broken_video_is_listed_as_a_problem(tmp_path, capfd):
  trees.write_video(tmp_path / 'good.mp4', seed=1)
  (tmp_path / 'bad.mp4').write_bytes(b'not a video')
  (tmp_path / 'empty.mp4').write_bytes(b'')
  os.mkfifo(tmp_path / 'pipe.mp4')
  problems = []
  names = videos.list_videos(tmp_path, 2, problems)
  assert names == ['good.mp4/0', 'good.mp4/23']
  assert [p.rsplit('/')[-1] for p in problems] == [
    'bad.mp4',
    'empty.mp4',
    'pipe.mp4',
  ]
  assert capfd.readouterr().err == ''


def test_frames_are_ordered_by_the_number_in_their_name(tmp_path):
  for name in '10.png', '9.png', '100.png', 'notes.txt':
    (tmp_path / 'v').mkdir(exist_ok=True)
    (tmp_path / 'v' / name).write_bytes(b'')
  assert videos.list_frames(tmp_path, 2) == ['v/9.png', 'v/100.png']
  assert videos.list_frames(tmp_path, 5) == ['v/9.png', 'v/10.png', 'v/100.png']


def test_a_full_disk_is_an_error(tmp_path, monkeypatch):
  video = tmp_path / 'v.mp4'
  trees.write_video(video, seed=1)

  def full(*_):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(files.os, 'replace', full)
  with pytest.raises(UserError, match='cannot write the frame.*No space left'):
    videos.extract_frames([frame(tmp_path, video, 0)], 'skip')


def test_frames_are_evenly_spread_from_first_to_last():
  assert videos.evenly_spread(100, 2) == [0, 99]
  spread = np.linspace(0, 299, 10, dtype=int).tolist()
  assert videos.evenly_spread(300, 10) == spread
  assert videos.evenly_spread(3, 10) == [0, 1, 2]
  assert videos.evenly_spread(0, 10) == []
