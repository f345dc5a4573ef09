"""`owdfa names`: shows found clusters, and gives them names."""

import json

import numpy as np
import pytest
from etils import epath

from helpers.heap_tables import found, write_heap
from helpers.page_runs import write_run
from input_pipeline.errors import UserError
from owdfa_jax.commands import names
from owdfa_jax.evaluation.sources_file import SOURCES
from owdfa_jax.evaluation.training_sample import TrainingSample
from owdfa_jax.page import run_files


@pytest.fixture
def run(tmp_path):
  write_run(tmp_path / 'run')
  return tmp_path / 'run'


def _given(run):
  return json.loads((run / 'names.json').read_text())['names']


def _error(run, capsys, *words, status=1):
  with pytest.raises(SystemExit) as stopped:
    names.main([str(run), *words])
  assert stopped.value.code == status
  *before, line = capsys.readouterr().err.splitlines()
  # What takes long is said before it begins.
  assert all(each.endswith(' takes seconds') for each in before)
  return line


def test_the_commands_that_come_next_can_be_copied(tmp_path, capsys):
  write_run(tmp_path / 'my run')
  names.main([str(tmp_path / 'my run')])
  folder = f"'{tmp_path}/my run'"
  assert f'by `owdfa names {folder} 2=NAME`' in capsys.readouterr().out
  names.main([str(tmp_path / 'my run'), '2=X'])
  out = capsys.readouterr().out
  assert f'`owdfa report {folder}`' in out
  assert f'`owdfa eval --workdir={folder}`' in out


def test_the_commands_that_come_next_take_the_classifier_of_the_report(
  run, capsys
):
  config = json.loads((run / 'config.json').read_text())
  for configured, options in (('head', 0), ('centres', 2)):
    config['eval'] = {'classify_by': configured}
    (run / 'config.json').write_text(json.dumps(config))
    names.main([str(run), '2=X'])
    out = capsys.readouterr().out
    assert out.count(' --config.eval.classify_by=head') == options


def test_first_call_writes_a_template(run, capsys):
  names.main([str(run)])
  out = capsys.readouterr().out
  assert _given(run) == {'novel-2': '', 'novel-3': ''}
  assert 'novel-2' in out and 'c/25.png' in out
  assert f'a template was written: {run}/names.json, without' in out


def test_a_run_that_cannot_be_written_is_shown(run, capsys, monkeypatch):
  def fail(*_):
    raise UserError('cannot write')

  monkeypatch.setattr(names, 'write_names', fail)
  names.main([str(run)])
  out = capsys.readouterr().out
  assert 'novel-2' in out and 'no file for names: cannot write' in out
  assert 'cannot write' in _error(run, capsys, '3=X')


def test_clusters_of_the_heap_are_shown_and_named(run, capsys):
  write_heap(
    run, found('h/1.png', 4, 0.6), found('h/2.png', 4, 0.9), found('h/3.png', 3)
  )
  names.main([str(run), '4=X'])
  out = capsys.readouterr().out
  assert _given(run) == {'novel-2': '', 'novel-3': '', 'novel-4': 'X'}
  rows = [line.split() for line in out.splitlines()]
  (row,) = [row for row in rows if row[:2] == ['novel-4', 'X']]
  assert row[2:] == ['2', '66.67', '75.00', '0', 'h/2.png']
  assert 'novel-4: h/2.png, h/1.png\n' in out
  assert 'besides: 0 of known sources, 0 of none of these' in out
  assert '`owdfa discover`' in out and 'warning' not in out
  names.main([str(run)])
  assert 'table of the heap was made: the names; `owdfa discover` with' in (
    capsys.readouterr().out
  )


@pytest.fixture
def six_outputs(monkeypatch):
  monkeypatch.setattr(names, 'recorded_num_outputs', lambda folder: 6)
  monkeypatch.setattr(run_files, 'recorded_num_outputs', lambda folder: 6)


def test_a_cluster_without_images_can_be_named(run, six_outputs):
  names.main([str(run), '5=X'])
  assert _given(run)['novel-5'] == 'X'


def test_a_number_beyond_the_last_cluster(run, six_outputs, capsys):
  error = _error(run, capsys, '6=X')
  assert error.startswith('error: no such cluster: novel-6 (the last one is')
  names.main([str(run), '5=X'])
  text = (run / 'names.json').read_text()
  (run / 'names.json').write_text(text.replace('novel-5', 'novel-6'))
  capsys.readouterr()
  for words in (), ('2=Y',):
    assert 'names.json: names.novel-6 (the last' in _error(run, capsys, *words)
  with pytest.raises(UserError, match='no such cluster: .*names.novel-6'):
    run_files.read_run(run)


def test_names_are_written_before_they_are_shown(run, monkeypatch):
  def fail(*_):
    raise BrokenPipeError

  monkeypatch.setattr(names, 'cluster_table', fail)
  with pytest.raises(BrokenPipeError):
    names.main([str(run), '3=X'])
  assert _given(run)['novel-3'] == 'X'


def test_names_are_not_overwritten(run, capsys):
  names.main([str(run), '3=X'])
  before = (run / 'names.json').read_bytes()
  names.main([str(run)])
  assert (run / 'names.json').read_bytes() == before
  out = capsys.readouterr().out
  assert out.count('written: ') == 1
  names.main([str(run), 'novel-2=Y'])
  assert _given(run) == {'novel-2': 'Y', 'novel-3': 'X'}


