"""Predictions of degraded images: what degrades, and what is reported."""

import jax.numpy as jnp
import numpy as np
import pytest

from helpers.runs import tiny_experiment
from owdfa_jax.evaluation import evaluate, robustness
from owdfa_jax.evaluation.robustness import DEGRADATIONS, make_degrade

pytestmark = pytest.mark.usefixtures('quick_compile')


def batch_of(images, index=None):
  index = np.arange(len(images)) if index is None else index
  return {'image': jnp.asarray(images), 'index': jnp.asarray(index, jnp.int32)}


@pytest.mark.parametrize('degradation', DEGRADATIONS, ids=str)
def test_every_degradation_changes_noise_and_keeps_the_mean(degradation):
  images = np.random.default_rng(0).integers(80, 176, (2, 32, 32, 3), np.uint8)
  found = np.asarray(make_degrade(degradation)(batch_of(images))['image'])
  assert found.dtype == np.uint8 and found.shape == images.shape
  assert (found != images).mean() > 0.3
  assert found.mean() == pytest.approx(images.mean(), abs=1)


def test_noise_has_its_strength_and_belongs_to_the_row():
  images = np.full((3, 32, 32, 3), 128, np.uint8)
  degrade = make_degrade(robustness.Degradation('noise', 4))
  found = np.asarray(degrade(batch_of(images))['image']).astype(float)
  assert found.std() == pytest.approx(4, rel=0.05)
  assert (found[0] != found[1]).any()
  other = degrade(batch_of(images[:1], [2]))['image']
  np.testing.assert_array_equal(other[0], found[2])


def test_report_has_a_row_for_each_degradation(trained, packed, capsys):
  experiment = tiny_experiment(
    packed, trained.workdir, epochs=1, eval__robustness=True
  )
  report = evaluate.evaluate(experiment)
  table = report['robustness']
  assert [(x['kind'], x['strength']) for x in table] == [*DEGRADATIONS]
  for entry in table:
    assert 0 <= entry['all_acc'] <= 1 and 0 <= entry['unchanged'] <= 1
  assert 'jpeg 95' in capsys.readouterr().out
  assert 'robustness' not in evaluate.evaluate(trained)


def test_images_that_do_not_change_keep_all_acc(trained, packed, monkeypatch):
  """A JPEG of quality 100 without loss would be such a degradation."""
  monkeypatch.setattr(robustness, 'make_degrade', lambda _: lambda x: x)
  monkeypatch.setattr(robustness, 'DEGRADATIONS', DEGRADATIONS[:1])
  experiment = tiny_experiment(
    packed, trained.workdir, epochs=1, eval__robustness=True
  )
  report = evaluate.evaluate(experiment)
  (entry,) = report['robustness']
  assert entry['all_acc'] == report['all_acc'] and entry['unchanged'] == 1
