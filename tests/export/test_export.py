"""`owdfa export`: a network in files that need no run."""

import contextlib
import io
import json
import shutil

import jax.numpy as jnp
import numpy as np
import pytest

import owdfa_jax
from helpers.imagesets import write_set
from input_pipeline.errors import UserError
from input_pipeline.images import load_image
from owdfa_jax.evaluation.calibration import Calibration
from owdfa_jax.evaluation.restore import restore_network
from owdfa_jax.evaluation.seen_sources import attach_sources
from owdfa_jax.export import comparison, export_command
from owdfa_jax.export.describe import baked_temperature, describe_run
from owdfa_jax.export.exported_files import DESCRIPTION_FILE, PROGRAM_FILE
from owdfa_jax.export.program import export_function
from owdfa_jax.export.write import export_run
from owdfa_jax.inference.open_run import open_run

pytestmark = pytest.mark.usefixtures('quick_compile')


@pytest.fixture(scope='module')
def run(trained, tmp_path_factory):
  """A copy of a trained run, which gets its sources."""
  folder = tmp_path_factory.mktemp('exported') / 'run'
  # Other tests may have evaluated it.
  evaluated = shutil.ignore_patterns('report.json', '*.npz', '*.csv')
  shutil.copytree(trained.workdir, folder, ignore=evaluated)
  return folder


@pytest.fixture(scope='module')
def exported(run):
  """The folder of an export, and what was said meanwhile."""
  folder, said = run.parent / 'export', io.StringIO()
  with contextlib.redirect_stderr(said):
    export_run(run, folder, licence='CC0 *1.0*')
  return folder, said.getvalue()


@pytest.fixture(scope='module')
def out(exported):
  return exported[0]


@pytest.fixture(scope='module')
def images(tmp_path_factory):
  folder = tmp_path_factory.mktemp('photos')
  write_set(folder, per_class=3, size=32)
  return np.stack([load_image(x) for x in sorted(folder.rglob('*.png'))])


@pytest.fixture
def copy(out, tmp_path):
  return shutil.copytree(out, tmp_path / 'copy')


def test_an_export_says_what_the_run_says(run, out, images):
  trained, network = owdfa_jax.load(run), owdfa_jax.load_export(out)
  answers, outputs = trained.predict([*images]), network(images)
  probability = np.exp(outputs['log_probability'])
  for answer, row, score in zip(
    answers, probability, outputs['unseen_score'], strict=True
  ):
    np.testing.assert_allclose(row, answer.probability, atol=1e-4)
    assert score == pytest.approx(answer.unseen_score, abs=1e-3)
  np.testing.assert_allclose(
    outputs['feature'], trained.features([*images]), atol=1e-3
  )
  assert network.classes == trained.classes
  assert network.num_known == trained.num_known
  assert network.image_size == trained.image_size
  assert network.unseen_threshold == trained.unseen_threshold
  assert network.platforms == ('cpu', 'cuda', 'tpu')


def test_what_takes_seconds_is_said(exported):
  *_, writing, loading = exported[1].splitlines()
  assert writing == 'writing the program for cpu, cuda, tpu'
  assert loading == 'loading it back, to compare it with the run'


def test_a_batch_may_have_any_size(out, images):
  network = owdfa_jax.load_export(out)
  one, all_rows = network(images[:1]), network(images)
  for name, rows in all_rows.items():
    np.testing.assert_allclose(one[name], rows[:1], atol=1e-4, err_msg=name)


@pytest.mark.parametrize(
  'shape, dtype',
  [
    ([0, 32, 32, 3], np.uint8),
    ([32, 32, 3], np.uint8),
    ([1, 16, 16, 3], np.uint8),
    ([1, 32, 32, 3], np.float32),
  ],
)
def test_other_arrays_are_refused(out, shape, dtype):
  with pytest.raises(ValueError, match=r'\[B, 32, 32, 3\] with B at least 1'):
    owdfa_jax.load_export(out)(np.zeros(shape, dtype))


def test_the_card_shows_how_plain_jax_runs_it(out, images, monkeypatch):
  """Executes the code of the model card."""
  card = (out / 'MODEL_CARD.md').read_text()
  code = card.split('```python\n')[1].split('```')[0]
  monkeypatch.chdir(out)
  found = {'images': images}
  exec(code, found)
  assert len(found['names']) == len(images)
  assert {*found['names']} <= {'m0', 'm1', 'novel-2', 'novel-3'}