def test_two_clusters_of_a_name_are_one_source(run, capsys):
  report = (run / 'report.json').read_bytes()
  names.main([str(run), '2=X', '3=X'])
  assert 'novel-2 and novel-3 have the name X, ' in capsys.readouterr().out
  names.main([str(run), '2='])
  assert _given(run) == {'novel-2': '', 'novel-3': 'X'}
  assert (run / 'report.json').read_bytes() == report


@pytest.mark.parametrize(
  'words, message',
  [
    (('1=X',), 'a known class'),
    (('2=b',), 'the name of a known class'),
    (('9=X',), 'no such cluster: novel-9'),
    (('2=X', '3=x'), 'names that look alike'),
    (('3.1=A', '9=X', '1=Y', '2=Z'), '; also: no such cluster: novel-9 got '),
    (('3.1=A', '9=X', '1=Y', '2=Z'), '; also: a known class: novel-1 '),
    (
      ('3.1=A', '9=X', '1=Y', '2=Z'),
      'error: no such part: novel-3.1; `--split',
    ),
  ],
)
def test_mistakes_write_nothing(run, capsys, words, message):
  assert message in _error(run, capsys, *words)
  assert not (run / 'names.json').exists()


@pytest.mark.parametrize(
  'words, message',
  [
    (('X',), "not a name for a cluster: 'X'"),
    (('X', '2=Z', 'Y'), "not a name for a cluster: 'X', 'Y'; write CLUSTER="),
    (('-1=X',), '-1=X'),
    (('2=X', '2=Y'), 'two names for a cluster'),
  ],
)
def test_words_that_are_no_names(run, capsys, words, message):
  assert message in _error(run, capsys, *words, status=2)


def test_names_of_other_clusters_are_not_changed(run, capsys):
  names.main([str(run), '3=X'])
  write_run(run, checkpoint_step=9)
  capsys.readouterr()
  assert 'names of other clusters' in _error(run, capsys, '2=Y')
  assert _given(run)['novel-2'] == ''


def test_run_without_an_evaluation_is_one_line(run, capsys):
  (run / 'report.json').unlink()
  assert 'no evaluation' in _error(run, capsys)


@pytest.fixture
def with_images(run):
  """The run carries 20 training images of cluster 3, of two kinds."""
  place = np.repeat(np.eye(4), (8, 12, 0, 0), axis=0).astype(np.float16)
  place[:, 3] = np.linspace(0, 0.1, 20)
  sample = TrainingSample(
    place, np.full(20, 3, np.int32), [f't/{k}.png' for k in range(20)]
  )
  content = dict.fromkeys(SOURCES.names, np.zeros(1)) | sample.arrays()
  SOURCES.write(epath.Path(run), 7, content)
  return run


def test_a_cluster_is_split_named_and_joined(with_images, capsys):
  run = with_images
  names.main([str(run), '--split', '3=2'])
  out = capsys.readouterr().out
  assert 'novel-3.1: 12 images, such as t/1' in out
  assert 'novel-3.2: 8 images, such as t/' in out
  names.main([str(run), '3.2=Y', '3=X'])
  assert 'novel-3.2, Y: 8 images' in capsys.readouterr().out
  assert _given(run) == {
    'novel-2': '',
    'novel-3': 'X',
    'novel-3.1': '',
    'novel-3.2': 'Y',
  }
  assert "parts with names: novel-3 ('Y')" in _error(run, capsys, '--split=3=1')
  names.main([str(run), '3.2=', '--split=novel-3=1'])
  assert _given(run) == {'novel-2': '', 'novel-3': 'X'}


@pytest.mark.parametrize(
  ('words', 'status', 'message'),
  [
    (['3.1=X'], 1, 'no such part: novel-3.1; `--split 3=2` splits the cluster'),
    (
      ['3.1=X', '3.3=Y'],
      1,
      'no such part: novel-3.1, novel-3.3; `--split 3=3`',
    ),
    (
      ['--split', '3=1'],
      1,
      'nothing to join: novel-3 is not split; leave --spl',
    ),
    (['--split', '3=2', '3.4=X'], 1, 'no such part: novel-3.4'),
    (['--split', '3=x'], 2, "--split '3=x'; write CLUSTER=PARTS, such as 8=2"),
    (['--split', '3=0'], 2, '--split 3=0; give a whole number from 1 to 99'),
    (
      ['--split', '3=100'],
      2,
      '--split 3=100; give a whole number from 1 to 99',
    ),
    (['--split', '1=2'], 1, 'a known class: novel-1'),
    (['--split', '3=5'], 1, 'too many parts: novel-3 in 5'),
    (['--split', '2=2'], 1, 'too few training images to split novel-2'),
  ],
)
def test_splits_that_cannot_be(with_images, capsys, words, status, message):
  assert message in _error(with_images, capsys, *words, status=status)
  assert not (with_images / 'names.json').exists()


def test_a_run_without_training_images_is_not_split(run, capsys):
  message = 'carries no training images; `owdfa eval --workdir='
  assert message in _error(run, capsys, '--split', '3=2')
