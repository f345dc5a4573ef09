"""Times reading: decoding alone, records, and batches made ahead by grain."""

import dataclasses
import functools
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import grain
import imagecodecs
import numpy as np

from input_pipeline import features, packed_images, pipeline
from input_pipeline.batch_memory import BatchMemory
from input_pipeline.batches import Batch
from input_pipeline.dataset import PackedDataset
from input_pipeline.progress_bars import progress_line
from input_pipeline.text_tables import aligned, counted

ROUNDS = 5
# Batches for each thread or process that are taken before the clock starts. By
# then all have started, and those that they had made ahead are used up.
_FIRST_BATCHES = 5
# RGB uint8 [S, S, 3] -> the bytes of a file.
Encoder = Callable[[np.ndarray], Any]


def _by_opencv(ending: str, *options: int) -> Encoder:
  def encode(picture: np.ndarray) -> bytes:
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return cv2.imencode(ending, bgr, options)[1].tobytes()

  return encode


# Name -> (encoder, decoder into an array). WebP above 100 is lossless.
CODECS: dict[str, tuple[Encoder, packed_images.Decoder]] = {
  'png': (_by_opencv('.png'), imagecodecs.png_decode),
  'jpeg, quality 95': (
    _by_opencv('.jpg', cv2.IMWRITE_JPEG_QUALITY, 95),
    imagecodecs.jpeg8_decode,
  ),
  'webp, lossless': (
    _by_opencv('.webp', cv2.IMWRITE_WEBP_QUALITY, 101),
    imagecodecs.webp_decode,
  ),
  'qoi': (imagecodecs.qoi_encode, imagecodecs.qoi_decode),
}


@dataclasses.dataclass(frozen=True)
class Codec:
  """What storing the images with one codec costs.

  Attributes:
    size: mean bytes of an image.
    encode: seconds to encode one.
    decode: seconds to decode one.
  """

  size: float
  encode: float
  decode: float


def time_reading(
  dataset: PackedDataset,
  batch_size: int,
  batches: int,
  threads: Sequence[int],
  workers: Sequence[int],
) -> dict[str, float]:
  """Returns images a second of each way to read, medians of `ROUNDS` rounds.

  All ways take their turn in each round, so that other load on the machine
  affects them alike. Nothing is kept from one turn to the next.

  Args:
    dataset: an open packed dataset.
    batch_size: images of a batch.
    batches: batches of one turn.
    threads: numbers of threads to try; 0 makes each batch where it is taken.
    workers: numbers of worker processes to try, with one thread each.

  Returns:
    'decode': the bare loop in one thread, from encoded images in memory to
      one array.
    'decode by OpenCV': the same with OpenCV, which makes an array of each.
    'read and decode': 'decode' with reading and parsing the records.
    'N threads', 'N processes': training batches.

  Raises:
    UserError: the dataset is smaller than a batch, the batch is odd, or a
      record is damaged.
  """
  cv2.setNumThreads(1)
  # Images differ in what decoding costs, so all ways decode the same ones.
  last_first = _FIRST_BATCHES * max(1, *threads, *workers)
  iterator = _iterate(dataset, batch_size, 1, 0, start_step=last_first)
  rows = np.concatenate([next(iterator)['index'] for _ in range(batches)])
  iterator.close()
  source = dataset.train.source
  encoded = [features.encoded_image(x) for x in source.read(rows)]
  size = dataset.image_size
  (image,) = BatchMemory((size, size, 3)).take(1)

  def read_all() -> None:
    for data in source.read(rows):
      packed_images.decode_into(*features.locate_image(data), image)

  def batches_of(threads: int, workers: int) -> float:
    first = _FIRST_BATCHES * max(1, threads, workers)
    iterator = _iterate(
      dataset, batch_size, threads, workers, start_step=last_first - first
    )
    return _time_batches(iterator, first, batches)

  ways: dict[str, Callable[[], float]] = {
    'decode': lambda: _seconds(lambda: _decode_into(encoded, image)),
    'decode by OpenCV': lambda: _seconds(lambda: _decode_all(encoded)),
    'read and decode': lambda: _seconds(read_all),
  }
  for count in threads:
    ways[counted(count, 'thread')] = functools.partial(batches_of, count, 0)
  for count in workers:
    ways[counted(count, 'process')] = functools.partial(batches_of, 1, count)
  taken: dict[str, list[float]] = {name: [] for name in ways}
  for number in range(ROUNDS):
    progress_line(f'timing reading: round {number + 1} of {ROUNDS}')
    for name, time_one in ways.items():
      taken[name].append(time_one())
  return {name: len(rows) / statistics.median(t) for name, t in taken.items()}


