"""`owdfa discover`: what it decides, what it refuses, and how it goes on."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from helpers import imagesets
from helpers.discoveries import opened, write_images
from helpers.paths import ROOT
from input_pipeline.output_folders import temporary_folder
from owdfa_jax.commands import discover
from owdfa_jax.commands.discover_plan import (
  decision_lines,
  packing_options,
  training_config,
)


@pytest.fixture
def images(tmp_path, monkeypatch):
  """Folders `known` and `heap` in the working directory."""
  monkeypatch.chdir(tmp_path)
  write_images(tmp_path)
  return tmp_path


def command(*words, known='known', images='heap', out='run'):
  """Runs the command with usual folders; None leaves an option out."""
  given = {'--known': known, '--images': images, '--out': out}
  argv = [w for k, v in given.items() if v is not None for w in (k, v)]
  discover.main([*argv, *words])


def error_of(capsys, *words, **given):
  with pytest.raises(SystemExit) as ended:
    command(*words, **given)
  error = capsys.readouterr().err.splitlines()
  assert ended.value.code in (1, 2) and len(error) == 1
  return error[0]


@pytest.mark.parametrize(
  'words, given, error',
  [
    ((), {'known': None}, 'give either --known or --workdir'),
    (('--workdir=x',), {}, 'give either --known or --workdir'),
    (('--clusters=3',), {}, '--clusters does not go with --known'),
    # Also with the value that it has by itself.
    (
      ('--workdir=gone', '--size=64'),
      {'known': None},
      '--size does not go with --workdir',
    ),
    (
      ('--workdir=x', '--rounds'),
      {'known': None},
      '--rounds does not go with --workdir',
    ),
    (('--epochs=3',), {}, 'unknown option: --epochs=3'),
    (('--config.epochs',), {}, 'no value: --config.epochs'),
    (('--config.epoch=3',), {}, 'did you mean epochs?'),
    (('--config.epohs=3',), {'images': None}, '--config.epohs=3'),
    (('--tils=3',), {'images': None}, 'did you mean --tiles?'),
    (('--config.epochs=x',), {}, 'a value does not fit: --config.epochs=x'),
    (('--config.data.path=x',), {}, 'a setting of the discovery itself'),
    (('--size=0',), {}, '--size=0'),
    (('--tiles=2', '--crop=opencv'), {}, 'does not go with --crop=opencv'),
    ((), {'images': 'gone'}, 'no such file or folder: gone'),
    ((), {'images': 'known'}, 'known images in the heap: 8 of --images'),
    ((), {'known': 'gone'}, 'no such folder: '),
    ((), {'known': 'heap/2'}, 'no class folders in '),
    ((), {'out': 'heap/run'}, 'the run would lie among the images'),
    ((), {'out': 'known'}, 'was not begun by `owdfa discover`'),
    (('--workdir=gone',), {'known': None}, 'no run: gone does not exist'),
    (
      ('--workdir=gone', '--clusters=0'),
      {'known': None},
      'out of range: --clusters=0',
    ),
    (
      ('--workdir=gone',),
      {'known': None, 'out': 'heap'},
      'the folder exists: --out=heap',
    ),
  ],
)
def test_mistakes_are_one_line(images, capsys, words, given, error):
  assert error in error_of(capsys, *words, **given)
  assert not (images / 'run').exists()


def test_a_run_without_its_flag_is_seen(images, capsys):
  (images / 'mine').mkdir()
  (images / 'mine' / 'config.json').write_text('{}')
  error = error_of(capsys, 'mine', known=None)
  assert 'mine is the folder of a run; did you mean --workdir=mine?' in error
  # What is written may be a run already.
  error = error_of(capsys, known=None, out='mine')
  assert 'give either --known or --workdir' in error


def test_an_empty_heap(images, capsys):
  (images / 'empty').mkdir()
  assert 'no images: empty' in error_of(capsys, images='empty')


def test_one_known_source_needs_the_number(images, capsys):
  shutil.rmtree(images / 'known' / '1')
  assert 'too few known sources' in error_of(capsys)
  opened(settings=('data.num_classes=3',))


@pytest.mark.parametrize(
  'name', ['novel-7', 'Novel-12.1', 'None of these', 'Unreadable']
)
def test_a_known_source_is_not_called_as_found_ones(images, capsys, name):
  (images / 'known' / '1').rename(images / 'known' / name)
  error = error_of(capsys)
  assert f'not a name for a known source: --known={images}/known has' in error
  assert f"rename it, such as to '{name} (known)'" in error
  (images / 'known' / name).rename(images / 'known' / f'{name} (known)')
  opened()


def test_too_few_images(images, capsys):
  for number in range(2, 4):
    for path in images.glob(f'*/*/{number}.png'):
      path.unlink()
  for path in images.glob('heap/3/*'):
    path.unlink()
  assert 'too few images' in error_of(capsys)


def test_a_heap_of_copies_has_nothing_to_discover(images, capsys):
  shutil.rmtree(images / 'heap')
  shutil.copytree(images / 'known' / '0', images / 'heap')
  assert 'of a known one (4 in all); give other' in error_of(capsys)
  shutil.copy(images / 'all' / '2' / '0.png', images / 'heap' / 'new.png')
  opened()


@pytest.mark.parametrize(
  'place, option',
  [('known/0', '--known'), ('known', '--known'), ('heap', '--images')],
)
def test_videos_are_refused_by_name(images, capsys, place, option):
  (images / place / 'clip.MP4').write_bytes(b'x')
  error = error_of(capsys)
  assert f'videos, not images: {option} has 1, such as {images}' in error
  assert 'clip.MP4; put frames of them' in error


def test_other_files_of_known_sources_are_counted(images, capsys):
  (images / 'known' / '0' / 'notes.txt').write_text('x')
  opened()
  assert 'skipped, not images: 1 .txt' in capsys.readouterr().out


def test_decisions_are_told_and_kept(images, capsys):
  discovery = opened()
  assert 'images in the heap' in capsys.readouterr().out
  first, method, crop = decision_lines(discovery)
  assert first.startswith('the network sees whole images, resized to 16: half')
  assert method == 'method: Trace, small network' and '--crop=opencv' in crop
  assert packing_options(discovery.record).tiles == 0
  for path in images.glob('heap/*/*'):
    shutil.copy(images / 'known' / '0' / '0.png', path.with_suffix('.bak'))
  # The same images: nothing is decided, and nothing said, a second time.
  for path in images.glob('heap/*/*.bak'):
    path.unlink()
  assert opened().record == discovery.record
  assert capsys.readouterr().out == ''


def test_options_override_the_rule(images):
  discovery = opened(tiles_given=2, size=8, rounds=True)
  assert packing_options(discovery.record).tiles == 2
  assert (
    decision_lines(discovery)[1] == 'method: Trace in rounds, small network'
  )
  assert 'stages' in training_config(discovery.record)


def test_tiles_are_cut_from_larger_images(images):
  assert opened(size=8).record.tiles == 4


def test_the_settings_are_those_of_the_network_and_the_user(images):
  large = opened(size=128, settings=('epochs=3',))
  config = training_config(large.record)
  assert config.model.backbone == 'resnet50' and config.epochs == 3
  assert config.eval.classify_by == 'centres'


@pytest.mark.parametrize(
  'change, error',
  [
    (lambda folder: (folder / 'heap/2/0.png').unlink(), '8 files, now 7 files'),
    (
      lambda folder: (folder / 'known/0/0.png').write_bytes(b'x'),
      'changed images: --known=',
    ),
  ],
)
def test_other_images_are_refused(images, capsys, change, error):
  opened().packed.mkdir(parents=True)
  change(images)
  assert error in error_of(capsys, '--size=16')


def test_other_options_are_refused(images, capsys):
  opened().packed.mkdir(parents=True)
  assert 'begun with --size=16, now it is 64' in error_of(capsys)
  text = (images / 'run' / 'discover.json').read_text()
  (images / 'run' / 'discover.json').write_text(text[:40])
  assert 'damaged file: ' in error_of(capsys)


def test_a_corrected_command_begins_anew_if_nothing_is_packed(images, capsys):
  first = opened(tiles_given=9)
  first.meta_csv.parent.mkdir()
  first.meta_csv.write_text('of the first')
  second = opened(size=8)
  assert 'nothing was packed, so it begins anew' in capsys.readouterr().out
  assert not first.meta_csv.exists()
  assert second.record.size == 8 and second.record.reason != 'as --tiles says'
  assert opened(size=8).record == second.record


def test_options_may_not_change_while_another_process_packs(images, capsys):
  first = opened()
  with temporary_folder(first.packed):
    assert 'begun with --size=16, now it is 64' in error_of(capsys)


def test_settings_may_change_until_the_run_is_complete(images, capsys):
  opened(settings=('on_divergence=stop',))
  changed = opened(settings=('on_divergence=skip',))
  assert opened(settings=('on_divergence=skip',)).record == changed.record
  (images / 'run' / 'report.json').write_text('{}')
  error = error_of(capsys, '--size=16')
  # As they are to be typed.
  given = 'trained with --config.on_divergence=skip; give the same'
  assert 'the run is complete' in error and given in error


@pytest.mark.slow
def test_from_folders_to_new_sources(images):
  """The whole of it, and then new images with the run."""
  shutil.rmtree(images / 'known')
  shutil.rmtree(images / 'heap')
  for name, first in ('known', 0), ('heap', 3):
    imagesets.write_set(
      images / 'set' / name, known=0, novel=first + 3, per_class=12, size=32
    )
    for label in range(first, first + 3):
      shutil.move(
        images / 'set' / name / str(label), images / name / str(label)
      )
  (images / 'heap' / 'broken.png').write_bytes(b'\x89PNG\r\n\x1a\n')
  (images / 'heap' / 'notes.txt').write_text('x')

  def owdfa(*words):
    # No limit: on a busy machine this takes minutes.
    return subprocess.run(
      [sys.executable, '-m', 'owdfa_jax.commands.owdfa', 'discover', *words],
      cwd=images,
      env=os.environ | {'PYTHONPATH': str(ROOT), 'JAX_NUM_CPU_DEVICES': '1'},
      capture_output=True,
      text=True,
    )

  words = (
    *('--known', 'known', '--images', 'heap', '--out', 'run', '--size', '32'),
    *('--config.epochs=1', '--config.passes_per_epoch=2'),
    *('--config.model.width=0.125', '--config.eval.batch_size=16'),
  )
  ended = owdfa(*words)
  assert ended.returncode == 0, ended.stderr
  assert 'skipped, not images: 1 .txt' in ended.stdout
  lines = (images / 'run' / 'heap_attributions.csv').read_text().splitlines()
  assert len(lines) == 1 + 36 + 2
  assert (images / 'run' / 'report.html').exists()
  again = owdfa(*words)
  assert again.returncode == 0 and again.stdout.count('complete already') == 4
  (images / 'run' / 'heap_attributions.csv').unlink()
  assert owdfa(*words).returncode == 0
  found = owdfa(
    *('--workdir', 'run', '--images', 'heap/*', '--out', 'new', '--all')
  )
  assert found.returncode == 0, found.stderr
  summary = json.loads((images / 'new' / 'summary.json').read_text())
  assert summary['num_grouped'] == 36 and summary['num_unreadable'] == 1
  estimate = summary['estimated_sources']
  assert estimate['low'] <= estimate['number'] <= estimate['high']
  assert 1 <= len(summary['clusters']) <= estimate['number']
