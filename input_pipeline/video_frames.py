"""Reads frames of videos, evenly spread, with the FFmpeg of OpenCV."""

import os

import cv2
import numpy as np

from input_pipeline.errors import UserError
from input_pipeline.files import open_regular
from input_pipeline.image_headers import MAX_PIXELS, check_size
from input_pipeline.image_kinds import BadImage

# FFmpeg would print its own lines beside our one-line errors. OpenCV reads the
# variable once, when it opens the first video.
os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')

# Files with these suffixes are taken for videos.
VIDEO_SUFFIXES = (
  '.mp4',
  '.m4v',
  '.mov',
  '.mkv',
  '.webm',
  '.avi',
  '.mpg',
  '.mpeg',
  '.wmv',
  '.flv',
)
# The frames that are read of a video; more of them say little more.
MOST_FRAMES = 16
# Of a video that does not say how long it is, the first frames are read.
_UNKNOWN_LENGTH = 256


def is_video(path: str) -> bool:
  """Returns whether a file is a video, by its suffix."""
  return path.lower().endswith(VIDEO_SUFFIXES)


def read_frames(
  path: str, most: int = MOST_FRAMES, max_pixels: int = MAX_PIXELS
) -> list[tuple[int, np.ndarray]]:
  """Returns frames of a video, evenly spread from its first to its last.

  A frame that cannot be decoded is left out.

  Args:
    path: of the video.
    most: the most frames.
    max_pixels: the most pixels of a frame.

  Returns:
    At least one pair: the number of a frame, from 0, and its pixels uint8
    [H, W, 3], RGB.

  Raises:
    UserError: it cannot be read, holds no frame, or has too large ones.
  """
  try:
    with open_regular(path):  # OpenCV would wait for a pipe
      pass
  except OSError as error:
    raise UserError(f'unreadable video: {path}: {error.strerror}') from error
  cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
  capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
  try:
    return _frames(capture, path, most, max_pixels)
  finally:
    capture.release()


def _frames(
  capture: cv2.VideoCapture, path: str, most: int, max_pixels: int
) -> list[tuple[int, np.ndarray]]:
  if not capture.isOpened():
    raise UserError(
      f'unreadable video: {path}: damaged or not a video; replace or remove it'
    )
  height, width = (
    int(capture.get(side))
    for side in (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH)
  )
  try:
    check_size(height, width, max_pixels)
  except BadImage as error:
    raise UserError(f'unreadable video: {path}: {error}') from error
  count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
  if count < 1:
    count = _UNKNOWN_LENGTH
  found = []
  for number in sorted({*np.linspace(0, count - 1, most, dtype=int).tolist()}):
    # One frame after the other where that is all there is.
    if number and number != int(capture.get(cv2.CAP_PROP_POS_FRAMES)):
      capture.set(cv2.CAP_PROP_POS_FRAMES, number)
    read, picture = capture.read()
    if read:
      found.append((number, np.ascontiguousarray(picture[..., ::-1])))
  if not found:
    raise UserError(
      f'unreadable video: {path}: no frame can be decoded; replace or remove it'
    )
  return found