def test_the_card_has_the_facts_of_the_run(out):
  card = (out / 'MODEL_CARD.md').read_text()
  assert '| m0 | yes | ' in card and '| m3 | no | 0 | ' in card
  assert r'CC0 \*1.0\*' in card
  assert 'None: this checkpoint was not evaluated.' in card
  assert (
    'It does not\n  say that an image is real.\n  No source of real' in card
  )
  assert 'the name of any source.\n- The probability' in card


def test_the_temperature_of_the_run_is_recorded(run, out):
  experiment = open_run(run)
  restored, seen = attach_sources(experiment, restore_network(experiment))
  for calibration, wanted in (
    (seen.calibration, baked_temperature(experiment, seen) or 1),
    (Calibration(1.22, 1.5, 0.7, 0.7), 1.22),
    (None, 1),
  ):
    found = describe_run(
      experiment, restored, seen._replace(calibration=calibration)
    )
    assert found['temperature_in_program'] == wanted
    assert found['temperature'] == 1  # of tiles, which this run has not
    if calibration is seen.calibration:
      written = json.loads((out / DESCRIPTION_FILE).read_text())
      assert written.items() >= found.items()


def test_the_comparison_is_recorded(out):
  found = json.loads((out / DESCRIPTION_FILE).read_text())['comparison']
  assert found['of'] == 'test images of the run' and found['images'] == 16
  assert {*found['largest_difference']} == {
    'probability',
    'feature',
    'unseen_score',
  }
  assert max(found['largest_difference'].values()) <= found['tolerance']


def test_an_export_that_differs_is_refused(run, out):
  experiment = open_run(run)
  restored, seen = attach_sources(experiment, restore_network(experiment))
  temperature = baked_temperature(experiment, seen)
  network = owdfa_jax.load_export(out)

  def wrong(images):
    outputs = network(images)
    return outputs | {'feature': outputs['feature'] + 1}

  with pytest.raises(UserError, match='its feature differs by .* use the run'):
    comparison.compare_with_run(experiment, restored, wrong, temperature)


@pytest.mark.parametrize(
  'name, content, message',
  [
    (PROGRAM_FILE, b'', 'changed since it was written'),
    (PROGRAM_FILE, None, 'cannot read .*jax_export: No such file'),
    (DESCRIPTION_FILE, b'{}', "a damaged file: .*export.json \\('format'\\)"),
    (DESCRIPTION_FILE, None, 'no export: cannot read'),
  ],
)
def test_damaged_files_are_named(copy, name, content, message):
  path = copy / name
  if content is None:
    path.unlink()
  else:
    path.write_bytes(content)
  with pytest.raises(UserError, match=message):
    owdfa_jax.load_export(copy)


def test_a_later_version_is_refused(copy):
  path = copy / DESCRIPTION_FILE
  content = json.loads(path.read_text()) | {'format_version': 2}
  path.write_text(json.dumps(content))
  with pytest.raises(UserError, match='of a later version: .* use a later'):
    owdfa_jax.load_export(copy)


@pytest.mark.parametrize(
  'arguments, status, message',
  [
    ([], 1, '--out={out}; remove it or give another name'),
    (['--platforms=gpu'], 2, 'unknown platform: --platforms=gpu; give some of'),
    (['--checkpoint=-3'], 2, 'no such checkpoint: --checkpoint=-3; use'),
  ],
)
def test_mistakes_are_one_line(
  out, tmp_path, capsys, arguments, status, message
):
  place = tmp_path / 'new' if arguments else out
  with pytest.raises(SystemExit) as ended:
    export_command.main(['run', f'--out={place}', *arguments])
  assert ended.value.code == status
  assert message.format(out=out) in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_refused_first(
  run, tmp_path, monkeypatch
):
  (tmp_path / 'file').write_text('x')
  # What takes long is not reached.
  monkeypatch.delattr('owdfa_jax.export.write.prepare_run')
  with pytest.raises(UserError, match=r'cannot write .*file'):
    export_run(run, tmp_path / 'file' / 'out')


def test_a_platform_without_an_operation_is_left_out():
  def roots(image):
    square = image[..., 0].astype(jnp.float32)
    return {'feature': jnp.abs(jnp.linalg.eigvals(square))}

  assert export_function(roots, 4).platforms == ('cpu',)
  with pytest.raises(UserError, match='the network cannot be exported'):
    export_function(roots, 4, ['tpu'])
