"""The shell commands of the pages work.

Commands that can run here are executed in order, on tiny images and with tiny
settings. The others get as far as a missing input: their flags are known, their
config loads. `OUTSIDE` are commands of other programs.
"""

import os
import re
import subprocess
import sys

import cv2
import pytest

from helpers import doc_pages, imagesets, trees
from helpers.paths import ROOT

README, DATA, TRAINING, OWDFA, OWDFA40 = (
  ROOT / name
  for name in (
    'README.md',
    'docs/data.md',
    'docs/training.md',
    'docs/owdfa.md',
    'docs/owdfa40.md',
  )
)
OUTSIDE = ('.', 'curl', 'for', 'git', 'hf', 'make', 'pip')
# Words of commands that are not executed: they need the published datasets, the
# VAE images, Apache Beam, a bucket, or hours.
NOT_HERE = re.compile(
  r':(owdfa|simulated)|samples|vae|diffusion|--runner|gs://'
)
# Minutes: `make test-all` executes them.
SLOW = re.compile(r'--mode=timing|staged\.py|attribute_timing')
# It needs no data, and takes minutes: tests/training/test_compare_steps.py.
ELSEWHERE = 'compare_steps'
TINY = {
  'main.py': (
    '--config.model.width=0.125',
    '--config.batch_size=16',
    '--config.epochs=1',
    '--config.eval.batch_size=16',
    '--config.log.tensorboard=False',
    '--config.log.page=False',
  ),
  'input_pipeline.pack': ('--size=32', '--crop=none', '--workers=1'),
  'input_pipeline.pack_timing': ('--limit=2', '--size=32'),
  'owdfa_jax.inference.attribute_timing': ('--rounds=1', '--batch_size=16'),
  'owdfa_jax.soak': ('--kinds=simulate', '--kills=1'),
  'input_pipeline.simulate': ('--images_per_class=8', '--size=32'),
}
TINY_STAGES = (
  '--config.stages.pretrain_epochs=1',
  '--config.stages.rounds=1',
  '--config.stages.round_epochs=1',
)


def program(words):
  """The module or script of a Python command; '' for another program."""
  if words[0] != 'python':
    return ''
  return words[2] if words[1] == '-m' else words[1]


def start(words, folder):
  """Runs a command of ours in `folder`; returns the finished process."""
  environment = os.environ | {
    'PYTHONPATH': str(ROOT),
    'JAX_NUM_CPU_DEVICES': '1',
    # A few steps do not repay optimised programs.
    'JAX_DISABLE_MOST_OPTIMIZATIONS': '1',
  }
  if program(words).endswith('.py'):
    words = [words[0], str(ROOT / words[1]), *words[2:]]
  return subprocess.run(
    [sys.executable, *words[1:]],
    cwd=folder,
    env=environment,
    capture_output=True,
    text=True,
  )


def execute(page, folder, *, slow=False, done=()):
  """Executes a page's commands in order, but for those in `done`."""
  executed = list(done)
  for words in doc_pages.commands(page):
    line = ' '.join(words)
    if line in executed or not program(words) or NOT_HERE.search(line):
      continue
    if SLOW.search(line) and not slow:
      continue
    words = [
      word.replace('/data/', f'{folder}/datasets/')
      if word.startswith('/data/')
      else word
      for word in words
    ]
    tiny = TINY.get(program(words), ())
    if words[3:4] and words[3].startswith('owdfa'):
      tiny = (f'--scale={trees.SCALE}',)
    if program(words) == 'main.py' and '--config=' not in line:
      tiny = ()  # the settings are those of the run in the workdir
    if 'staged.py' in line:
      tiny += TINY_STAGES
    result = start([*words, *tiny], folder)
    assert result.returncode == 0, f'{page.name}: {line}\n{result.stderr}'
    executed.append(line)
  return executed


