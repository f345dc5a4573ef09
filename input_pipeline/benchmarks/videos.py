"""Videos: the frames that a benchmark takes, and their extraction from mp4."""

import collections
import concurrent.futures
import os
import pathlib
import re
from collections.abc import Sequence

import cv2
import numpy as np
import tqdm

from input_pipeline.benchmarks.listing import (
  Image,
  files,
  image_files,
  subfolders,
)
from input_pipeline.errors import UserError

# FFmpeg's own complaints would surround our one-line errors. It is read once,
# when the first video is opened.
os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')


def list_frames(folder: pathlib.Path, per_video: int) -> list[str]:
  """`<video>/<frame>` of frames extracted before, evenly spread.

  Frames are ordered by the number in their name. Where a video has fewer than
  `per_video` each is taken once.
  """
  names = []
  for video in subfolders(folder):
    frames = sorted(image_files(folder / video), key=frame_number)
    names += [f'{video}/{frames[i]}' for i in spread(len(frames), per_video)]
  return names


def list_videos(
  folder: pathlib.Path, per_video: int, problems: list[str]
) -> list[str]:
  """`<video>.mp4/<frame index>` of frames to extract, evenly spread.

  A video that will not open is added to `problems`.
  """
  names = []
  for video in files(folder, ('.mp4',)):
    count = _count_frames(folder / video)
    if not count:
      problems.append(f'video will not open: {folder / video}')
    names += [f'{video}/{i}' for i in spread(count, per_video)]
  return names


def spread(count: int, wanted: int) -> list[int]:
  """The released choice of frames: first, last and evenly between."""
  if not count:
    return []
  return sorted(set(np.linspace(0, count - 1, wanted, dtype=int).tolist()))


def frame_number(name: str) -> int:
  """The last number in a frame's name, or 0: 'frame00012.jpg' gives 12."""
  numbers = re.findall(r'\d+', name.rsplit('.', 1)[0])
  return int(numbers[-1]) if numbers else 0


def extract(images: Sequence[Image], on_error: str) -> dict[str, str]:
  """Writes the frames of `images` that are not there yet, as PNG.

  Args:
    images: those without `from_video` are left alone.
    on_error: 'stop' raises for a frame that cannot be read.

  Returns:
    What went wrong, by path of the image; nothing stands in for these.

  Raises:
    UserError: a frame cannot be read (on_error='stop') or written.
  """
  wanted: dict[str, list[Image]] = collections.defaultdict(list)
  for image in images:
    if image.from_video and not os.path.exists(image.path):
      wanted[image.from_video].append(image)
  failed: dict[str, str] = {}
  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    done = pool.map(_extract_video, wanted.values())
    for of_video in tqdm.tqdm(
      done, 'frames', len(wanted), unit='video', disable=None
    ):
      failed |= of_video
      if failed and on_error == 'stop':
        pool.shutdown(cancel_futures=True)
        raise UserError(
          f'{next(iter(failed.values()))}; repair it or give --on_error=skip'
        )
  return failed


def _open(video: os.PathLike | str) -> cv2.VideoCapture:
  cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
  return cv2.VideoCapture(os.fspath(video), cv2.CAP_FFMPEG)


def _count_frames(video: pathlib.Path) -> int:
  capture = _open(video)
  try:
    opened = capture.isOpened()
    return max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT))) if opened else 0
  finally:
    capture.release()


def _extract_video(images: Sequence[Image]) -> dict[str, str]:
  """Decodes one video up to its last wanted frame; seeking is not exact."""
  video = images[0].from_video
  wanted = {image.frame_idx: image.path for image in images}
  failed = {}
  capture = _open(video)
  try:
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


def _write_png(path: str, picture: np.ndarray) -> None:
  temporary = f'{path}.{os.getpid()}.tmp'
  try:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(temporary, 'wb') as file:
      file.write(cv2.imencode('.png', picture)[1].tobytes())
    os.replace(temporary, path)
  except OSError as error:
    raise UserError(f'cannot write {path}: {error.strerror}') from error
