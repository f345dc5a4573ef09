"""Makes small videos."""

import cv2
import numpy as np


def write_video(path, frames):
  """Writes frames, uint8 [H, W, 3] RGB, as an MPEG-4 file."""
  height, width = frames[0].shape[:2]
  writer = cv2.VideoWriter(
    str(path), cv2.VideoWriter_fourcc(*'mp4v'), 25, (width, height)
  )
  for frame in frames:
    writer.write(np.ascontiguousarray(frame[..., ::-1]))
  writer.release()


def flat_frames(count, step=4, height=48, width=64):
  """Returns frames of one colour each, red rising by `step`."""
  frames = np.zeros((count, height, width, 3), np.uint8)
  frames[..., 0] = (step * np.arange(count))[:, None, None]
  return list(frames)
