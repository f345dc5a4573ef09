"""Chooses the frames of videos, and extracts them from mp4 files."""

import collections
import concurrent.futures
import os
import pathlib
from collections.abc import Sequence

import cv2
import numpy as np

from input_pipeline.benchmarks.candidates import Candidate, frame_number
from input_pipeline.benchmarks.listing import (
  list_files,
  list_image_files,
  list_subfolders,
)
from input_pipeline.errors import UserError
from input_pipeline.files import open_regular, write_whole
from input_pipeline.images import encode_image
from input_pipeline.progress_bars import with_progress

# FFmpeg would print its own lines beside our one-line errors. OpenCV reads the
# variable once, when it opens the first video.
os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')

_PNG_END = b'\0\0\0\0IEND\xaeB`\x82'


def list_frames(folder: pathlib.Path, per_video: int) -> list[str]:
  """Chooses evenly spread frames among those extracted before.

  Frames are ordered by the number in their name. A video of fewer than
  `per_video` frames gives each of them once.

  Args:
    folder: holds one folder of frames per video.
    per_video: the number of frames to take of a video.

  Returns:
    `<video>/<frame>` of each chosen frame.
  """
  names = []
  for video in list_subfolders(folder):
    frames = sorted(list_image_files(folder / video), key=frame_number)
    chosen = evenly_spread(len(frames), per_video)
    names += [f'{video}/{frames[i]}' for i in chosen]
  return names


def list_videos(
  folder: pathlib.Path, per_video: int, problems: list[str]
) -> list[str]:
  """Chooses evenly spread frames of the mp4 files in `folder`.

  Args:
    folder: holds the videos.
    per_video: the number of frames to take of a video.
    problems: gets a line for each video that cannot be opened.

  Returns:
    `<video>.mp4/<index of the frame>` of each chosen frame.
  """
  names = []
  for video in list_files(folder, ('.mp4',)):
    count = _count_frames(folder / video)
    if not count:
      problems.append(f'video will not open: {folder / video}')
    names += [f'{video}/{i}' for i in evenly_spread(count, per_video)]
  return names


def evenly_spread(count: int, wanted: int) -> list[int]:
  """Returns at most `wanted` of `count` indices, from the first to the last.

  The formula is that of the released notebook.
  """
  if not count:
    return []
  return sorted(set(np.linspace(0, count - 1, wanted, dtype=int).tolist()))


def extract_frames(
  candidates: Sequence[Candidate], on_error: str
) -> dict[str, str]:
  """Writes the video frames among `candidates` as PNG files.

  Frames whose file is whole are not extracted again.

  Args:
    candidates: those without `from_video` are left alone.
    on_error: 'stop' raises for a frame that cannot be read; 'skip' does not.

  Returns:
    For each frame that could not be read its path and what is wrong.

  Raises:
    UserError: a frame cannot be read (on_error='stop') or written.
  """
  wanted: dict[str, list[Candidate]] = collections.defaultdict(list)
  for candidate in candidates:
    if candidate.from_video and not _is_whole(candidate.path):
      wanted[candidate.from_video].append(candidate)
  failed: dict[str, str] = {}
  # Threads suffice: OpenCV releases the interpreter lock while it decodes.
  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    done = pool.map(_extract_video, wanted.values())
    for failed_of_video in with_progress(done, 'frames', len(wanted), 'video'):
      failed |= failed_of_video
      if failed and on_error == 'stop':
        pool.shutdown(cancel_futures=True)
        raise UserError(
          f'{next(iter(failed.values()))}; repair it or give --on_error=skip'
        )
  return failed


def _open(video: os.PathLike | str) -> cv2.VideoCapture:
  cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
  # FFmpeg by name: other decoders may count and number frames differently.
  return cv2.VideoCapture(os.fspath(video), cv2.CAP_FFMPEG)


def _count_frames(video: pathlib.Path) -> int:
  if not video.is_file():  # OpenCV would wait for a pipe
    return 0
  capture = _open(video)
  try:
    opened = capture.isOpened()
    return max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT))) if opened else 0
  finally:
    capture.release()


def _extract_video(candidates: Sequence[Candidate]) -> dict[str, str]:
  """Extracts the wanted frames of one video; returns what failed, by path."""
  video = candidates[0].from_video
  wanted = {candidate.frame_idx: candidate.path for candidate in candidates}
  failed = {}
  capture = _open(video)
  try:
    # Every frame is decoded up to the last wanted one, because seeking in a
    # compressed video may land on a neighbouring frame.
    for index in range(max(wanted) + 1):
      if not capture.grab():
        break
      if index in wanted:
        read, picture = capture.retrieve()
        if read:
          _write_png(wanted.pop(index), picture)
  finally:
    capture.release()
  for index, path in wanted.items():
    failed[path] = f'unreadable video: {video}: no frame {index}'
  return failed


def _is_whole(path: str) -> bool:
  """Returns whether a PNG file is there and has its last chunk.

  Frames are written without waiting for the disk, so a crash of the machine can
  leave files that are empty or cut short.
  """
  try:
    with open_regular(path) as file:
      file.seek(-len(_PNG_END), os.SEEK_END)
      return file.read() == _PNG_END
  except OSError:  # also for a file that is shorter than that
    return False


def _write_png(path: str, picture: np.ndarray) -> None:
  with write_whole(
    path,
    what='the frame',
    remedy='make room and run the same command again; it continues from there',
    # A run can extract tens of thousands of frames; waiting for the disk after
    # each would take minutes.
    sync=False,
  ) as file:
    file.write(encode_image(picture[..., ::-1], 'png', quality=100))
