"""The released notebook's draws, spelt out again and compared."""

import random

import numpy as np
import pytest

from input_pipeline.benchmarks import select, tables
from input_pipeline.benchmarks.listing import Image, Listing
from input_pipeline.benchmarks.videos import spread

SEED = 2000


def entry(method, source):
  return next(
    e for e in tables.OWDFA if (e.method, e.source) == (method, source)
  )


def listing(of, names, first=()):
  return Listing(of, '', 'somewhere', names, lambda name: image(name), first)


def image(name):
  return Image(name, name, name, 'source')


def names(count, prefix=''):
  return [f'{prefix}{i:05d}' for i in range(count)]


def test_forgerynet_is_drawn_from_its_list_anew_for_each_class():
  lab, fomm = entry('DeepFaceLab', tables.NET), entry('FOMM', tables.NET)
  lists = names(90, 'a/'), names(70, 'b/')
  drawn = select.draw(
    [listing(lab, lists[0]), listing(fomm, lists[1])], 0.02, SEED
  )
  for of, listed in (lab, lists[0]), (fomm, lists[1]):
    np.random.seed(SEED)
    expected = np.random.choice(listed, 40, replace=False)
    assert drawn[of] == expected.tolist()


def test_dffd_tops_up_its_training_images_with_one_generator():
  folders = 'faceapp', 'stylegan_ffhq', 'stargan', 'pggan_v2'
  entries = {e.folder: e for e in tables.OWDFA if e.source == tables.DFFD}
  drawn = select.draw(
    [
      listing(entries[f], names(60, f'{f}/test/'), names(9, f'{f}/train/'))
      for f in folders
    ],
    0.01,
    SEED,
  )
  random.seed(SEED)
  for folder in 'faceapp', 'pggan_v2', 'stargan', 'stylegan_ffhq':
    rest = random.sample(names(60, f'{folder}/test/'), 20 - 9)
    assert drawn[entries[folder]] == rest + names(9, f'{folder}/train/')


def test_dffd_takes_nothing_else_where_it_has_training_images_enough():
  of = entry('FaceAPP', tables.DFFD)
  (drawn,) = select.draw(
    [listing(of, names(60, 'test/'), names(30, 'train/'))], 0.01, SEED
  ).values()
  assert len(drawn) == 20 and all(name.startswith('train/') for name in drawn)


def test_forgerynir_also_draws_the_methods_it_leaves_out():
  of = {e.folder: e for e in tables.OWDFA if e.source == tables.NIR}
  order = 'cyclegan', 'progan', 'stylegan', 'stylegan2'
  for name in order[1:3]:
    of[name] = tables.ForgeryClass(name, '', tables.NIR, (1500, 500), name)
  listings = [listing(of[name], names(50, name)) for name in order]
  drawn = select.draw(listings[::-1], 0.01, SEED)
  random.seed(SEED)
  for name in order:
    assert drawn[of[name]] == random.sample(names(50, name), 20)


def test_frames_are_spread_from_first_to_last():
  assert spread(100, 2) == [0, 99]
  assert spread(300, 10) == np.linspace(0, 299, 10, dtype=int).tolist()
  assert spread(3, 10) == [0, 1, 2]
  assert spread(0, 10) == []


def test_tags_are_the_notebooks_loop():
  real, fake = entry('Real', tables.FF), entry('Deepfakes', tables.FF)
  swap = entry('FaceSwap', tables.FF)
  celeb, net = entry('Real', tables.CELEB), entry('FSGAN', tables.NET)
  sizes = {real: 200, fake: 20, celeb: 57, swap: 20, net: 20}
  drawn = {
    e: [image(f'{e.name}{i}') for i in range(n)] for e, n in sizes.items()
  }
  picks = select.tag(drawn, 0.01, SEED)

  random.seed(SEED)
  expected = {}
  for e in celeb, real, fake, swap, net:  # by source; Real is the largest
    n = sizes[e]
    tags = [2] * n
    if e.known:
      for i in random.sample(list(range(n)), int(n * 0.75 + 0.5)):
        tags[i] = 1
    else:
      drop = n - 50 if e == celeb else n - int(n * 0.75 + 0.5)
      for i in random.sample(list(range(n)), drop):
        tags[i] = 0
    expected |= {f'{e.name}{i}': tag for i, tag in enumerate(tags) if tag}
  assert {p.image.path: p.tag for p in picks} == expected
  counts = [sum(p.entry == e for p in picks) for e in sizes]
  assert counts == [200, 20, 50, 15, 15]


def test_extra_classes_change_nothing_of_owdfas():
  fake = entry('Deepfakes', tables.FF)
  extra = tables.ForgeryClass('X', tables.SYNTHESIS, 'A', (1500, 500), 'x')
  drawn = {fake: [image(f'{i}') for i in range(20)]}
  more = {extra: [image(f'x{i}') for i in range(20)]} | drawn
  alone = select.tag(drawn, 0.01, SEED)
  assert [p for p in select.tag(more, 0.01, SEED) if p.entry == fake] == alone


def test_fewer_images_than_the_table_are_all_taken_and_tagged_in_proportion():
  fake, novel = entry('Deepfakes', tables.FF), entry('FSGAN', tables.NET)
  drawn = select.draw(
    [listing(fake, names(13)), listing(novel, names(9))], 0.01, SEED
  )
  images = {e: [image(e.name + n) for n in drawn[e]] for e in drawn}
  picks = select.tag(images, 0.01, SEED)
  tags = [p.tag for p in picks if p.entry == fake]
  assert (tags.count(1), tags.count(2)) == (10, 3)
  assert sum(p.entry == novel for p in picks) == 9


@pytest.mark.parametrize(
  ('factor', 'known', 'novel'),
  [(1, 2000, 1500), (5, 10000, 7500), (0.01, 20, 15), (1e-6, 1, 1)],
)
def test_the_table_scales(factor, known, novel):
  assert select.wanted(entry('FOMM', tables.NET), factor) == known
  assert select.wanted(entry('FSGAN', tables.NET), factor) == novel


def test_more_frames_than_wanted_are_thinned_out_in_order():
  of = entry('Deepfakes', tables.FF)
  (drawn,) = select.draw([listing(of, names(100))], 0.01, SEED).values()
  assert len(drawn) == 20 and drawn == sorted(drawn)
  (other,) = select.draw([listing(of, names(100))], 0.01, SEED + 1).values()
  assert drawn != other
