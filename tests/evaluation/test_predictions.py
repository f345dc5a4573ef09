"""Predictions: each image once, whatever the batch size."""

import dataclasses

import jax
import numpy as np
import pytest
from flax import nnx

from helpers.runs import tiny_experiment
from owdfa_jax import parallel
from owdfa_jax.evaluation.predictions import Predictor
from owdfa_jax.evaluation.source_names import output_names
from owdfa_jax.training import state

pytestmark = pytest.mark.usefixtures('quick_compile')


def untrained_network(experiment):
  """Returns a predictor, and the parameters and statistics of a new network."""
  graphdef, _, _ = state.abstract_network(
    experiment.build, experiment.placement
  )
  build = lambda key: state.split_network(experiment.build(nnx.Rngs(key)))[1:]
  network = jax.jit(build, out_shardings=experiment.placement.replicated)(
    jax.random.key(0)
  )
  return Predictor(experiment, graphdef), network


def test_batch_size_does_not_change_predictions(packed, tmp_path):
  """The last batch is padded by a different number of rows each time."""
  found = []
  for batch_size in (8, 24, 256):
    experiment = tiny_experiment(packed, tmp_path, eval__batch_size=batch_size)
    predictor, network = untrained_network(experiment)
    found.append(predictor.predict(*network, predictor.batches('test')))
  first, *others = found
  for other in others:
    np.testing.assert_array_equal(other.row, first.row)
    np.testing.assert_array_equal(other.predicted, first.predicted)
    np.testing.assert_allclose(other.confidence, first.confidence, rtol=1e-5)
  count = len(experiment.dataset.test)
  np.testing.assert_array_equal(first.row, np.arange(count))


def test_predicts_chosen_rows_in_order(packed, tmp_path):
  predictor, network = untrained_network(tiny_experiment(packed, tmp_path))
  rows = np.array([7, 3, 11])
  some = predictor.predict(*network, predictor.batches('train', rows))
  np.testing.assert_array_equal(some.row, [3, 7, 11])


def test_features_are_those_of_the_batches(packed, tmp_path):
  predictor, network = untrained_network(tiny_experiment(packed, tmp_path))
  plain = predictor.predict(*network, predictor.batches('test'))
  parts = []
  predictions = predictor.predict_with_features(
    *network, predictor.batches('test'), parts.append
  )
  np.testing.assert_array_equal(predictions.predicted, plain.predicted)
  feature = np.concatenate(parts)
  assert len(feature) >= len(plain.row)
  assert feature.dtype == np.float32 and feature[: len(plain.row)].std() > 0
  assert all(part.sharding.spec == jax.P('data') for part in parts)


def test_the_next_batch_starts_before_results_are_taken(
  packed, tmp_path, monkeypatch
):
  experiment = tiny_experiment(packed, tmp_path, eval__batch_size=8)
  predictor, network = untrained_network(experiment)
  events = []

  def batches():
    for batch in predictor.batches('test', np.arange(20)):
      events.append('batch')
      yield batch

  def to_host(results):
    events.append('taken')
    return jax.device_get(results)

  monkeypatch.setattr(parallel, 'to_host', to_host)
  order = ['batch', 'batch', 'taken', 'batch', 'taken', 'taken']
  assert len(predictor.predict(*network, batches()).row) == 20
  assert events == order
  events.clear()
  rows = predictor.rows(*network, batches())
  assert sum(len(found['row']) for found in rows) == 20
  assert events == order


def test_without_a_real_class_every_image_is_fake(packed, tmp_path):
  predictor, network = untrained_network(tiny_experiment(packed, tmp_path))
  predictions = predictor.predict(*network, predictor.batches('test'))
  np.testing.assert_array_equal(predictions.fake_probability, 1)


def test_outputs_of_real_classes_are_not_fake(packed, tmp_path):
  """With two real known classes, the novel outputs alone count as fake."""
  experiment = tiny_experiment(packed, tmp_path)
  classes = [
    dataclasses.replace(entry, face_type=1)
    for entry in experiment.dataset.classes
  ]
  dataset = dataclasses.replace(experiment.dataset, classes=tuple(classes))
  experiment = dataclasses.replace(experiment, dataset=dataset)
  predictor, network = untrained_network(experiment)
  found = predictor.predict(*network, predictor.batches('test'))
  # The network is untrained: each of the four outputs gets about a quarter.
  np.testing.assert_allclose(found.fake_probability, 0.5, atol=0.2)
  novel = found.predicted >= 2
  assert (found.fake_probability[novel] >= found.confidence[novel]).all()


def test_every_output_has_a_name_of_its_own(trained):
  assert output_names(trained) == ['m0', 'm1', 'novel-2', 'novel-3']
