"""The notebook of docs/ runs from its first cell to its last."""

import ast
import json
import shutil

import pytest

from helpers import imagesets
from helpers.paths import ROOT

pytestmark = pytest.mark.usefixtures('quick_compile')
NOTEBOOK = json.loads((ROOT / 'docs' / 'python.ipynb').read_text())


def execute(cell, names):
  """Runs a cell; returns the value of its last line, None for a statement."""
  *body, last = ast.parse(''.join(cell['source'])).body
  if not isinstance(last, ast.Expr):
    body, last = [*body, last], None
  exec(compile(ast.Module(body, []), 'cell', 'exec'), names)
  if last is None:
    return None
  return eval(compile(ast.Expression(last.value), 'cell', 'eval'), names)


def test_it_runs(trained, tmp_path, monkeypatch, capsys):
  shutil.copytree(trained.workdir, tmp_path / 'runs' / 'mine')
  imagesets.write_set(tmp_path / 'set', known=1, novel=0, per_class=3, size=48)
  shutil.copytree(tmp_path / 'set' / '0', tmp_path / 'new_images')
  monkeypatch.chdir(tmp_path)
  names = {}
  cells = [c for c in NOTEBOOK['cells'] if c['cell_type'] == 'code']
  assert not any(cell['outputs'] for cell in cells)
  run, classes, _, best, table, verdicts, (source, shape) = [
    execute(cell, names) for cell in cells
  ]
  assert repr(run).startswith('TrainedRun(')
  assert classes == (('m0', 'm1'), ('novel-2', 'novel-3'))
  assert best[0] == (table['source'][0], table['confidence'][0])
  assert len(table) == 4 and (tmp_path / 'sources.csv').exists()
  assert verdicts.total() == 3
  assert source == table['source'][0] and shape[0] == 2
  printed = capsys.readouterr().out.splitlines()
  assert len(printed) == 4 and 'No such file' in printed[3]
