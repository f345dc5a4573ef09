"""Tests of which run may use a workdir, and which settings may change."""

import json
import shutil

import pytest
from etils import epath

from helpers import imagesets
from helpers.runs import start_run, tiny_experiment
from input_pipeline import pack
from input_pipeline.errors import UserError
from owdfa_jax.training.workdir import claim_workdir, say_older_report


@pytest.mark.parametrize(
  'field, value',
  [
    ('seed', 1),
    ('model.width', 0.25),
    ('method.params.margin', 0.1),
    ('optimizer.learning_rate', 0.5),
    ('data.supervision', 'labelled'),
  ],
)
def test_workdir_of_another_config(packed, tmp_path, field, value):
  start_run(packed, tmp_path)
  other = tiny_experiment(packed, tmp_path, **{field: value})
  with pytest.raises(UserError, match=f'another config.* {field}='):
    claim_workdir(other)


def test_rows_held_out_may_not_change(packed, tmp_path):
  """Otherwise images that were trained on would select the checkpoint."""
  start_run(packed, tmp_path)
  other = tiny_experiment(packed, tmp_path, eval__selection='validation')
  with pytest.raises(
    UserError, match='eval.selection=test .*held_out=0.0 .now 0.1'
  ):
    claim_workdir(other)


def test_every_difference_is_named(packed, tmp_path):
  start_run(packed, tmp_path)
  other = tiny_experiment(packed, tmp_path, seed=1, model__width=0.25)
  with pytest.raises(UserError, match='model.width=0.125 .*seed=0 '):
    claim_workdir(other)


def test_workdir_of_other_data(packed, tmp_path):
  start_run(packed, tmp_path)
  table = imagesets.write_set(tmp_path / 'images', novel=2, per_class=32)
  pack.pack(table, tmp_path / 'data', pack.Options(size=32), workers=1)
  other = tiny_experiment(tmp_path / 'data', tmp_path)
  with pytest.raises(
    UserError,
    match='not the data of the run: .* meta CSV, labels, image bytes; ',
  ):
    claim_workdir(other)


def test_workdir_takes_more_epochs_and_moved_data(packed, tmp_path):
  start_run(packed, tmp_path / 'run')
  shutil.copytree(packed, tmp_path / 'moved')
  start_run(tmp_path / 'moved', tmp_path / 'run', epochs=9)
  written = json.loads((tmp_path / 'run' / 'config.json').read_text())
  assert written['epochs'] == 9


def test_workdir_without_checkpoint_takes_any_config(packed, tmp_path):
  claim_workdir(tiny_experiment(packed, tmp_path))
  claim_workdir(tiny_experiment(packed, tmp_path, seed=1))


def test_file_where_the_workdir_should_be(packed, tmp_path):
  (tmp_path / 'run').write_text('in the way')
  experiment = tiny_experiment(packed, tmp_path / 'run')
  with pytest.raises(UserError, match=f'{tmp_path}/run/.*another --workdir'):
    claim_workdir(experiment)


def test_damaged_config_of_a_workdir(packed, tmp_path):
  start_run(packed, tmp_path)
  (tmp_path / 'config.json').write_text('{"seed": ')
  with pytest.raises(UserError, match='damaged file.*config.json'):
    claim_workdir(tiny_experiment(packed, tmp_path))


@pytest.mark.parametrize(
  'content, said',
  [
    ('{"checkpoint_step": 30}', 'report.json and attributions.csv are of step'),
    ('{"checkpoint_step"', ''),
    ('[]', ''),
    ('{"checkpoint_step": null}', ''),
    (None, ''),
  ],
)
def test_older_report_is_named(tmp_path, capsys, content, said):
  if content is not None:
    (tmp_path / 'report.json').write_text(content)
  say_older_report(epath.Path(tmp_path))
  out = capsys.readouterr().out
  assert out.startswith(said)
  assert ('step 30; ' in out) == bool(said) == bool(out)