def _iterate(
  dataset: PackedDataset,
  batch_size: int,
  threads: int,
  workers: int,
  start_step: int,
) -> grain.DatasetIterator[Batch]:
  """Returns training batches that nothing caches."""
  return pipeline.train_batches(
    dataset,
    batch_size=batch_size,
    seed=0,
    start_step=start_step,
    num_threads=threads,
    num_workers=workers,
    cache_bytes=0,
  )


def _time_batches(
  iterator: grain.DatasetIterator[Batch], first: int, batches: int
) -> float:
  """Returns the seconds of some batches, after others that do not count."""
  _take(iterator, first)
  try:
    return _seconds(lambda: _take(iterator, batches))
  finally:
    iterator.close()


def _take(iterator: grain.DatasetIterator[Batch], batches: int) -> None:
  """Takes batches and drops each before the next, as training does."""
  for _ in range(batches):
    next(iterator)


def _seconds(work: Callable[[], Any]) -> float:
  start = time.perf_counter()
  work()
  return time.perf_counter() - start


def _decode_into(encoded: Sequence[bytes], image: np.ndarray) -> None:
  for content in encoded:
    packed_images.decode_into(content, 0, len(content), image)


def _decode_all(encoded: Sequence[bytes]) -> None:
  for content in encoded:
    _decode(content)


def _decode(content: bytes) -> np.ndarray:
  buffer = np.frombuffer(content, np.uint8)
  return np.asarray(cv2.imdecode(buffer, cv2.IMREAD_COLOR_RGB))


def reading_report(speeds: Mapping[str, float]) -> str:
  """Returns a table of speeds, and their multiples of the bare loop's.

  Args:
    speeds: what `time_reading` returns.
  """
  bare = speeds['decode']
  rows = [
    (name, f'{speed:.0f}', f'{speed / bare:.2f}')
    for name, speed in speeds.items()
  ]
  return aligned(('reading', 'images/s', 'of decode'), rows, 'lrr')


def time_codecs(encoded: Sequence[bytes]) -> dict[str, Codec]:
  """Stores images with each of `CODECS`, in one thread.

  Args:
    encoded: packed images.
  """
  cv2.setNumThreads(1)
  pictures = [_decode(content) for content in encoded]
  (image,) = BatchMemory(pictures[0].shape).take(1)
  costs: dict[str, Codec] = {}
  for name, (encode, decode) in CODECS.items():
    progress_line(f'timing images stored as {name}')
    start = time.process_time()
    stored = [encode(picture) for picture in pictures]
    middle = time.process_time()
    for content in stored:
      decode(content, out=image)
    end = time.process_time()
    costs[name] = Codec(
      size=statistics.mean(map(len, stored)),
      encode=(middle - start) / len(stored),
      decode=(end - middle) / len(stored),
    )
  return costs


def codecs_report(costs: Mapping[str, Codec]) -> str:
  """Returns a table of what `time_codecs` measured."""
  rows = [
    (
      name,
      f'{cost.size / 1e3:.2f}',
      f'{1 / cost.encode:.0f}',
      f'{1 / cost.decode:.0f}',
    )
    for name, cost in costs.items()
  ]
  header = ('stored as', 'kB/image', 'encoded/s', 'decoded/s')
  return aligned(header, rows, 'lrrr')
