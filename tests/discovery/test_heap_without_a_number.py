"""Trace on a heap whose number of sources nobody gives, from image files on."""

import json

import cv2
import pytest

from helpers.csv_files import read_csv
from helpers.killed_commands import run_command
from helpers.waves import SIZE, wave_image
from input_pipeline import folder, pack

# Four commands in processes of their own.
pytestmark = pytest.mark.slow
SETTINGS = (
  '--config.model.width=0.125',
  '--config.batch_size=16',
  '--config.eval.batch_size=16',
  '--config.epochs=1',
  '--config.passes_per_epoch=2',
  '--config.log.tensorboard=False',
  '--config.log.page=False',
)


def write_waves(root, sources, count, start=0):
  for source in sources:
    (root / f's{source}').mkdir(parents=True)
    for number in range(start, start + count):
      image = wave_image(source, 1000 * source + number)
      cv2.imwrite(str(root / f's{source}' / f'{number}.png'), image[..., ::-1])


@pytest.fixture(scope='module')
def heap(tmp_path_factory):
  """Three known sources, and a heap with images of these and of two others."""
  root = tmp_path_factory.mktemp('heap')
  write_waves(root / 'known', range(3), 40)
  write_waves(root / 'mixed', range(5), 30, start=100)
  folder.prepare_folder(
    root / 'known',
    ['s0', 's1', 's2'],
    root / 'meta',
    unlabelled=root / 'mixed',
  )
  table = root / 'meta' / 'meta.csv'
  pack.pack(table, root / 'packed', pack.Options(size=SIZE), workers=1)
  return root


def test_trained_resumed_evaluated_and_attributed(heap, tmp_path):
  workdir = tmp_path / 'run'
  where = (
    '--config=configs/trace.py:folder64',
    f'--config.data.path={heap / "packed"}',
    f'--workdir={workdir}',
    *SETTINGS,
  )
  trained = run_command(where)
  assert trained.returncode == 0, trained.stderr
  assert 'estimated from the spectra of training images' in trained.stdout
  config = json.loads((workdir / 'config.json').read_text())
  number = config['data']['num_classes']
  assert 4 <= number <= 10
  report = json.loads((workdir / 'report.json').read_text())
  assert report['heap']['num_outputs'] == number
  assert report['classified_by'] == 'centres'
  assert report['all_acc'] is None and report['num_without_truth'] > 0
  assert report['unseen']['threshold_set_on'] == 'unlabelled training images'
  for line in read_csv(workdir / 'attributions.csv'):
    assert line['verdict'] and line['unseen_score']
    assert line['unseen_threshold']

  # The same command again estimates nothing and changes nothing.
  again = run_command(where)
  assert again.returncode == 0, again.stderr
  assert 'estimated' not in again.stdout
  # The folder of the run is enough.
  alone = run_command(['--mode=eval', f'--workdir={workdir}'])
  assert alone.returncode == 0, alone.stderr
  assert json.loads((workdir / 'report.json').read_text()) == report

  write_waves(tmp_path / 'new', [0, 4], 8, start=500)
  named = run_command(
    [
      '--mode=attribute',
      f'--workdir={workdir}',
      f'--images={tmp_path / "new"}',
    ]
  )
  assert named.returncode == 0, named.stderr
  lines = read_csv(workdir / 'new_attributions.csv')
  assert len(lines) == 16 and all(line['source'] for line in lines)
