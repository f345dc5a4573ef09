"""The draws of OW-DFA, compared with the released notebook's, written again."""

import random

import numpy as np
import pytest

from input_pipeline.benchmarks import draws, owdfa_classes
from input_pipeline.benchmarks.benchmark_class import (
  CELEB,
  DFFD,
  FF,
  NET,
  NIR,
  BenchmarkClass,
)
from input_pipeline.benchmarks.candidates import Candidate
from input_pipeline.benchmarks.listing import Listing
from input_pipeline.benchmarks.picks import images_wanted
from input_pipeline.forgery_types import SYNTHESIS

SEED = 2000


def entry(method, dataset):
  return next(
    e for e in owdfa_classes.OWDFA if (e.method, e.dataset) == (method, dataset)
  )


def listing(of, names, first=()):
  return Listing(of, '', 'somewhere', names, candidate, first)


def candidate(name):
  return Candidate(name, name, name, 'dataset')


def names(count, prefix=''):
  return [f'{prefix}{i:05d}' for i in range(count)]


def test_forgerynet_is_drawn_with_a_new_generator_for_each_class():
  lab, fomm = entry('DeepFaceLab', NET), entry('FOMM', NET)
  lists = names(90, 'a/'), names(70, 'b/')
  drawn = draws.draw_names(
    [listing(lab, lists[0]), listing(fomm, lists[1])], 0.02, SEED
  )
  for of, listed in (lab, lists[0]), (fomm, lists[1]):
    np.random.seed(SEED)
    expected = np.random.choice(listed, 40, replace=False)
    assert drawn[of] == expected.tolist()


def test_dffd_adds_other_images_with_one_generator_for_all_classes():
  folders = 'faceapp', 'stylegan_ffhq', 'stargan', 'pggan_v2'
  entries = {e.folder: e for e in owdfa_classes.OWDFA if e.dataset == DFFD}
  drawn = draws.draw_names(
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


def test_dffd_draws_only_training_images_if_they_suffice():
  of = entry('FaceAPP', DFFD)
  (drawn,) = draws.draw_names(
    [listing(of, names(60, 'test/'), names(30, 'train/'))], 0.01, SEED
  ).values()
  assert len(drawn) == 20 and all(name.startswith('train/') for name in drawn)


def test_forgerynir_is_also_drawn_for_the_methods_that_are_left_out():
  of = {e.folder: e for e in owdfa_classes.OWDFA if e.dataset == NIR}
  order = 'cyclegan', 'progan', 'stylegan', 'stylegan2'
  for name in order[1:3]:
    of[name] = BenchmarkClass(name, '', NIR, (1500, 500), name)
  listings = [listing(of[name], names(50, name)) for name in order]
  drawn = draws.draw_names(listings[::-1], 0.01, SEED)
  random.seed(SEED)
  for name in order:
    assert drawn[of[name]] == random.sample(names(50, name), 20)


def test_tags_are_those_of_the_notebooks_loop():
  real, fake = entry('Real', FF), entry('Deepfakes', FF)
  swap = entry('FaceSwap', FF)
  celeb, net = entry('Real', CELEB), entry('FSGAN', NET)
  sizes = {real: 200, fake: 20, celeb: 57, swap: 20, net: 20}
  drawn = {
    e: [candidate(f'{e.name}{i}') for i in range(n)] for e, n in sizes.items()
  }
  picks = draws.tag_images(drawn, 0.01, SEED)

  random.seed(SEED)
  expected = {}
  for e in celeb, real, fake, swap, net:  # by dataset; Real is the largest
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


def test_added_classes_do_not_change_the_draws_of_owdfa():
  fake = entry('Deepfakes', FF)
  extra = BenchmarkClass('X', SYNTHESIS, 'A', (1500, 500), 'x')
  drawn = {fake: [candidate(f'{i}') for i in range(20)]}
  more = {extra: [candidate(f'x{i}') for i in range(20)]} | drawn
  alone = draws.tag_images(drawn, 0.01, SEED)
  assert [
    p for p in draws.tag_images(more, 0.01, SEED) if p.entry == fake
  ] == alone


def test_a_class_with_too_few_images_gives_all_of_them_tagged_in_proportion():
  fake, novel = entry('Deepfakes', FF), entry('FSGAN', NET)
  drawn = draws.draw_names(
    [listing(fake, names(13)), listing(novel, names(9))], 0.01, SEED
  )
  images = {e: [candidate(e.name + n) for n in drawn[e]] for e in drawn}
  picks = draws.tag_images(images, 0.01, SEED)
  tags = [p.tag for p in picks if p.entry == fake]
  assert (tags.count(1), tags.count(2)) == (10, 3)
  assert sum(p.entry == novel for p in picks) == 9


@pytest.mark.parametrize(
  ('factor', 'known', 'novel'),
  [(1, 2000, 1500), (5, 10000, 7500), (0.01, 20, 15), (1e-6, 1, 1)],
)
def test_the_factor_scales_the_class_table(factor, known, novel):
  assert images_wanted(entry('FOMM', NET), factor) == known
  assert images_wanted(entry('FSGAN', NET), factor) == novel


def test_surplus_frames_are_dropped_at_random_in_order():
  of = entry('Deepfakes', FF)
  (drawn,) = draws.draw_names([listing(of, names(100))], 0.01, SEED).values()
  assert len(drawn) == 20 and drawn == sorted(drawn)
  (other,) = draws.draw_names(
    [listing(of, names(100))], 0.01, SEED + 1
  ).values()
  assert drawn != other
