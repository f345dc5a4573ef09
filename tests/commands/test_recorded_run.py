"""The folder of a run alone says what a command needs."""

import json
import shutil

import pytest

from helpers import imagesets
from helpers.runs import start_run, tiny_config
from helpers.subprocesses import run_main
from input_pipeline import pack
from input_pipeline.errors import UserError
from input_pipeline.image_folders import FolderScan
from owdfa_jax import configs
from owdfa_jax.commands.discover_new import discover_with_run
from owdfa_jax.commands.preflight import check_inputs
from owdfa_jax.commands.recorded_run import check_recorded
from owdfa_jax.setting_checks import flatten_settings
from owdfa_jax.settings import check_spectrum
from owdfa_jax.training.later_settings import LATER_SETTINGS
from owdfa_jax.training.workdir import claim_workdir


@pytest.fixture
def moved(packed, tmp_path):
  """A run moved to another folder; its data is gone."""
  start_run(packed, tmp_path / 'here')
  folder = tmp_path / 'there' / 'mine'
  shutil.move(tmp_path / 'here', folder)
  change_record(folder, {'data.path': '/gone/packed'})
  return folder


def change_record(folder, changes, without=()):
  """Changes settings in the record of a run, and takes others out."""
  path = folder / 'config.json'
  settings = flatten_settings(json.loads(path.read_text())) | changes
  nested = {}
  for name, value in settings.items():
    if name not in without:
      *sections, field = name.split('.')
      section = nested
      for each in sections:
        section = section.setdefault(each, {})
      section[field] = value
  path.write_text(json.dumps(nested))


def run_error(folder, *arguments):
  """The error's line; fails unless it is all that the command says."""
  ended = run_main('owdfa_jax.commands.run', arguments, folder)
  misunderstood = (
    'no config given',
    'no such config field',
    'a setting of the training',
    'unknown kind of table',
  )
  status = 2 if any(each in ended.err for each in misunderstood) else 1
  assert ended.status == status and not ended.slow, ended
  assert ended.err.count('\n') == 1 and ended.err.startswith('error: ')
  return ended.err


def test_attribution_needs_no_data(moved, packed):
  (inputs,) = check_recorded(str(moved), 'attribute', {})
  wanted = check_inputs(tiny_config(packed), str(moved), 'attribute')
  assert not inputs.dataset.has_images and wanted.dataset.has_images
  assert inputs.dataset.classes == wanted.dataset.classes
  assert inputs.dataset.image_size == wanted.dataset.image_size == 32
  for name in ('model', 'method', 'eval'):
    assert inputs.config[name] == wanted.config[name]


def test_evaluation_says_which_data_it_needs(moved, tmp_path):
  error = run_error(tmp_path, '--mode=eval', f'--workdir={moved}')
  assert 'the data of the run is not there: /gone/packed (' in error
  assert 'test images of 32 pixels, 4 classes, packed from /' in error
  assert 'give --config.data.path=DIR' in error


def test_new_sources_need_the_data_or_their_number(moved, tmp_path):
  with pytest.raises(UserError) as caught:
    discover_with_run(str(moved), FolderScan(), str(tmp_path / 'out'))
  message = str(caught.value)
  assert message.startswith('the number of sources cannot be estimated: the ')
  assert message.endswith('the packed directory, or give --clusters=N')


def test_evaluation_takes_the_data_of_another_place(moved, packed):
  overrides = {'data.path': str(packed), 'eval.batch_size': 8}
  (inputs,) = check_recorded(str(moved), 'eval', overrides)
  assert inputs.dataset.has_images and inputs.config.eval.batch_size == 8


def test_other_data_is_refused(moved, tmp_path):
  table = imagesets.write_set(
    tmp_path / 'other', known=2, novel=2, per_class=9, size=32
  )
  pack.pack(table, tmp_path / 'packed', pack.Options(size=32), workers=1)
  with pytest.raises(UserError) as caught:
    check_recorded(str(moved), 'eval', {'data.path': str(tmp_path / 'packed')})
  message = str(caught.value)
  begins = f'not the data of the run: {tmp_path / "packed"} differs from what '
  assert message.startswith(f'{begins}{moved / "config.json"} records: ')
  ends = 'image bytes; give the packed directory that the run was trained on'
  assert message.endswith(ends)


def test_a_relative_path_is_recorded_from_the_root(
  packed, tmp_path, monkeypatch
):
  monkeypatch.chdir(packed.parent)
  start_run(packed.name, tmp_path)
  monkeypatch.chdir(tmp_path)
  (inputs,) = check_recorded('.', 'eval', {})
  assert inputs.config.data.path == str(packed) and inputs.dataset.has_images


def test_data_of_other_classes_is_refused(moved, tmp_path):
  table = imagesets.write_set(
    tmp_path / 'other', known=3, novel=2, per_class=9, size=32
  )
  pack.pack(table, tmp_path / 'packed', pack.Options(size=32), workers=1)
  # As a run of a benchmark records it.
  change_record(moved, {'data.num_known': 2})
  with pytest.raises(
    UserError, match='not the data of the run: .* other class'
  ):
    check_recorded(str(moved), 'eval', {'data.path': str(tmp_path / 'packed')})


