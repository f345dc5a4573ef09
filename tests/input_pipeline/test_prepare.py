"""The prepare command: its arguments, its output, its exit status."""

import pytest

from input_pipeline import meta, prepare


@pytest.fixture
def root(tmp_path):
  for name in 'first', 'second one', 'third':
    (tmp_path / 'in' / name).mkdir(parents=True)
    for i in range(4):
      path = tmp_path / 'in' / name / f'{i}.jpg'
      path.write_bytes(f'{name} {i}'.encode())
  return tmp_path / 'in'


def test_folder_writes_the_csv_and_prints_a_table(root, tmp_path, capsys):
  out = tmp_path / 'a' / 'b'
  prepare.main(
    f'folder --root {root} --out {out} --seed 3 --labelled_fraction 0.5'.split()
    + ['--known', 'third, second one']
  )
  table = meta.read_meta(out / 'meta.csv')
  assert [c.name for c in meta.classes(table)] == [
    'third',
    'second one',
    'first',
  ]
  assert (table.tag == meta.LABELLED).sum() == 4
  printed = capsys.readouterr().out
  assert 'second one' in printed and str(out / 'meta.csv') in printed


def test_a_mistake_is_one_line_and_exit_status_1(root, tmp_path, capsys):
  with pytest.raises(SystemExit) as stop:
    prepare.main(['folder', '--root', str(root), '--out', str(tmp_path / 'o')])
  assert stop.value.code == 1
  error = capsys.readouterr().err
  assert error.startswith('error: no known classes')
  assert error.count('\n') == 1 and 'Traceback' not in error


def test_missing_command_names_the_commands(capsys):
  with pytest.raises(SystemExit):
    prepare.main([])
  assert capsys.readouterr().err == (
    'error: no command: give one of folder, owdfa, owdfapp, owdfa40; see '
    '`python -m input_pipeline.prepare --help`\n'
  )
