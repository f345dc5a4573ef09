"""Times packing: images per second and core, with and without faces.

`python -m input_pipeline.pack_timing --images FOLDER`, on one core. Seconds
are those of the processor: what else runs does not count, nor does a slow disk.
"""

import argparse
import dataclasses
import pathlib
import time
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from input_pipeline import faces, features, images
from input_pipeline.errors import UserError, one_line_errors
from input_pipeline.folder import list_images

EPOCHS = 50  # as in the papers


@dataclasses.dataclass(frozen=True)
class Costs:
  """Seconds per image."""

  load: float  # read and decode a file
  store: float  # resize, encode, frame a record
  feed: float  # decode a packed record, as every epoch does
  resize: float
  detect: dict[str, float]  # by detector
  found: dict[str, float]  # share of images with a face, by detector


def main() -> None:
  """The command line."""
  parser = argparse.ArgumentParser(
    prog='python -m input_pipeline.pack_timing',
    description='Times the parts of packing on one core.',
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
  )
  add = parser.add_argument
  add('--images', required=True, help='a folder of images')
  add('--limit', type=int, default=200, help='images to take, evenly spread')
  add('--size', type=int, default=256, help='pixels, of packed images')
  arguments = parser.parse_args()
  with one_line_errors():
    paths = list_images(pathlib.Path(arguments.images))
    if not paths or arguments.limit < 1:
      raise UserError(f'no images to time below {arguments.images}')
    count = min(arguments.limit, len(paths))
    chosen = [paths[i * len(paths) // count] for i in range(count)]
    print(report(measure(chosen, arguments.size), count))


def measure(paths: Sequence[str], size: int) -> Costs:
  """Times every part on all files, one after another.

  Args:
    paths: of image files.
    size: S of the packed images, pixels.
  """
  cv2.setNumThreads(1)
  detect, found = {}, {}
  pictures = [images.load(path) for path in paths]
  for name in ('opencv', 'dlib'):
    try:
      detector = faces.detector(faces.Crop(name, 1.2, None))
    except UserError:
      continue  # not installed
    detect[name], boxes = _seconds(detector, pictures)
    found[name] = float(np.mean([box is not None for box in boxes]))
  resize, small = _seconds(lambda p: images.resize(p, size), pictures)
  encode, records = _seconds(_record, small)
  return Costs(
    load=_seconds(images.load, paths)[0],
    store=resize + encode,
    feed=_seconds(features.decode_image, records)[0],
    resize=resize,
    detect=detect,
    found=found,
  )


def _record(image: np.ndarray) -> bytes:
  stored = images.encode(image, 'png', 95)
  return features.encode(features.Record(stored, 0, 1, '', '', '', '', ''))


def _seconds(function: Callable, inputs: Sequence) -> tuple[float, list]:
  """Mean seconds of a call, and the results."""
  function(inputs[0])  # the first call is never like the others
  start = time.process_time()
  results = [function(x) for x in inputs]
  return (time.process_time() - start) / len(inputs), results


def report(costs: Costs, count: int) -> str:
  """The table, and what detecting at every epoch would cost."""
  plain = costs.load + costs.store
  lines = [
    f'{count} images, one core',
    f'{"part":28}{"ms/image":>10}{"images/s":>10}',
    _line('read and decode', costs.load),
    _line('resize, encode, record', costs.store),
    _line('pack', plain),
  ]
  for name, seconds in costs.detect.items():
    lines += [
      _line(f'detect ({name})', seconds)
      + f'   found in {costs.found[name]:.0%}',
      _line(f'pack --crop={name}', plain + seconds),
    ]
  lines.append(_line('decode a packed image', costs.feed))
  for name, seconds in costs.detect.items():
    every = EPOCHS * (costs.load + seconds + costs.resize)
    once = plain + seconds + EPOCHS * costs.feed
    lines.append(
      f'{EPOCHS} epochs, {name}: {every:.2f} s an image detecting at every '
      f'epoch, {once:.2f} s detecting once: {every / once:.1f} times'
    )
  return '\n'.join(lines)


def _line(name: str, seconds: float) -> str:
  return f'{name:28}{1e3 * seconds:10.2f}{1 / seconds:10.0f}'


if __name__ == '__main__':
  main()
