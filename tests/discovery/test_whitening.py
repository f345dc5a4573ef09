"""Whitening: what becomes the identity, invariances, and rows on devices."""

import jax
import numpy as np
import pytest

from owdfa_jax.discovery.clusters import rows_on_devices
from owdfa_jax.discovery.whitening import (
  KINDS,
  WhiteningKind,
  fit,
  principal,
  within_class,
)
from owdfa_jax.evaluation.whitening_map import whiten
from owdfa_jax.parallel import make_placement
from owdfa_jax.setting_checks import WHITENINGS

NUM_KNOWN = 3


@pytest.fixture
def rows():
  """Features of correlated channels, and labels of a half of the rows."""
  rng = np.random.default_rng(0)
  mixing = rng.normal(size=(6, 6))
  source = rng.integers(0, 5, 205)
  feature = rng.normal(size=(205, 6)) @ mixing + rng.normal(size=(5, 6))[source]
  label = np.where((source < NUM_KNOWN) & (rng.random(205) < 0.5), source, -1)
  return feature.astype(np.float32), label.astype(np.int32)


def within_scatter(feature, label):
  parts = [feature[label == c] for c in range(NUM_KNOWN)]
  apart = np.concatenate([part - part.mean(0) for part in parts])
  return apart.T @ apart / len(apart)


def cosines(whitening, feature):
  rows = np.asarray(whiten(whitening, feature))
  rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
  return rows @ rows.T


def test_scatter_within_classes_becomes_the_identity(rows):
  feature, label = rows
  found = whiten(within_class(feature, label, NUM_KNOWN, 0.0), feature)
  scatter = within_scatter(np.asarray(found), label)
  np.testing.assert_allclose(scatter, np.eye(6), atol=1e-4)
  np.testing.assert_allclose(found.mean(0), 0, atol=1e-4)


def test_shrinkage_is_that_of_the_equation(rows):
  feature, label = rows
  scatter = within_scatter(feature, label)
  shrunk = 0.6 * scatter + 0.4 * np.trace(scatter) / 6 * np.eye(6)
  matrix = np.asarray(within_class(feature, label, NUM_KNOWN, 0.4).matrix)
  np.testing.assert_allclose(
    matrix @ matrix, np.linalg.inv(shrunk), rtol=1e-3, atol=1e-4
  )
  # At 1 it is a scale, which directions do not see.
  whole = np.asarray(within_class(feature, label, NUM_KNOWN, 1.0).matrix)
  np.testing.assert_allclose(whole, whole[0, 0] * np.eye(6), atol=1e-5)


def test_principal_components_are_uncorrelated_and_of_length_1(rows):
  feature, label = rows
  found = np.asarray(whiten(principal(feature, label, 4), feature))
  np.testing.assert_allclose(np.cov(found.T, bias=True), np.eye(4), atol=1e-4)
  # The first component is the direction of the largest spread.
  _, direction = np.linalg.eigh(np.cov(feature.T))
  along = np.asarray(principal(feature, label, 4).matrix)[:, 0]
  cosine = along @ direction[:, -1] / np.linalg.norm(along)
  assert abs(cosine) == pytest.approx(1, abs=1e-4)


SMALL = [
  WhiteningKind('within_class'),
  WhiteningKind('pca', components=4),
  WhiteningKind('pca_within_class', components=4),
]


@pytest.mark.parametrize('kind', SMALL, ids=str)
def test_rotation_shift_and_scale_of_features_do_not_matter(kind, rows):
  feature, label = rows
  rng = np.random.default_rng(1)
  rotation = np.linalg.qr(rng.normal(size=(6, 6)))[0].astype(np.float32)
  moved = 7 * feature @ rotation + rng.normal(size=6).astype(np.float32)
  np.testing.assert_allclose(
    cosines(fit(kind, feature, label, NUM_KNOWN), feature),
    cosines(fit(kind, moved, label, NUM_KNOWN), moved),
    atol=2e-3,
  )


@pytest.mark.parametrize('kind', SMALL, ids=str)
def test_order_of_rows_and_devices_do_not_matter(kind, rows):
  feature, label = rows
  expected = cosines(fit(kind, feature, label, NUM_KNOWN), feature)
  order = np.random.default_rng(2).permutation(len(label))
  # 205 rows over 8 devices: three rows of padding.
  split = rows_on_devices(feature[order], label[order], make_placement())
  found = cosines(fit(kind, *split, NUM_KNOWN), feature)
  np.testing.assert_allclose(found, expected, atol=1e-4)


def test_every_whitening_of_the_settings_exists():
  assert set(WHITENINGS) == {'auto', *KINDS}
  assert all(kind.name == name for name, kind in KINDS.items())


def test_none_changes_nothing(rows):
  feature, label = rows
  found = whiten(fit(WhiteningKind('none'), feature, label, NUM_KNOWN), feature)
  np.testing.assert_array_equal(found, feature)


@pytest.mark.parametrize('kind', SMALL, ids=str)
def test_features_without_spread_stay_finite(kind):
  feature = np.ones((8, 5), np.float32)
  label = np.array([0, 1, 2, 0, -1, -1, -1, -1], np.int32)
  found = whiten(fit(kind, feature, label, NUM_KNOWN), feature)
  assert np.isfinite(jax.device_get(found)).all()
