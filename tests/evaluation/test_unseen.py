"""The score of images of no source: a constructed case, and its properties."""

import jax
import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from owdfa_jax import parallel
from owdfa_jax.evaluation import unseen

CENTRES = 6 * np.eye(4, 10, dtype=np.float32)


def draw(sources, seed, spread=1.0):
  """Returns a row around the centre of each source, float32 [N, 10]."""
  noise = np.random.default_rng(seed).normal(size=(len(sources), 10))
  return (CENTRES[sources] + spread * noise).astype(np.float32)


@pytest.fixture(scope='module')
def rows():
  """Rows of three of four sources, and the source of each."""
  sources = np.repeat(np.arange(3), 200)
  return draw(sources, 0), sources.astype(np.int32)


def test_a_source_that_was_not_seen_scores_higher(rows):
  densities = unseen.fit_densities(*rows, num_sources=3)
  seen = unseen.unseen_score(densities, draw(np.arange(300) % 3, 1))
  other = unseen.unseen_score(densities, draw(np.full(100, 3), 2))
  assert unseen.auroc(np.asarray(seen), np.asarray(other)) > 0.99
  # Less than one standard deviation from the usual, and many.
  assert abs(float(np.median(seen))) < 1 < float(np.median(other))
  assert unseen.rejected_at(np.asarray(seen), np.asarray(other), 0.95) > 0.95


def test_score_is_that_of_densities_that_scipy_gives(rows):
  feature, sources = rows
  densities = unseen.fit_densities(feature, sources, num_sources=3)
  new = draw(np.arange(20) % 4, 3)
  matrix = np.asarray(densities.whitening.matrix, np.float64)
  z, points = (
    (x - np.asarray(densities.whitening.mean)) @ matrix for x in (feature, new)
  )
  np.testing.assert_allclose(np.cov(z.T, bias=True), np.eye(10), atol=1e-3)
  apart = [z[sources == k] - z[sources == k].mean(0) for k in range(3)]
  pooled = sum(x.T @ x for x in apart) / len(z)
  pooled = 0.95 * pooled + 0.05 * np.trace(pooled) / 10 * np.eye(10)
  means = [z[sources == k].mean(0) for k in range(3)]

  def parts(at):
    log_density = [
      stats.multivariate_normal(
        mean, (x.T @ x + 10 * pooled) / (len(x) + 10)
      ).logpdf(at)
      for mean, x in zip(means, apart, strict=True)
    ]
    _, second, best = np.sort(log_density, axis=0)
    background = stats.multivariate_normal(np.zeros(10)).logpdf(at)
    inverse = np.linalg.inv(pooled)
    far = np.min(
      [(((at - mean) @ inverse) * (at - mean)).sum(1) / 2 for mean in means],
      axis=0,
    )
    return np.stack([background - best, far, second - best], 1)

  usual = parts(z)
  standard = (parts(points) - usual.mean(0)) / usual.std(0)
  two = standard[:, :2].max(1)
  close = np.maximum(standard[:, 2], -1)
  assert (close == -1).any() and (close > -1).any()
  score = unseen.unseen_score(densities, new)
  np.testing.assert_allclose(score, two + 3 * close, rtol=5e-3, atol=2e-2)
  # A file of an earlier version has two numbers, and keeps its scores.
  earlier = densities._replace(
    usual=densities.usual[:2], spread=densities.spread[:2]
  )
  score = unseen.unseen_score(earlier, new)
  np.testing.assert_allclose(score, two, rtol=5e-3, atol=5e-3)


def test_a_single_source(rows):
  feature, _ = rows
  one = np.zeros(len(feature), np.int32)
  densities = unseen.fit_densities(feature, one, num_sources=1)
  score = np.asarray(unseen.unseen_score(densities, feature))
  assert np.isfinite(score).all() and score.std() > 0


def test_it_does_not_depend_on_the_order_or_number_of_devices(rows):
  feature, sources = rows
  new = draw(np.arange(40) % 4, 4)
  once = unseen.unseen_score(
    unseen.fit_densities(feature, sources, num_sources=3), new
  )
  order = np.random.default_rng(0).permutation(len(sources))
  placement = parallel.make_placement()
  assert placement.mesh.size > 1
  spread = jax.device_put((feature[order], sources[order]), placement.by_batch)
  densities = unseen.fit_densities(*spread, num_sources=3)
  again = unseen.unseen_score(
    densities, jax.device_put(new, placement.by_batch)
  )
  np.testing.assert_allclose(again, once, rtol=1e-3, atol=1e-3)
  # Renaming the sources changes nothing either.
  renamed = unseen.fit_densities(feature, 2 - sources, num_sources=3)
  np.testing.assert_allclose(
    unseen.unseen_score(renamed, new), once, rtol=1e-4, atol=1e-4
  )


def test_rows_left_out_and_sources_without_rows_have_no_effect(rows):
  feature, sources = rows
  new = draw(np.arange(40) % 4, 5)
  once = unseen.unseen_score(
    unseen.fit_densities(feature, sources, num_sources=3), new
  )
  more = np.concatenate([feature, draw(np.full(50, 3), 6)])
  assigned = np.concatenate([sources, np.full(50, -1, np.int32)])
  densities = unseen.fit_densities(more, assigned, num_sources=5)
  np.testing.assert_allclose(
    unseen.unseen_score(densities, new), once, rtol=1e-4, atol=1e-4
  )


def test_equal_and_constant_features_give_finite_scores():
  feature = np.zeros((12, 5), np.float32)
  feature[:, 0] = np.repeat([0, 1], 6)
  sources = np.repeat([0, 1], 6).astype(np.int32)
  densities = unseen.fit_densities(feature, sources, num_sources=2)
  score = np.asarray(unseen.unseen_score(densities, feature))
  assert np.isfinite(score).all()
  far = np.asarray(unseen.unseen_score(densities, feature + 9))
  assert np.isfinite(far).all() and far.min() > score.max()


@pytest.mark.parametrize('rate', [0.0, 0.05, 0.1, 0.37, 0.5])
@pytest.mark.parametrize('count', [1, 7, 20, 100])
def test_threshold_keeps_the_promised_share(rate, count):
  scores = np.random.default_rng(count).normal(size=count)
  limit = unseen.threshold(scores, rate)
  assert np.mean(scores > limit) <= rate
  # The next lower score would reject too many.
  assert np.mean(scores >= limit) > rate


def test_threshold_of_equal_scores_rejects_none():
  assert unseen.threshold(np.ones(10), 0.3) == 1


def test_auroc_is_that_of_sklearn_with_ties_and_any_monotone_map():
  generator = np.random.default_rng(0)
  seen = generator.integers(0, 6, 50).astype(float)
  other = generator.integers(2, 9, 30).astype(float)
  truth = np.repeat([0, 1], [50, 30])
  expected = roc_auc_score(truth, np.concatenate([seen, other]))
  assert unseen.auroc(seen, other) == pytest.approx(expected)
  assert unseen.auroc(np.exp(seen), np.exp(other)) == pytest.approx(expected)
