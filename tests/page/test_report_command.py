"""`owdfa report` on a trained run: with its data, without, and with another."""

import shutil

import pytest
from etils import epath

from owdfa_jax.evaluation import evaluate
from owdfa_jax.page import after_evaluation, feature_map, report_command

pytestmark = pytest.mark.usefixtures('quick_compile')


@pytest.fixture(scope='module')
def reported(trained):
  """The workdir of a run with a page; makes a map with its network."""
  evaluate.evaluate(trained)
  report_command.main([str(trained.workdir)])
  return trained.workdir


def test_page_has_a_map_and_images(reported):
  page = (reported / 'report.html').read_text()
  assert 'by the features of the network' in page
  assert page.count('<img') > 8
  assert {*(reported / 'page').iterdir()} >= {
    reported / 'page' / 'map-source.svg',
    reported / 'page' / 'confusion.svg',
  }


def test_page_of_a_moved_run_needs_no_data(reported, tmp_path, capsys):
  shutil.copytree(reported, tmp_path / 'moved')
  config = tmp_path / 'moved' / 'config.json'
  text = config.read_text()
  path = report_command.read_run(tmp_path / 'moved').config['data']['path']
  config.write_text(text.replace(path, '/not/there'))
  report_command.main([str(tmp_path / 'moved'), f'--out={tmp_path}/x.html'])
  # The map and the galleries lie in the run.
  assert 'fewer pictures' not in capsys.readouterr().out
  page = (tmp_path / 'x.html').read_text()
  assert 'by the features of the network' in page and '<img' in page
  for file in (tmp_path / 'moved').glob('gallery-*.npz'):
    file.unlink()
  report_command.main([str(tmp_path / 'moved'), f'--out={tmp_path}/x.html'])
  out = capsys.readouterr().out
  assert 'the page has fewer pictures: ' in out and '--data DIR' in out


def test_a_map_of_other_test_images_is_made_anew(reported, tmp_path):
  shutil.copytree(reported, tmp_path / 'run')
  (path,) = (tmp_path / 'run').glob('map-*.npz')
  workdir, step = epath.Path(tmp_path / 'run'), int(path.stem.split('-')[1])
  found = feature_map.read_map(workdir, step)
  assert found is not None
  other = found._replace(row=found.row + 10_000)
  feature_map.write_map(workdir, step, other)
  report_command.main([str(workdir)])
  again = feature_map.read_map(workdir, step)
  assert again is not None and again.row.tolist() == found.row.tolist()


def test_two_runs_are_compared(reported, tmp_path):
  out = tmp_path / 'both.html'
  shutil.copytree(reported, tmp_path / 'copy')
  report_command.main([str(reported), f'{tmp_path}/copy', f'--out={out}'])
  assert 'exact test: p = 1, so the difference may be chance' in out.read_text()


def test_a_run_is_not_compared_with_itself(tmp_path, capsys):
  (tmp_path / 'run').mkdir()
  (tmp_path / 'link').symlink_to(tmp_path / 'run')
  with pytest.raises(SystemExit) as stopped:
    report_command.main([f'{tmp_path}/run', f'{tmp_path}/link'])
  assert stopped.value.code == 2
  assert 'the same run twice: ' in capsys.readouterr().err


def test_a_page_that_is_not_named_so_is_refused(tmp_path, capsys):
  (tmp_path / 'run').mkdir()
  with pytest.raises(SystemExit) as stopped:
    report_command.main([f'{tmp_path}/run', f'--out={tmp_path}/x.pdf'])
  assert stopped.value.code == 2
  assert f'--out={tmp_path}/x.pdf; end it with .html' in capsys.readouterr().err


def test_folder_without_a_run_is_one_line(tmp_path, capsys):
  with pytest.raises(SystemExit) as stopped:
    report_command.main([str(tmp_path)])
  assert stopped.value.code == 1
  assert 'no run' in capsys.readouterr().err


def test_page_that_cannot_be_drawn_is_a_warning(trained, monkeypatch, capsys):
  def fail(*_, **__):
    raise OSError('no space left\non device')

  monkeypatch.setattr(after_evaluation, 'report_page', fail)
  config = trained.config.copy_and_resolve_references()
  with config.unlocked():
    config.log.page = True
  after_evaluation.draw_after_evaluation(config, str(trained.workdir))
  (line,) = capsys.readouterr().out.splitlines()
  assert line.startswith('warning: report.html was not drawn (no space left')
  with config.unlocked():
    config.log.page = False
  after_evaluation.draw_after_evaluation(config, str(trained.workdir))
  assert not capsys.readouterr().out
