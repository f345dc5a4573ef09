"""Small folders of image files with their meta CSV."""

import cv2
import numpy as np

from input_pipeline import meta


def meta_row(label, number, *, tag=2, path=None, **changes):
  """Returns a row of a meta CSV, of class `m<label>` and source `src`."""
  return {
    'img_name': f'{number}.png',
    'label': label,
    'method': f'm{label}',
    'forgery_type': 'IdentitySwap',
    'forgery_label': 1,
    'face_type': 0,
    'tag': tag,
    'code': f'C{label}',
    'image_source': 'src',
    'img_path': path or f'{label}/{number}.png',
    'compression': '',
    'frame_idx': number,
  } | changes


def image(size, seed):
  """Returns a smooth random image, uint8 [size, size, 3]."""
  noise = np.random.default_rng(seed).integers(0, 256, (size, size, 3))
  return cv2.blur(noise.astype(np.uint8), (3, 3))


def write_set(folder, *, known=2, novel=1, per_class=10, size=16, suffix='png'):
  """Writes images and `meta.csv`; half of each known class is labelled."""
  rows = []
  for label in range(known + novel):
    (folder / str(label)).mkdir(parents=True)
    for number in range(per_class):
      name = f'{label}/{number}.{suffix}'
      picture = image(size, 1000 * label + number)
      cv2.imwrite(str(folder / name), picture[..., ::-1])
      tag = 1 if label < known and number % 2 else 2
      rows.append(meta_row(label, number, tag=tag, path=name))
  meta.write_meta(folder / 'meta.csv', rows)
  return folder / 'meta.csv'
