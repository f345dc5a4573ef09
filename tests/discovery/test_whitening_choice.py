"""The choice of a whitening: what is held out, what wins, few classes."""

import numpy as np
import pytest

from owdfa_jax.discovery.whitening import WhiteningKind
from owdfa_jax.discovery.whitening_choice import (
  DEFAULT,
  Choice,
  choose_whitening,
  describe_choice,
  hold_out,
)

pytestmark = pytest.mark.usefixtures('quick_compile')


def sources(num_known, content, rng, num_all=6, each=40):
  """Returns features, labels of a half of the rows of known classes.

  Args:
    num_known: the number of known classes.
    content: the spread of four channels that are the same for all sources.
    rng: draws everything.
    num_all: the number of sources.
    each: rows of each source.
  """
  source = np.repeat(np.arange(num_all), each)
  feature = np.eye(8)[source] * 2 + 0.2 * rng.normal(size=(len(source), 8))
  feature[:, num_all:] = 0
  noise = content * rng.normal(size=(len(source), 4))
  feature = np.concatenate([feature, noise], 1).astype(np.float32)
  is_labelled = (source < num_known) & (np.arange(len(source)) % 2 == 0)
  return feature, np.where(is_labelled, source, -1).astype(np.int32)


def choose(feature, label, num_known, **settings):
  return choose_whitening(
    feature, label, num_known=num_known, num_clusters=6, seed=0, **settings
  )


@pytest.mark.parametrize('num_known', [2, 4])
def test_whitening_is_chosen_where_content_hides_the_sources(num_known):
  feature, label = sources(num_known, 2.0, np.random.default_rng(0))
  none_first = (WhiteningKind('none'), WhiteningKind('within_class'))
  found = choose(feature, label, num_known, candidates=none_first)
  assert found.kind == WhiteningKind('within_class')
  assert found.scores['within_class 0.3'] > 0.9
  assert found.scores['none'] < 0.7


def test_default_wins_where_all_are_equal():
  feature, label = sources(3, 0.0, np.random.default_rng(1))
  found = choose(feature, label, 3)
  assert found.kind == DEFAULT
  assert found.scores[str(DEFAULT)] == 1
  assert found.reason.startswith('the default: no other kind')


def test_one_known_class_leaves_nothing_to_hold_out():
  feature, label = sources(1, 5.0, np.random.default_rng(2))
  found = choose(feature, label, 1)
  assert found.kind == DEFAULT and not found.scores
  assert 'one known class' in found.report()['whitening_reason']


def test_labels_of_unlabelled_rows_are_not_asked_for():
  """Rows that are held out are labelled ones, and every class keeps some."""
  label = np.repeat(np.arange(-1, 5), 12).astype(np.int32)
  draw = hold_out(label, 5, np.random.default_rng(3))
  assert (label[draw.rows] >= 0).all() and (draw.label[draw.rows] == -1).all()
  assert draw.num_known == 4
  np.testing.assert_array_equal(np.unique(draw.label), np.arange(-1, 4))
  # One class whole, and a quarter of each of the others.
  assert len(draw.rows) == 12 + 4 * 3
  others = np.setdiff1d(np.flatnonzero(label >= 0), draw.rows)
  pairs = set(zip(label[others], draw.label[others], strict=True))
  assert len(pairs) == 4


def test_class_with_one_labelled_row_keeps_it():
  label = np.array([0, 1, 2, -1], np.int32)
  draw = hold_out(label, 3, np.random.default_rng(4))
  assert draw.num_known == 2 and sorted(draw.label)[-2:] == [0, 1]


def test_line_on_a_choice_has_its_scores():
  choice = Choice(WhiteningKind('pca'), {'none': 0.5, 'pca 64': 0.625}, 'why')
  assert describe_choice(choice) == (
    'whitening: pca 64, why; accuracy on them: none 50.0, pca 64 62.5'
  )
