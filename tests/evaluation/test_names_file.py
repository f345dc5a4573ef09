"""The names file of a run: what is read, what is refused, and where."""

import json

import numpy as np
import pytest

from helpers.page_runs import HOSTILE
from input_pipeline.errors import UserError
from owdfa_jax.evaluation import names_file, shared_names
from owdfa_jax.training.manifest import write_manifest

KNOWN = ('a', 'Face Swap')


@pytest.fixture
def run(tmp_path):
  """A folder with a checkpoint, its centres and names of its clusters."""
  _make_checkpoint(tmp_path, b'weights')
  (tmp_path / 'centres-7.npz').write_bytes(b'centres')
  clusters = names_file.clusters_of(tmp_path, 7, 'centres')
  found = names_file.NamesFile(clusters, {2: 'X', 3: '', 4: 'X'})
  names_file.write_names(tmp_path, found)
  return tmp_path


def _make_checkpoint(folder, weights):
  path = folder / 'checkpoints' / '7'
  path.mkdir(parents=True, exist_ok=True)
  (path / 'weights').write_bytes(weights)
  write_manifest(path, step=7)


def _names(run, step=7, by='centres', num_outputs=5):
  return names_file.names_of_clusters(run, step, by, KNOWN, num_outputs)


def _edit(run, change):
  path = run / 'names.json'
  content = json.loads(path.read_text())
  change(content)
  path.write_text(json.dumps(content))


def test_written_names_are_read(run):
  assert _names(run) == {2: 'X', 4: 'X'}
  found = names_file.read_names(run)
  assert found.names[3] == ''
  names_file.write_names(run, found)
  assert names_file.read_names(run) == found


def test_parts_of_a_split_cluster(run):
  parts = {'novel-3.2': 'Z', 'novel-3.1': ''}
  _edit(run, lambda x: x['names'].update(parts))
  found = names_file.read_names(run)
  assert found is not None and found.parts == {3: ('', 'Z')}
  names_file.write_names(run, found)
  assert names_file.read_names(run) == found
  # Test images are of the cluster.
  assert _names(run) == {2: 'X', 4: 'X'}
  _edit(run, lambda x: x['names'].update({'novel-3.1': 'a'}))
  with pytest.raises(
    UserError, match=r'the name of a known class: .*names.novel-3\.1='
  ):
    _names(run)


def test_no_file_is_no_names(tmp_path):
  assert _names(tmp_path) == {}


def test_names_of_other_clusters_are_refused(run):
  words = 'names of other clusters: .*names.json .clusters.'
  with pytest.raises(UserError, match=f'{words}classified_by: centres, here h'):
    _names(run, by='head')
  with pytest.raises(UserError, match=f'{words}step: 7, here 9'):
    _names(run, step=9)
  (run / 'centres-7.npz').write_bytes(b'others')
  with pytest.raises(UserError, match=f'{words}centres: another one'):
    _names(run)


def test_names_of_a_retrained_run_are_refused(run):
  _make_checkpoint(run, b'other weights')
  with pytest.raises(UserError, match='other clusters: .*clusters.checkpoint'):
    _names(run)


def test_names_stay_where_the_checkpoint_is_gone(run):
  for path in (run / 'checkpoints' / '7').iterdir():
    path.unlink()
  (run / 'checkpoints' / '7').rmdir()
  assert _names(run) == {2: 'X', 4: 'X'}


