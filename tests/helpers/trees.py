"""Miniature datasets in the folders, names and list files of the real ones.

`owdfa(root)` has what `prepare owdfa --scale 0.01` asks for, `owdfa40(root)`
what `prepare owdfa40 --scale 0.01` does.
"""

import cv2
import numpy as np

from helpers import imagesets
from input_pipeline.benchmarks import sources, tables, tables40

SIZE = 16
VIDEOS = 10  # of FaceForensics++, in pairs; frames as `SCALE` needs them
FRAMES = 24
SCALE = 0.01


def owdfa(root, *, mp4=False, pictures=24):
  """The five datasets of OW-DFA; returns `root`.

  mp4: FaceForensics++ and Celeb-DF as video files instead of frames.
  pictures: of each class of the other three datasets.
  """
  seed = _faceforensics(root / 'FaceForensics++', mp4)
  seed = _celebdf(root, mp4, seed)
  _forgerynet(root / 'ForgeryNet' / 'Training', pictures, 10**6)
  _dffd(root / 'DFFD', pictures, 2 * 10**6)
  _forgerynir(root / 'ForgeryNIR', pictures, 3 * 10**6)
  return root


def df3(root, folders, pictures=24):
  """DF^3 with the class folders of a table."""
  for number, folder in enumerate(folders):
    for i in range(pictures):
      _write(
        root / 'DF3' / folder / f'{i:05d}.png', 4 * 10**6 + number * 999 + i
      )
  return root


def owdfa40(root, *, pictures=24, real=105, skip=()):
  """The unzipped folders of OWDFA-40; every second class is nested twice."""
  seed = 5 * 10**6
  for entry in tables40.protocol(1):
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
        _write(_place40(folder, name, index, i), seed)
  return root


def _place40(folder, name, index, i):
  """Where picture `i` of a class lies: flat names, or a folder per video."""
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
  below = {'original_sequences/youtube': [f'{v:03d}' for v in range(VIDEOS)]}
  fakes = [f'{v:03d}_{v ^ 1:03d}' for v in range(VIDEOS)]
  for entry in tables.OWDFA:
    if entry.source == tables.FF and entry.forgery_type != tables.REAL:
      below[entry.folder] = fakes
  for folder, names in below.items():
    for name in names:
      seed += 1000
      if mp4:
        write_video(root / folder / 'c23' / 'videos' / f'{name}.mp4', seed)
      else:
        frames = root / folder / 'c23' / 'images_v3' / name
        count = FRAMES if 'original' in folder else 3
        for i in range(count):
          _write(frames / f'{9 * i}.png', seed + i)  # 9 comes before 18
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
        _write(folder / f'{i:04d}.png', seed + i)
  return seed


def _forgerynet(root, pictures, seed):
  lines = []
  for number in range(16):
    for i in range(pictures):
      seed += 1
      name = f'{number}/part{i % 2}/video{i // 4}/frame{i:05d}.jpg'
      if number in (6, 9, 11, 12, 13, 14, 15):  # made of single pictures
        name = f'{number}/part{i % 2}/{i // 4}/{i:05d}.jpg'
      _write(root / 'images' / name, seed)
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
      _write(root / name / part / f'{i:05d}.png', seed)
    _write(root / name / 'mask_train' / '00000.png', seed + 10**5)


def _forgerynir(root, pictures, seed):
  lines = []
  for number, name in enumerate(sources.NIR_FOLDERS):
    for i in range(pictures):
      line = f'ForgeryNIR-mix/{name}/{i:05d}.png'
      _write(root / line, seed + 1000 * number + i)
      lines.append(line)
  (root / 'lists').mkdir()
  listed = root / 'lists' / 'ForgeryNIR-mix_multi.txt'
  listed.write_text('\n'.join(lines[::-1]) + '\n')


def write_video(path, seed, frames=FRAMES):
  """An mp4 of flat frames whose brightness grows: 10, 18, 26, ..."""
  path.parent.mkdir(parents=True, exist_ok=True)
  writer = cv2.VideoWriter(
    str(path), cv2.VideoWriter_fourcc(*'mp4v'), 25, (SIZE, SIZE)
  )
  picture = imagesets.image(SIZE, seed)[..., ::-1] // 8
  for i in range(frames):
    writer.write(picture + np.uint8(8 * i + 10))
  writer.release()


def _write(path, seed):
  path.parent.mkdir(parents=True, exist_ok=True)
  cv2.imwrite(str(path), imagesets.image(SIZE, seed)[..., ::-1])
