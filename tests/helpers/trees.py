"""Writes miniature datasets in the folders and list files of the real ones.

`write_owdfa` writes enough images for `prepare owdfa --scale 0.01`, and
`write_owdfa40` for `prepare owdfa40 --scale 0.01`.
"""

import cv2
import numpy as np

from helpers import imagesets
from input_pipeline.benchmarks import owdfa40_classes, owdfa_classes
from input_pipeline.benchmarks.benchmark_class import FF
from input_pipeline.benchmarks.image_datasets import NIR_METHODS
from input_pipeline.forgery_types import REAL

SCALE = 0.01  # the value of --scale that the datasets have enough images for
_SIZE = 16  # of an image, in pixels
_VIDEOS = 10  # of FaceForensics++; each is paired with one other in fakes
_FRAMES = 24  # of a video


def write_owdfa(root, *, mp4=False, pictures=24):
  """Writes the five datasets of OW-DFA; returns `root`.

  Args:
    root: the folder of the datasets.
    mp4: write FaceForensics++ and Celeb-DF as videos instead of frames.
    pictures: number for each class of the other three datasets.
  """
  seed = _faceforensics(root / 'FaceForensics++', mp4)
  seed = _celebdf(root, mp4, seed)
  _forgerynet(root / 'ForgeryNet' / 'Training', pictures, 10**6)
  _dffd(root / 'DFFD', pictures, 2 * 10**6)
  _forgerynir(root / 'ForgeryNIR', pictures, 3 * 10**6)
  return root


def write_df3(root, folders, pictures=24):
  """Writes DF^3 with the class folders of a table; returns `root`."""
  for number, folder in enumerate(folders):
    for i in range(pictures):
      _write_image(
        root / 'DF3' / folder / f'{i:05d}.png', 4 * 10**6 + number * 999 + i
      )
  return root


def write_owdfa40(root, *, pictures=24, real=105, skip=()):
  """Writes the unzipped folders of OWDFA-40; returns `root`.

  In every second class the folder contains another one of the same name.

  Args:
    root: the folder of the datasets.
    pictures: number for each class of fakes.
    real: number for each of the two folders of real faces.
    skip: indices of classes to leave out.
  """
  seed = 5 * 10**6
  for entry in owdfa40_classes.owdfa40_protocol(1):
    index = int(entry.folder)
    if index in skip:
      continue
    names = [f'{index}_{entry.code}_{entry.method}']
    if not index:
      names = ['0_Real_CelebDF', '0_Real_FaceForensics']
    for name in names:
      folder = root / 'data' / name
      for i in range(pictures if index else real):
        seed += 1
        _write_image(_owdfa40_path(folder, name, index, i), seed)
  return root


def write_video(path, seed):
  """Writes an mp4 whose frames get brighter: by 8 from frame to frame."""
  path.parent.mkdir(parents=True, exist_ok=True)
  writer = cv2.VideoWriter(
    str(path), cv2.VideoWriter_fourcc(*'mp4v'), 25, (_SIZE, _SIZE)
  )
  picture = imagesets.image(_SIZE, seed)[..., ::-1] // 8
  for i in range(_FRAMES):
    writer.write(picture + np.uint8(8 * i + 10))
  writer.release()


def _owdfa40_path(folder, name, index, i):
  """Returns the path of picture `i` of a class.

  Names are flat, or there is a folder per video, as in the release.
  """
  inside = folder / name if index % 2 else folder
  if name == '0_Real_CelebDF':
    return inside / f'Celeb-real-id{i // 5}_0000-{i % 5}.png'
  if index <= 2:
    video = f'{i // 4:03d}' + ('' if index == 0 else f'_{i // 4 ^ 1:03d}')
    return inside / f'c23-{video}-{i % 4:04d}.png'
  if index >= 21:
    return inside / f'{i // 4:03d}' / f'{i % 4:04d}.png'
  return inside / f'{i:05d}.jpg'


def _faceforensics(root, mp4):
  seed = 0
  below = {'original_sequences/youtube': [f'{v:03d}' for v in range(_VIDEOS)]}
  fakes = [f'{v:03d}_{v ^ 1:03d}' for v in range(_VIDEOS)]
  for entry in owdfa_classes.OWDFA:
    if entry.dataset == FF and entry.forgery_type != REAL:
      below[entry.folder] = fakes
  for folder, names in below.items():
    for name in names:
      seed += 1000
      if mp4:
        write_video(root / folder / 'c23' / 'videos' / f'{name}.mp4', seed)
      else:
        frames = root / folder / 'c23' / 'images_v3' / name
        count = _FRAMES if 'original' in folder else 3
        for i in range(count):
          _write_image(frames / f'{9 * i}.png', seed + i)  # 9 comes before 18
  return seed


def _celebdf(root, mp4, seed):
  for video in range(6):
    name = f'id{video // 2}_{video % 2:04d}'
    seed += 1000
    if mp4:
      write_video(root / 'Celeb-DF-v2' / 'Celeb-real' / f'{name}.mp4', seed)
    else:
      folder = root / 'celebdfv2' / 'images_v1' / 'Celeb-real' / name
      for i in range(12):
        _write_image(folder / f'{i:04d}.png', seed + i)
  return seed


def _forgerynet(root, pictures, seed):
  lines = []
  for number in range(16):
    for i in range(pictures):
      seed += 1
      name = f'{number}/part{i % 2}/video{i // 4}/frame{i:05d}.jpg'
      if number in (6, 9, 11, 12, 13, 14, 15):  # made of single pictures
        name = f'{number}/part{i % 2}/{i // 4}/{i:05d}.jpg'
      _write_image(root / 'images' / name, seed)
      three = 0 if not number else 1 if number in (1, 2, 3, 4, 5, 6) else 2
      lines.append(f'{name} {int(number > 0)} {three} {number}')
  order = np.random.default_rng(0).permutation(len(lines))
  text = '\n'.join(lines[i] for i in order)
  (root / 'image_list.txt').write_text(text + '\n')


def _dffd(root, pictures, seed):
  names = 'faceapp', 'pggan_v1', 'pggan_v2', 'stargan', 'stylegan_ffhq', 'ffhq'
  for name in names:
    for i in range(pictures):
      seed += 1
      part = ('train', 'validation', 'test')[i % 3]
      _write_image(root / name / part / f'{i:05d}.png', seed)
    _write_image(root / name / 'mask_train' / '00000.png', seed + 10**5)


def _forgerynir(root, pictures, seed):
  lines = []
  for number, name in enumerate(NIR_METHODS):
    for i in range(pictures):
      line = f'ForgeryNIR-mix/{name}/{i:05d}.png'
      _write_image(root / line, seed + 1000 * number + i)
      lines.append(line)
  (root / 'lists').mkdir()
  listed = root / 'lists' / 'ForgeryNIR-mix_multi.txt'
  listed.write_text('\n'.join(lines[::-1]) + '\n')


def _write_image(path, seed):
  path.parent.mkdir(parents=True, exist_ok=True)
  cv2.imwrite(str(path), imagesets.image(_SIZE, seed)[..., ::-1])