def own_images(folder):
  """The images that the README's commands speak of."""
  for number, name in enumerate(('DeepFaceLab', 'Face2Face', 'StyleGAN2')):
    (folder / 'faces' / name).mkdir(parents=True)
    for i in range(20):
      image = imagesets.image(32, 100 * number + i)
      cv2.imwrite(str(folder / 'faces' / name / f'{i:04d}.png'), image)
  for number, name in enumerate(('FLUX', 'Kolors', 'SANA')):
    (folder / 'images' / name).mkdir(parents=True)
    for i in range(10):
      image = imagesets.image(96, 100 * number + 50 + i)
      cv2.imwrite(str(folder / 'images' / name / f'prompt{i}.png'), image)
  (folder / 'new_images').mkdir()
  cv2.imwrite(str(folder / 'new_images' / '1.png'), imagesets.image(40, 999))


def test_own_images(tmp_path):
  own_images(tmp_path)
  done = execute(README, tmp_path)
  done = execute(DATA, tmp_path, done=done)
  execute(TRAINING, tmp_path, done=done)
  run = tmp_path / 'runs' / 'mine'
  assert {path.name for path in run.iterdir()} >= {
    'report.json',
    'attributions.csv',
    'metrics.jsonl',
    'checkpoints',
    'config.json',
    'new_attributions.csv',
  }
  lines = (run / 'new_attributions.csv').read_text().splitlines()
  assert len(lines) == 2
  assert lines == (tmp_path / 'sources.csv').read_text().splitlines()


@pytest.mark.slow
def test_own_images_slow(tmp_path):
  own_images(tmp_path)
  execute(README, tmp_path)
  execute(TRAINING, tmp_path, slow=True)


def test_owdfa(tmp_path):
  datasets = trees.write_owdfa(tmp_path / 'datasets' / 'faces')
  table = (ROOT / 'input_pipeline' / 'benchmarks' / 'df3.json').read_text()
  trees.write_df3(datasets, re.findall(r'"folder": "([^"]+)"', table))
  execute(OWDFA, tmp_path)
  packed = {path.name for path in (tmp_path / 'data/packed').glob('owdfa?')}
  assert packed == {'owdfa1', 'owdfa2', 'owdfa4'}


def test_owdfa40(tmp_path):
  trees.write_owdfa40(tmp_path / 'datasets' / 'OWDFA40-Benchmark')
  execute(OWDFA40, tmp_path)
  assert (tmp_path / 'data' / 'packed' / 'owdfa40_1').is_dir()


def not_executed():
  """The commands of ours that `make test` does not execute, by their text."""
  found = {}
  for page in doc_pages.PAGES:
    for words in doc_pages.commands(page):
      line = ' '.join(words)
      if not program(words) or program(words).startswith('docs/'):
        continue
      if ELSEWHERE in line:
        continue
      if NOT_HERE.search(line) or SLOW.search(line):
        found[line] = words
  return found


@pytest.mark.parametrize('line', not_executed())
def test_command_is_understood(line, tmp_path):
  """It ends at the first input that is not here, not at its flags."""
  result = start(not_executed()[line], tmp_path)
  assert result.returncode == 1, result.stderr
  message = result.stderr.splitlines()
  assert len(message) == 1 and message[0].startswith('error: '), result.stderr
  assert re.search(
    r'no such folder|no data directory|cannot read|cannot use gs://|no run: ',
    message[0],
  ), message[0]


@pytest.mark.parametrize(
  'page', doc_pages.PAGES, ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_other_programs_and_files(page):
  makefile = (ROOT / 'Makefile').read_text()
  for words in doc_pages.commands(page):
    if words[0] == 'make':
      for target in words[1:]:
        assert re.search(rf'^{target}:', makefile, re.MULTILINE), words
    elif words[0] == 'pip' and '-r' in words:
      assert (ROOT / words[words.index('-r') + 1]).is_file(), words
    elif words[0] not in ('python', 'owdfa', '.venv/bin/pre-commit'):
      assert words[0] in OUTSIDE, words
    if program(words).endswith('.py'):
      assert (ROOT / program(words)).is_file(), words


def test_every_page_with_commands_is_covered():
  """A page whose commands no test executes would go stale."""
  executed = {README, DATA, TRAINING, OWDFA, OWDFA40}
  for page in doc_pages.PAGES:
    ours = [' '.join(w) for w in doc_pages.commands(page) if program(w)]
    elsewhere = [
      line
      for line in ours
      if not NOT_HERE.search(line)
      and line
      not in {' '.join(w) for p in executed for w in doc_pages.commands(p)}
    ]
    assert page in executed or not elsewhere, (page.name, elsewhere)
