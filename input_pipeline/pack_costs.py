"""Measures the processor time of the parts of packing."""

import dataclasses
import time
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from input_pipeline import faces, features, images
from input_pipeline.errors import UserError
from input_pipeline.text_tables import aligned, counted

EPOCHS = 50  # as in the papers


@dataclasses.dataclass(frozen=True)
class Costs:
  """Seconds of processor time per image.

  Attributes:
    load: reading and decoding a file.
    store: resizing and encoding an image, and making a record of it.
    feed: decoding a packed record, as every epoch does.
    resize: resizing an image.
    detect: finding the face, by detector.
    found: the share of images with a face, by detector.
  """

  load: float
  store: float
  feed: float
  resize: float
  detect: dict[str, float]
  found: dict[str, float]


def measure_costs(paths: Sequence[str], size: int) -> Costs:
  """Times each part of packing on all files.

  Args:
    paths: the paths of image files.
    size: S, pixels of the packed images.
  """
  cv2.setNumThreads(1)  # times are of one core
  detect, found = {}, {}
  loaded = [images.load_image(path) for path in paths]
  for name in ('opencv', 'dlib'):
    try:
      detector = faces.detector(faces.Crop(name, 1.2, None))
    except UserError:
      continue  # not installed
    detect[name], boxes = _time_calls(detector, loaded)
    found[name] = float(np.mean([box is not None for box in boxes]))
  resize, small = _time_calls(lambda x: images.resize_image(x, size), loaded)
  encode, records = _time_calls(_make_record, small)
  return Costs(
    load=_time_calls(images.load_image, paths)[0],
    store=resize + encode,
    feed=_time_calls(features.decode_image, records)[0],
    resize=resize,
    detect=detect,
    found=found,
  )


def timing_report(costs: Costs, count: int) -> str:
  """Returns a table of the costs, and the cost of detecting in every epoch.

  Args:
    costs: the costs of one image.
    count: the number of images that were timed.
  """
  pack = costs.load + costs.store
  parts = [
    ('read and decode', costs.load, ''),
    ('resize, encode, record', costs.store, ''),
    ('pack', pack, ''),
  ]
  for name, seconds in costs.detect.items():
    found = f'found in {costs.found[name]:.0%}'
    parts.append((f'detect ({name})', seconds, found))
    parts.append((f'pack --crop={name}', pack + seconds, ''))
  parts.append(('decode a packed image', costs.feed, ''))
  rows = [
    (name, f'{1e3 * seconds:.2f}', f'{1 / seconds:.0f}', note)
    for name, seconds, note in parts
  ]
  table = aligned(('part', 'ms/image', 'images/s', ''), rows, 'lrrl')
  lines = [f'{counted(count, "image")}, one core', table]
  for name, seconds in costs.detect.items():
    every = EPOCHS * (costs.load + seconds + costs.resize)
    once = pack + seconds + EPOCHS * costs.feed
    lines.append(
      f'{name}, {EPOCHS} epochs: {every:.2f} s an image if faces are detected '
      f'in every epoch, {once:.2f} s if once: {every / once:.1f} times as long'
    )
  return '\n'.join(lines)


def _make_record(image: np.ndarray) -> bytes:
  stored = images.encode_image(image, 'png', 95)
  record = features.Record(stored, 0, 1, '', '', '', '', '')
  return features.encode_record(record)


def _time_calls(function: Callable, inputs: Sequence) -> tuple[float, list]:
  """Returns the mean seconds of a call, and the results."""
  function(inputs[0])  # the first call also loads and sets up things
  start = time.process_time()
  results = [function(x) for x in inputs]
  return (time.process_time() - start) / len(inputs), results
