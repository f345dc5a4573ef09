"""Packed images whose source shows in their spectrum alone."""

import cv2
import numpy as np

from helpers.imagesets import meta_row
from input_pipeline import meta, pack

SIZE = 32
# By source, the frequency of its wave by row and by column.
_FREQUENCIES = ((3, 10), (13, 2), (9, 9), (-11, 5), (6, 13), (-4, 7))


def wave_image(source, seed):
  """Returns noise with the wave of a source, uint8 [SIZE, SIZE, 3]."""
  generator = np.random.default_rng(seed)
  row = np.arange(SIZE)
  down, right = _FREQUENCIES[source]
  phase = 2 * np.pi * (down * row[:, None] + right * row) / SIZE
  wave = 12 * np.cos(phase + generator.uniform(0, 2 * np.pi))
  noise = generator.normal(0, 3, (SIZE, SIZE, 3))
  base = generator.uniform(60, 190, 3)
  return np.clip(base + wave[..., None] + noise, 0, 255).astype(np.uint8)


def pack_waves(folder, *, known=3, novel=2, per_source=24):
  """Packs waves; half of each known source is labelled.

  Args:
    folder: gets the images, `meta.csv` and `packed`.
    known: the number of known sources.
    novel: of novel ones.
    per_source: the number of images of each.

  Returns:
    The packed directory.
  """
  rows = []
  for label in range(known + novel):
    (folder / str(label)).mkdir(parents=True)
    for number in range(per_source):
      name = f'{label}/{number}.png'
      image = wave_image(label, 1000 * label + number)
      cv2.imwrite(str(folder / name), image[..., ::-1])
      tag = 1 if label < known and number % 2 else 2
      rows.append(meta_row(label, number, tag=tag, path=name))
  meta.write_meta(folder / 'meta.csv', rows)
  options = pack.Options(size=SIZE)
  pack.pack(folder / 'meta.csv', folder / 'packed', options, workers=1)
  return folder / 'packed'
