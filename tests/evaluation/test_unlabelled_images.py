"""A run on a heap: images without a true class, from preparation to report."""

import contextlib
import dataclasses
import io
import json

import cv2
import numpy as np
import pytest

from helpers.csv_files import read_csv
from helpers.runs import initial_state, tiny_experiment
from input_pipeline.text_tables import percent
from owdfa_jax.evaluation import evaluate, overview, overview_data
from owdfa_jax.evaluation.epoch_evaluator import (
  EpochEvaluator,
  train_with_evaluation,
)
from owdfa_jax.report_fields import NEED_EVERY_TRUTH, SELECTION_SCORE
from owdfa_jax.training.setup import set_up_training

pytestmark = pytest.mark.usefixtures('quick_compile')


@dataclasses.dataclass
class HeapRun:
  """A run on a heap: what it printed and reported."""

  experiment: object
  printed: str
  report: dict


@pytest.fixture(scope='module')
def heap_run(unsorted, tmp_path_factory, quick_compile):
  experiment = tiny_experiment(
    unsorted, tmp_path_factory.mktemp('heap'), epochs=1, data__num_classes=5
  )
  with contextlib.redirect_stdout(io.StringIO()) as printed:
    assert train_with_evaluation(experiment) == 0
    report = evaluate.evaluate(experiment)
  return HeapRun(experiment, printed.getvalue(), report)


def test_no_figure_is_computed_from_the_known_images_alone(heap_run):
  report, test = heap_run.report, heap_run.experiment.dataset.test
  missing = int((test.label < 0).sum())
  assert 0 < missing < len(test)
  for name in NEED_EVERY_TRUTH:
    assert report[name] is None
    assert report['not_available'][name] == (
      f'{missing} of {len(test)} images have no true class'
    )
  assert 0 <= report['known_acc'] <= 1
  assert report['num_without_truth'] == missing
  assert report['last']['all_acc'] is None
  # Strict JSON: `null` is the only way to say "not available".
  text = (heap_run.experiment.workdir / 'report.json').read_text()
  assert json.loads(text, parse_constant=pytest.fail) == report


def test_report_counts_the_images_of_every_output(heap_run):
  heap = heap_run.report['heap']
  lines = read_csv(heap_run.experiment.workdir / 'attributions.csv')
  outputs = [x['output'] for x in lines if x['true_source'] == '']
  assert heap['num_images'] == len(outputs)
  assert {str(x['output']): x['count'] for x in heap['per_output']} == {
    output: outputs.count(output) for output in outputs
  }
  assert heap['num_outputs_given'] == len(set(outputs))
  novel = sum(int(output) >= 2 for output in outputs)
  assert heap['novel_share'] == novel / len(outputs)
  assert heap['num_novel_outputs'] == 3


def test_printed_report_shows_what_is_not_available(heap_run):
  shown = heap_run.printed
  assert '| n/a | n/a | n/a | n/a | n/a | n/a | n/a |' in shown
  assert 'images without a true class:' in shown
  assert 'Known ACC covers' in shown
  for warning in heap_run.report['heap']['warnings']:
    assert f'warning: {warning}' in shown
  (line,) = (x for x in shown.splitlines() if 'cannot select' in x)
  assert 'all_nmi' in line and 'and the score of the heap' in line
  assert line.endswith('(the heap: the images without a true class)')
  assert 'selected by Known ACC on test images and the' in shown
  score = heap_run.report['last'][SELECTION_SCORE]
  assert f'  selection score {score:.4f} (1 to 2)' in shown
  assert f'score of the heap: {percent(heap_run.report["heap"]["score"])}' in (
    shown
  )


