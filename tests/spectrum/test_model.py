"""The classifiers fit what they are given, and say how they were made."""

import numpy as np
import pytest

from input_pipeline import progress_bars
from owdfa_jax.spectrum import shrinkage
from owdfa_jax.spectrum.model import fit_clusters, fit_regression
from owdfa_jax.spectrum.shrinkage import choose_shrinkage
from owdfa_jax.spectrum.whitening import whitened_components


def sources(num_known=4, num_novel=2, per_source=40, seed=0):
  """Returns components, labels and the truth of sources far from each other.

  A few directions vary much within each source, as content does.
  """
  generator = np.random.default_rng(seed)
  truth = np.repeat(np.arange(num_known + num_novel), per_source)
  features = generator.normal(size=(len(truth), 12))
  features[:, :2] *= 30
  features[np.arange(len(truth)), 3 + truth] += 8
  labelled = (truth < num_known) & (np.arange(len(truth)) % 2 == 0)
  features = features.astype(np.float32)
  components = whitened_components(features, 64)(features)
  return components, np.where(labelled, truth, -1), truth


def test_clusters_find_the_sources():
  components, label, truth = sources()
  model = fit_clusters(components, label, 6, seed=0)
  predicted = model.log_probability(components).argmax(1)
  known = truth < 4
  assert (predicted[known] == truth[known]).mean() > 0.95
  pairs = set(zip(predicted[~known], truth[~known], strict=True))
  assert len(pairs) == 2


def test_log_probabilities_are_those_of_one_softmax():
  components, label, _ = sources()
  for model in (
    fit_clusters(components, label, 6, seed=0),
    fit_regression(components, np.maximum(label, 0), 4),
  ):
    log_probability = model.log_probability(components)
    assert log_probability.dtype == np.float32
    np.testing.assert_allclose(np.exp(log_probability).sum(1), 1, rtol=1e-5)
    assert model.facts['components'] == 12


def test_confidence_follows_the_accuracy_on_labelled_rows():
  generator = np.random.default_rng(1)
  components, label, truth = sources()
  # A third of the rows cannot be told apart.
  components[generator.random(len(truth)) < 1 / 3] = 0
  found = fit_clusters(components, label, 6, seed=0)
  log_probability = found.log_probability(components[label >= 0])
  accuracy = (log_probability.argmax(1) == label[label >= 0]).mean()
  confidence = np.exp(log_probability.max(1)).mean()
  assert confidence == pytest.approx(accuracy, abs=0.15)


def test_the_order_of_rows_does_not_matter():
  # Novel clusters may be numbered otherwise.
  components, label, _ = sources()
  order = np.random.default_rng(2).permutation(len(components))
  one = fit_clusters(components, label, 6, seed=0)
  other = fit_clusters(components[order], label[order], 6, seed=0)
  predicted = [x.log_probability(components).argmax(1) for x in (one, other)]
  assert len(set(zip(*predicted, strict=True))) == 6


def test_regression_of_two_classes_and_of_one():
  components, _, truth = sources(num_known=2, num_novel=0)
  model = fit_regression(components, truth, 2)
  assert (model.log_probability(components).argmax(1) == truth).mean() > 0.95
  model = fit_regression(components, np.zeros(len(truth), int), 1)
  np.testing.assert_array_equal(model.log_probability(components), 0)


def test_shrinkage_is_chosen_by_known_classes_that_are_held_out():
  components, label, _ = sources()
  choice = choose_shrinkage(components, label, seed=0)
  assert choice.shrinkage in shrinkage.SHRINKAGES
  assert '2 of 4 known classes' in choice.reason
  assert choice.accuracy is not None
  assert choice.accuracy.keys() == {str(x) for x in shrinkage.SHRINKAGES}
  assert choice.accuracy[str(choice.shrinkage)] > 0.9
  # Directions that vary within sources are not whitened enough by all rows.
  assert choice.accuracy['1.0'] <= choice.accuracy['0.1']


def test_the_choice_of_the_shrinkage_shows_its_progress(monkeypatch, capsys):
  monkeypatch.setattr(progress_bars, 'SECONDS_BETWEEN_LINES', 0)
  components, label, _ = sources(per_source=10)
  choose_shrinkage(components, label, seed=0)
  lines = capsys.readouterr().err.splitlines()
  assert lines[-1].startswith('shrinkage: 16 of 16 draws')


def test_the_usual_shrinkage_stays_unless_another_is_clearly_better():
  accuracy = np.full((16, 5), 0.7)
  # Better in half of the draws, worse in the others.
  accuracy[::2, 0] += 0.2
  accuracy[1::2, 0] -= 0.15
  assert shrinkage.clearly_best(accuracy) == 0.1
  accuracy[:, 3] += 0.05
  accuracy[::2, 3] += 0.02
  assert shrinkage.clearly_best(accuracy) == 0.3
  accuracy[:, 4] += 0.2
  accuracy[0, 4] -= 0.1
  assert shrinkage.clearly_best(accuracy) == 1.0


def test_a_choice_needs_two_known_classes():
  components, label, _ = sources(num_known=1)
  choice = choose_shrinkage(components, label, seed=0)
  assert choice.accuracy is None and 'default' in choice.reason
