"""CAL's attention and network against recorded numbers and SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.fft
from flax import nnx

from helpers.recorded import indices
from owdfa_jax.models import frequency_attention
from owdfa_jax.models.classifier import Classifier
from owdfa_jax.models.frequency_attention import FrequencyAttention
from owdfa_jax.models.outputs import Branches

TIGHT = {'rtol': 1e-4, 'atol': 1e-5}


def channels_last(x):
  return jnp.moveaxis(jnp.asarray(x), 1, -1)


def channels_first(x):
  return np.moveaxis(np.asarray(x), -1, 1)


def set_parameters(attention, file, prefix):
  """Sets the recorded parameters."""
  for layer, number in ((attention.hidden, 0), (attention.gate, 2)):
    kernel = file[f'{prefix}freq_attn_net.{number}.weight']
    layer.kernel[...] = jnp.asarray(kernel.transpose(2, 3, 1, 0))
    layer.bias[...] = jnp.asarray(file[f'{prefix}freq_attn_net.{number}.bias'])


@pytest.mark.parametrize('shape', [(2, 8, 6, 3), (1, 5, 5, 1)])
def test_transform_equals_scipys(shape):
  x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
  expected = scipy.fft.dctn(x, axes=(1, 2))
  np.testing.assert_allclose(
    frequency_attention.dct(x), expected, rtol=1e-4, atol=1e-4
  )
  back = frequency_attention.inverse_dct(expected)
  np.testing.assert_allclose(back, x, rtol=1e-4, atol=1e-5)


@pytest.mark.golden
def test_transform_as_recorded(golden):
  g = golden('cal_model')
  x, spectrum = g['dct_x'][..., None], g['dct_2d'][..., None]
  np.testing.assert_allclose(
    frequency_attention.dct(x), spectrum, rtol=1e-4, atol=1e-4
  )
  np.testing.assert_allclose(
    frequency_attention.inverse_dct(spectrum), x, rtol=1e-4, atol=1e-5
  )


@pytest.mark.golden
def test_attention_as_recorded(golden):
  g = golden('cal_model')
  for i in indices(g, 'attn', '_image'):
    case = f'attn{i}'
    attention = FrequencyAttention(rngs=nnx.Rngs(0))
    set_parameters(attention, g, f'{case}_w_')
    graphdef, params = nnx.split(attention)
    weight = channels_last(g[f'{case}_R'])

    def total(params, images, graphdef=graphdef, weight=weight):
      out = nnx.merge(graphdef, params)(images)
      return jnp.sum(out * weight), out

    images = channels_last(g[f'{case}_image'])
    gradient = jax.jit(jax.grad(total, (0, 1), has_aux=True))
    gradients, out = gradient(params, images)
    np.testing.assert_allclose(channels_first(out), g[f'{case}_out'], **TIGHT)
    assert_close(channels_first(gradients[1]), g[f'{case}_grad_image'])
    assert_gradients(gradients[0], g, f'{case}_grad_')


def recorded_networks(g):
  """Yields (case, classifier, images, feature map) for each network."""
  for i in indices(g, 'model', '_image'):
    case = f'model{i}'
    classes, width = g[f'{case}_w_fc2'].shape
    model = Classifier(
      FixedBackbone(width),
      classes,
      branches=Branches(frequency_attention=True, prunable=True),
      dropout=0.0,
      rngs=nnx.Rngs(0),
    )
    set_parameters(model.frequency_attention, g, f'{case}_w_fft_attn_module.')
    model.bottleneck.scale[...] = jnp.asarray(g[f'{case}_w_bottleneck.weight'])
    model.fc2.kernel[...] = jnp.asarray(g[f'{case}_w_fc2'].T)
    images = channels_last(g[f'{case}_image'])
    yield case, model, images, channels_last(g[f'{case}_featuremap'])


@pytest.mark.golden
def test_network_in_training_as_recorded(golden):
  g = golden('cal_model')
  for case, model, images, features in recorded_networks(g):
    graphdef, params, rest = nnx.split(model, nnx.Param, ...)

    def total(
      params, features, case=case, graphdef=graphdef, rest=rest, images=images
    ):
      model = nnx.merge(graphdef, params, rest, copy=True)
      model.backbone.feature_map = features
      outputs = model(images, train=True)
      loss = jnp.sum(outputs.logits * g[f'{case}_R'])
      return loss, (outputs, nnx.state(model, nnx.BatchStat))

    gradient = jax.jit(jax.grad(total, (0, 1), has_aux=True))
    gradients, (outputs, stats) = gradient(params, features)
    for value, name in (
      (outputs.feature, 'train_feature'),
      (outputs.logits, 'train_logits'),
    ):
      np.testing.assert_allclose(
        value, g[f'{case}_{name}'], rtol=1e-4, atol=1e-4
      )
    np.testing.assert_allclose(
      stats['bottleneck']['mean'][...], g[f'{case}_running_mean'], **TIGHT
    )
    assert_close(channels_first(gradients[1]), g[f'{case}_grad_featuremap'])
    assert_close(gradients[0]['fc2']['kernel'][...].T, g[f'{case}_grad_fc2'])
    assert_gradients(
      gradients[0]['frequency_attention'], g, f'{case}_grad_fft_attn_module.'
    )
    assert_close(
      gradients[0]['bottleneck']['scale'][...],
      g[f'{case}_grad_bottleneck.weight'],
    )


@pytest.mark.golden
def test_evaluation_with_pruned_outputs_as_recorded(golden):
  g = golden('cal_model')
  for case, model, images, features in recorded_networks(g):
    model.backbone.feature_map = features
    # One step of training moves the running statistics.
    run = nnx.jit(
      lambda model, images, train: model(images, train=train).logits,
      static_argnames='train',
    )
    run(model, images, train=True)
    pruned = 5
    classes = model.fc2.kernel.shape[1]
    model.live[...] = jnp.arange(classes) < classes - pruned
    logits = run(model, images, train=False)
    np.testing.assert_allclose(
      logits[:, :-pruned],
      g[f'{case}_eval_logits_valid_K_minus_5'],
      rtol=1e-4,
      atol=1e-4,
    )
    assert (logits[:, -pruned:] < logits[:, :-pruned].min() - 100).all()


class FixedBackbone(nnx.Module):
  """A backbone that returns a given feature map."""

  def __init__(self, num_features):
    self.num_features = num_features
    self.feature_map = nnx.data(jnp.zeros(()))

  def first_and_last(self, images, *, train):
    return images, self.feature_map


def assert_gradients(gradients, file, prefix):
  for name, number in (('hidden', 0), ('gate', 2)):
    kernel = np.asarray(gradients[name]['kernel'][...]).transpose(3, 2, 0, 1)
    stem = f'{prefix}freq_attn_net.{number}'
    assert_close(kernel, file[f'{stem}.weight'])
    assert_close(gradients[name]['bias'][...], file[f'{stem}.bias'])


def assert_close(ours, recorded):
  """Compares to 1e-3 of the largest value.

  Frequencies differ by a factor of thousands, and the numbers sum over them.
  """
  scale = np.abs(recorded).max()
  np.testing.assert_allclose(ours, recorded, rtol=1e-3, atol=1e-3 * scale)


def test_attention_lies_between_0_and_1_and_fits_any_feature_map():
  attention = FrequencyAttention(rngs=nnx.Rngs(0))
  images = jax.random.normal(jax.random.key(0), (2, 40, 40, 3))
  maps = attention(images)
  assert maps.shape == (2, 8, 8, 1)
  assert (maps > 0).all() and (maps < 1).all()
  weighed = frequency_attention.weigh_feature_map(maps, jnp.ones((2, 5, 5, 7)))
  assert weighed.shape == (2, 5, 5, 7)
  assert (weighed > 0).all() and (weighed < 1).all()