def test_epoch_is_scored_by_known_images_and_the_heap(heap_run):
  report, last = heap_run.report, heap_run.report['last']
  assert last['selection_known'] == report['known_acc']
  assert last['selection_heap'] == pytest.approx(report['heap']['score'])
  assert last['heap_novel_share'] == report['heap']['novel_share']
  assert 1 <= last[SELECTION_SCORE] <= 2
  lines = (heap_run.experiment.workdir / 'metrics.jsonl').read_text()
  logged = json.loads(lines.splitlines()[-1], parse_constant=pytest.fail)
  assert logged['eval/all_acc'] is None
  assert logged[f'eval/{SELECTION_SCORE}'] == last[SELECTION_SCORE]


def test_heap_without_test_images_is_scored_by_training_images(
  unsorted, tmp_path
):
  """As with a test set of its own, which has folders of known classes only."""
  experiment = tiny_experiment(unsorted, tmp_path, data__num_classes=5)
  dataset = experiment.dataset
  test = dataset.test
  label = np.where(test.label < 0, 0, test.label).astype(np.int32)
  experiment = dataclasses.replace(
    experiment,
    dataset=dataclasses.replace(
      dataset, test=dataclasses.replace(test, label=label)
    ),
  )
  evaluator = EpochEvaluator(experiment, set_up_training(experiment).graphdef)
  result = evaluator.evaluate_epoch(5, initial_state(experiment))
  assert result.metrics['all_acc'] is not None
  assert 0 <= result.metrics['selection_heap'] <= 1
  assert result.metrics['selection_known'] == result.metrics['known_acc']


def test_validation_images_and_the_heap_select_together(unsorted, tmp_path):
  experiment = tiny_experiment(
    unsorted,
    tmp_path,
    data__num_classes=5,
    eval__selection='validation',
    data__validation_share=0.25,
  )
  evaluator = EpochEvaluator(experiment, set_up_training(experiment).graphdef)
  result = evaluator.evaluate_epoch(5, initial_state(experiment))
  held_out = sum(
    max(1, int(0.25 * count))
    for count in np.bincount(
      experiment.dataset.train.label[experiment.dataset.train.tag == 1]
    )
  )
  right = result.metrics['selection_known'] * held_out
  assert right == pytest.approx(round(right))


def test_report_of_an_earlier_version_shows_no_false_figure(
  heap_run, monkeypatch
):
  """It scored epochs by the images that have a true class."""
  old = {'all_acc': 0.983, 'known_acc': 0.98, 'checkpoint_step': 5}
  restored = dataclasses.replace(
    evaluate.restore_network(heap_run.experiment), latest_metrics=old
  )
  monkeypatch.setattr(evaluate, 'restore_network', lambda _: restored)
  report = evaluate.evaluate(heap_run.experiment)
  assert report['last']['all_acc'] is None
  assert report['last']['known_acc'] == 0.98
  assert report['selected_by'].startswith('all_nmi of the images with a true')


def test_overview_has_a_row_for_images_without_a_true_class(heap_run, tmp_path):
  workdir = heap_run.experiment.workdir
  found = overview_data.read_overview(workdir)
  assert found.sources == ['0', '1', 'no true class'] and found.has_heap
  known = 100 * heap_run.report['known_acc']
  assert found.figure == f'CPL, Known ACC {known:.1f}'
  np.testing.assert_allclose(found.share.sum(1), 1)
  novel = found.share[-1, found.num_known_outputs :].sum()
  assert novel == pytest.approx(heap_run.report['heap']['novel_share'])
  overview.main([f'--workdir={workdir}', f'--out={tmp_path}/overview.png'])
  assert cv2.imread(f'{tmp_path}/overview.png').shape[1] == 1660


def test_other_splits_of_a_heap_are_reported_alike(heap_run, unsorted):
  experiment = tiny_experiment(
    unsorted,
    heap_run.experiment.workdir,
    epochs=1,
    data__num_classes=5,
    eval__split='unlabelled',
  )
  report = evaluate.evaluate(experiment)
  label = experiment.dataset.train.label[experiment.dataset.train.tag == 2]
  assert report['num_without_truth'] == (label < 0).sum()
  assert report['all_acc'] is None and report['known_acc'] is not None
