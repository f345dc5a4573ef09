"""Components of packed images are those of their rows, read in any order."""

import numpy as np
import pytest

from helpers.waves import pack_waves
from input_pipeline import pipeline
from input_pipeline.dataset import open_dataset
from owdfa_jax.spectrum import reading
from owdfa_jax.spectrum.features import spectrum_features


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
  return open_dataset(pack_waves(tmp_path_factory.mktemp('waves')))


def images_of(dataset, split, row):
  rows = np.array([row])
  (batch,) = pipeline.evaluation_batches(
    dataset, split, batch_size=1, rows=rows
  )
  return batch['image']


@pytest.mark.parametrize('batch', [7, 256])
def test_rows_are_in_order(dataset, monkeypatch, batch):
  monkeypatch.setattr(reading, '_BATCH', batch)
  projection, components = reading.fit_components(dataset, 4, num_threads=3)
  assert components.shape == (len(dataset.train), 4)
  for row in (0, 50, len(components) - 1):
    features = spectrum_features(images_of(dataset, 'train', row))
    np.testing.assert_allclose(
      projection(features)[0], components[row], atol=1e-4
    )
  some = np.array([3, 8, 20])
  found = reading.read_components(dataset, 'train', projection, some)
  np.testing.assert_allclose(found, components[some], atol=1e-4)
  assert len(reading.read_components(dataset, 'test', projection)) == len(
    dataset.test
  )


def test_components_are_fitted_to_some_of_many_images(dataset, monkeypatch):
  monkeypatch.setattr(reading, '_MOST_ROWS', 40)
  read = []
  features = reading.spectrum_features

  def count(images):
    read.append(len(images))
    return features(images)

  monkeypatch.setattr(reading, 'spectrum_features', count)
  _, components = reading.fit_components(dataset, 3)
  assert components.shape == (len(dataset.train), 3)
  # Features of 40 at most, then of all, one batch each.
  assert read[0] <= 40 and read[1] == len(dataset.train)