@pytest.mark.parametrize(
  'field, change',
  [
    ('version=2', lambda x: x.update(version=2)),
    ('version=True', lambda x: x.update(version=True)),
    (r"unknown field: .*: 'more'", lambda x: x.update(more=1)),
    ('missing field: .*: names', lambda x: x.pop('names')),
    ('clusters=3', lambda x: x.update(clusters=3)),
    ("clusters.step='7'", lambda x: x['clusters'].update(step='7')),
    ('clusters.centres=1', lambda x: x['clusters'].update(centres=1)),
    (r'names=\[\]', lambda x: x.update(names=[])),
    ('names.novel-2=5', lambda x: x['names'].update({'novel-2': 5})),
    ("names='2'", lambda x: x['names'].update({'2': 'X'})),
    ("names='novel-02'", lambda x: x['names'].update({'novel-02': 'X'})),
    ("names='novel-3.0'", lambda x: x['names'].update({'novel-3.0': 'X'})),
    ("names='novel-3.1'", lambda x: x['names'].update({'novel-3.1': 'X'})),
    (
      "names='novel-3.1, novel-3.3'",
      lambda x: x['names'].update({'novel-3.1': '', 'novel-3.3': ''}),
    ),
  ],
)
def test_wrong_fields_are_named_in_one_line(run, field, change):
  _edit(run, change)
  with pytest.raises(UserError, match=field) as raised:
    _names(run)
  assert f'{run}/names.json' in str(raised.value)
  assert '\n' not in str(raised.value)


@pytest.mark.parametrize('text', ['{', '[]', '{"version": NaN}', '\xff'])
def test_damaged_files_are_one_line(run, text):
  (run / 'names.json').write_text(text, 'latin-1')
  with pytest.raises(UserError, match=f'{run}/names.json') as raised:
    _names(run)
  assert '\n' not in str(raised.value)


@pytest.mark.parametrize(
  'output, name, words',
  [
    (0, 'X', 'a known class: .*novel-0'),
    (5, 'Y', 'no such cluster: .*novel-5'),
    (3, 'face  swap', "the name of a known class: .*'Face Swap' is known"),
    (3, 'Ｘ', 'names that look alike'),
    (3, ' Y', 'a blank at an end'),
    (3, 'Y\n', 'a blank at an end'),
    (3, 'Y\u202egpj', 'a character that does not show'),
    (3, 'Y' * 101, '101 characters'),
    (3, 'None of these', 'images without a source'),
    (3, 'novel-4', 'a cluster without a name'),
  ],
)
def test_names_that_would_mislead_are_refused(run, output, name, words):
  _edit(run, lambda x: x['names'].update({f'novel-{output}': name}))
  with pytest.raises(UserError, match=words) as raised:
    _names(run)
  assert f'names.json: names.novel-{output}' in str(raised.value)


@pytest.mark.parametrize('name', [x for x in HOSTILE if x.isprintable()])
def test_markup_is_a_name(run, name):
  _edit(run, lambda x: x['names'].update({'novel-3': name}))
  assert _names(run)[3] == name


def test_probabilities_of_a_name_add_up():
  names = ('a', 'b', 'X', 'novel-3', 'X')
  first = shared_names.first_outputs(names)
  assert first.tolist() == [0, 1, 2, 3, 2]
  probability = np.array([[0.4, 0.1, 0.3, 0.0, 0.2]])
  total = shared_names.add_up(probability, first)
  np.testing.assert_allclose(total, [[0.4, 0.1, 0.5, 0.0, 0.0]])
  assert probability[0, 4] == 0.2


def test_a_table_says_what_outputs_were_called_without_names():
  """The second line is of output 0, but its source is that of 2 and 3."""
  said = ['a', 'X', 'X', 'X', 'novel-4']
  output = np.array([0, 0, 2, 3, 4])
  given = {'novel-2': 'X', 'novel-3': 'X'}
  names = shared_names.output_names_of_table(output, said, given, [])
  assert names == {0: 'a', 2: 'novel-2', 3: 'novel-3', 4: 'novel-4'}
  called = shared_names.called_outputs(output, said, names | {2: 'X', 3: 'X'})
  assert called.tolist() == [0, 2, 2, 2, 4]
  # Under new names, each line has that of its output.
  called = shared_names.called_outputs(output, None, names | {3: 'a lab'})
  assert called.tolist() == [0, 0, 2, 3, 4]