@pytest.mark.parametrize(
  'arguments, message',
  [
    (
      ['--mode=eval', '--workdir=nowhere'],
      'no run: nowhere does not exist; give the folder that a training wrote',
    ),
    (['--mode=eval'], 'no config given: give --config=METHOD:BENCHMARK'),
    (['--workdir=RUN'], 'no config given: give --config=METHOD:BENCHMARK'),
    (
      ['--mode=attribute', 'RUN', 'empty'],
      'is the folder of a run; did you mean --workdir=RUN?',
    ),
    (
      ['--mode=eval', '--workdir=RUN/checkpoints/7'],
      'has no config.json; give the folder that a training wrote; did you mean '
      'RUN?',
    ),
    (
      ['--mode=eval', '--workdir=RUN', '--config.model.width=2'],
      'a setting of the training: --config.model.width: the run in',
    ),
    (
      ['--mode=eval', '--workdir=RUN', '--config.eval.batchsize=2'],
      'no such config field: --config.eval.batchsize=2',
    ),
    (
      ['--mode=attribute', '--workdir=RUN', 'nowhere'],
      'no such file or folder: nowhere; name image files',
    ),
    (
      ['--mode=attribute', '--workdir=RUN', 'empty'],
      'no images: empty (no files); name image files, or folders',
    ),
    (
      ['--mode=attribute', '--workdir=RUN', 'empty', '--out=a.txt'],
      'unknown kind of table: --out=a.txt; end its name with one of .csv',
    ),
    (
      ['--mode=attribute', '--workdir=RUN', 'empty', '--out=old.csv'],
      'the file exists: --out=old.csv; remove it or give another name',
    ),
  ],
)
def test_mistakes(moved, tmp_path, arguments, message):
  (tmp_path / 'empty').mkdir()
  (tmp_path / 'old.csv').write_text('')
  (moved / 'checkpoints' / '7').mkdir(parents=True)
  words = [word.replace('RUN', str(moved)) for word in arguments]
  assert message.replace('RUN', str(moved)) in run_error(tmp_path, *words)


def test_a_training_is_not_offered_the_config_of_a_run(moved, tmp_path):
  offer = 'of a trained run'
  assert offer in run_error(tmp_path, '--mode=eval')
  assert offer not in run_error(tmp_path, f'--workdir={moved}')


def test_a_run_of_an_earlier_version_needs_its_data(moved, packed, tmp_path):
  (moved / 'data.json').unlink()
  later = {name: 0 for name in LATER_SETTINGS if '.' in name}
  change_record(moved, {}, without=later)
  imagesets.write_set(tmp_path / 'new', per_class=1)
  error = run_error(
    tmp_path, '--mode=attribute', f'--workdir={moved}', '--images=new'
  )
  assert 'is not there: /gone/packed (a run by an earlier version,' in error
  (inputs,) = check_recorded(
    str(moved), 'attribute', {'data.path': str(packed)}
  )
  assert inputs.dataset.has_images and inputs.config.eval.classify_by == 'head'


def test_a_damaged_description_is_named(moved):
  path = moved / 'data.json'
  content = json.loads(path.read_text())
  path.write_text(json.dumps(content | {'num_known': 9}))
  with pytest.raises(UserError, match='damaged file: .*data.json: num_known=9'):
    check_recorded(str(moved), 'attribute', {})
  content['classes'][0]['name'] = 'another'
  path.write_text(json.dumps(content))
  with pytest.raises(UserError, match='data.json differs .*: classes; copy'):
    check_recorded(str(moved), 'attribute', {})


def test_of_stages_all_are_evaluated_and_the_last_attributes(
  packed, tmp_path, moved
):
  names = ['1-supervised', '2-cpl', '3-round2', '3-round10']
  for name in reversed(names):
    start_run(packed, tmp_path / 'staged' / name)
  (tmp_path / 'staged' / 'notes').mkdir()
  staged = str(tmp_path / 'staged')
  found = check_recorded(staged, 'eval', {})
  assert [inputs.workdir.name for inputs in found] == names
  (last,) = check_recorded(staged, 'attribute', {})
  assert last.workdir.name == '3-round10'
  (one,) = check_recorded(f'{staged}/2-cpl', 'eval', {})
  assert one.workdir.name == '2-cpl'
  with pytest.raises(UserError, match='stages have different steps'):
    check_recorded(staged, 'eval', {'eval.checkpoint': '5'})


def test_a_spectrum_is_evaluated_and_attributes_nothing(packed, tmp_path):
  config = configs.load('spectrum', 'folder64')
  config.data.path = str(packed)
  claim_workdir(check_spectrum(config.lock(), str(tmp_path / 'run')))
  (inputs,) = check_recorded(str(tmp_path / 'run'), 'eval', {})
  assert inputs.config.spectrum.components == 64
  assert inputs.dataset.has_images
  with pytest.raises(UserError, match='no network: attribute of a spectrum'):
    check_recorded(str(tmp_path / 'run'), 'attribute', {})
