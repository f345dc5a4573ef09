"""The page of a run: what is on it, and that no name becomes markup."""

import json
import pathlib
import re

import numpy as np
import pytest

from helpers.page_runs import HOSTILE, Reader, keep_images, write_run
from input_pipeline.errors import UserError
from owdfa_jax.evaluation.selection import LAST_EPOCH
from owdfa_jax.evaluation.unseen_report import score_histogram
from owdfa_jax.page.content import checkpoint_in_words, clean_name
from owdfa_jax.page.galleries import chosen_of_clusters
from owdfa_jax.page.run_files import read_run
from owdfa_jax.page.write_page import write_page


def read_page(path):
  reader = Reader()
  reader.feed(path.read_text())
  reader.close()
  assert not reader.open
  return reader


def make_page(folder, **changes):
  run = read_run(folder)
  return write_page(run, folder, **{'dataset': None, **changes})


@pytest.fixture(scope='module')
def hostile(tmp_path_factory):
  """A page of a run with hostile names, compared with another run."""
  root = tmp_path_factory.mktemp('<b>root')
  write_run(root / 'run', HOSTILE)
  write_run(root / 'other', HOSTILE, seed=1)
  run = read_run(root / 'run')
  keep_images(run)
  other = read_run(root / 'other', HOSTILE[0])
  stages = {HOSTILE[1]: run.report}
  path = make_page(root / 'run', other=other, stages=stages)
  return read_page(path), path


def test_hostile_names_add_no_element(hostile):
  page, path = hostile
  assert 'script' not in page.tags
  assert page.tags.count('style') == 1 + path.read_text().count('<svg')
  assert not [key for key, _ in page.attributes if key.startswith('on')]
  # What a browser would load: nothing but what is in the file.
  loaded = [v for k, v in page.attributes if k in ('src', 'href', 'xlink:href')]
  assert all(value.startswith(('data:image/', '#')) for value in loaded)
  assert '49' not in [text.strip() for text in page.text.split()]


def test_hostile_names_are_shown_as_text(hostile):
  page, path = hostile
  for name in HOSTILE:
    assert clean_name(name) in page.text
  assert '\u202e' not in path.read_text() and '\\u202e' in page.text
  assert [v for k, v in page.attributes if k == 'alt' and HOSTILE[1] in v]


def test_both_runs_are_compared_in_words(hostile):
  text = ' '.join(hostile[0].text.split())
  assert 'Both runs have answers for 60 images. The first run alone is' in text
  assert re.search(r'first: [+−]\d+\.\d points \(95 % interval −\d', text)


def test_hostile_names_make_no_files_elsewhere(hostile):
  _, path = hostile
  names = {file.name for file in (path.parent / 'page').iterdir()}
  assert {'confusion.svg', 'map-name.svg', 'scores.svg', 'name-0.png'} <= names
  assert all(
    name.rpartition('.')[0].replace('-', '').isalnum() for name in names
  )


def test_ids_are_those_of_one_element(hostile):
  page, _ = hostile
  ids = [value for key, value in page.attributes if key == 'id']
  assert len(ids) == len({*ids})
  links = {v[1:] for k, v in page.attributes if k == 'href' and v[0] == '#'}
  assert links <= {*ids}


def test_pictures_follow_the_page_into_the_dark(hostile):
  _, path = hostile
  text = path.read_text()
  assert 'var(--ink)' in text and 'prefers-color-scheme: dark' in text
  # Each colour that a picture takes from the page has a light and a dark form.
  for name in {*re.findall(r'var\((--[a-z0-9-]+)\)', text)} - {'--inches'}:
    assert len(re.findall(f'{name}:', text)) == 2, name
  # In the files the colours are colours, on white.
  file = (path.parent / 'page' / 'confusion.svg').read_text()
  assert 'var(--' not in file and '#ffffff' in file


def test_page_says_what_the_report_does(tmp_path):
  report = write_run(tmp_path / 'mine')
  page = read_page(make_page(tmp_path / 'mine'))
  low, high = report['intervals']['figures']['all_acc']
  for text in (
    f'{100 * report["all_acc"]:.1f}',
    f'{100 * low:.1f} – {100 * high:.1f}',
    '48 test images',
    'Not on this page: the images and the fingerprints (the packed data was',
    'novel-2',
  ):
    assert text in page.text
  assert 'img' not in page.tags


@pytest.mark.parametrize(
  'report, words',
  [
    ({'checkpoint': 'best', 'selected_by': LAST_EPOCH}, 'last epoch, step 7'),
    ({'checkpoint': 'best', 'selected_by': 'all_nmi'}, 'best epoch, step 7'),
    ({'checkpoint': 'latest'}, 'latest, step 7'),
    ({'checkpoint': '7'}, 'step 7'),
  ],
)
def test_the_head_says_which_checkpoint(report, words):
  assert checkpoint_in_words({'checkpoint_step': 7, **report}) == words


def test_page_has_the_images_of_each_name(tmp_path):
  write_run(tmp_path / 'mine')
  run = read_run(tmp_path / 'mine')
  keep_images(run)
  path = make_page(tmp_path / 'mine')
  page = read_page(path)
  shown = [v for k, v in page.attributes if k == 'alt']
  for kinds in chosen_of_clusters(run.verdicts).values():
    for place in [*kinds[0], *kinds[1]]:
      assert run.verdicts.image[place] in shown
  assert path.stat().st_size < 2_000_000


def test_reports_of_earlier_versions_have_a_page(tmp_path):
  write_run(tmp_path / 'mine')
  path = tmp_path / 'mine' / 'report.json'
  report = json.loads(path.read_text())
  for name in ('intervals', 'reliability', 'unseen', 'robustness', 'macro_f1'):
    del report[name]
  path.write_text(json.dumps(report))
  (tmp_path / 'mine' / 'metrics.jsonl').unlink()
  page = read_page(make_page(tmp_path / 'mine'))
  assert page.tags.count('svg') == 1  # the confusions alone
  text = ' '.join(page.text.split())
  for part in (
    'the intervals and some figures (this run was evaluated by an earlier',
    'the accuracy by confidence (this run was evaluated by an earlier version)',
    'the unseen scores, and whether these images differ from those of the '
    'training (this run was evaluated by an earlier version). owdfa eval '
    '--workdir=mine adds what is missing.',
    'the map (the packed data or the checkpoint was not at hand). owdfa report '
    'mine --data DIR adds what is missing; DIR is the folder of its packed '
    'data',
    'owdfa eval --workdir=mine --config.eval.robustness=True adds',
    'curves need two evaluated epochs; metrics.jsonl has none).',
  ):
    assert part in text
  links = {value for key, value in page.attributes if key == 'href'}
  assert {'#curves', '#reliability', '#scores', '#map', '#robustness'} <= links


def test_a_whole_page_lacks_nothing(hostile):
  assert 'Not on this page' not in hostile[0].text


def test_nothing_is_missing_of_a_spectrum_that_no_spectrum_has(tmp_path):
  write_run(tmp_path / 'mine', robustness=[])
  path = tmp_path / 'mine' / 'config.json'
  config = json.loads(path.read_text()) | {'spectrum': {}}
  path.write_text(json.dumps(config))
  (tmp_path / 'mine' / 'metrics.jsonl').unlink()
  text = read_page(make_page(tmp_path / 'mine')).text
  for part in ('Map of features', 'Robustness', 'Training'):
    assert part not in text


def test_pictures_that_a_page_has_no_more_are_removed(tmp_path):
  write_run(tmp_path / 'mine')
  make_page(tmp_path / 'mine')
  pictures = tmp_path / 'mine' / 'page'
  for name in ('map', 'mine'):
    (pictures / f'{name}.svg').write_text('')
  write_run(tmp_path / 'mine', robustness=[])
  make_page(tmp_path / 'mine')
  left = {path.stem for path in pictures.glob('*.svg')}
  assert left == {'confusion', 'curves', 'reliability', 'scores', 'mine'}


def test_what_is_wide_scrolls_in_its_own_box(hostile):
  page, path = hostile
  boxes = [v for k, v in page.attributes if k == 'class' and 'scroll' in v]
  assert len(boxes) == page.tags.count('table') + 1
  # Each can be reached, and scrolled, with the keyboard.
  assert [k for k, _ in page.attributes].count('tabindex') == len(boxes)
  text = path.read_text()
  assert ':focus-visible { outline' in text and '.scroll {' in text


@pytest.mark.parametrize(
  'unseen, words',
  [
    ({'threshold': None}, 'too few images to set a threshold'),
    ({'threshold': 1.0}, 'happens to about 5 % of the images of sources'),
  ],
)
def test_page_says_what_none_of_these_means(tmp_path, unseen, words):
  histogram = score_histogram(np.arange(9.0))
  section = {'false_alarm_rate': 0.05, 'histogram': histogram, **unseen}
  write_run(tmp_path / 'mine', unseen=section)
  text = ' '.join(read_page(make_page(tmp_path / 'mine')).text.split())
  assert words in text
  assert 'is a matter of distance' in text
  assert 'It does not say that an image is real.' in text


@pytest.mark.parametrize(
  'unseen, words',
  [
    ({'none_of_these': 0.5}, 'training: 50.00 % of them are called none of'),
    (
      # By an earlier version, whose threshold is of the test images.
      {'none_of_these': 0.5, 'threshold_set_on': 'test images'},
      'Not on this page: whether these images differ from those of the '
      'training (this run was evaluated by an earlier version). owdfa eval '
      '--workdir=mine',
    ),
  ],
)
def test_page_says_that_images_differ(tmp_path, unseen, words):
  report = write_run(tmp_path / 'mine')
  write_run(tmp_path / 'mine', unseen=report['unseen'] | unseen)
  text = ' '.join(read_page(make_page(tmp_path / 'mine')).text.split())
  assert words in text
  assert ('These images differ' in text) == ('Not on' not in words)


def test_page_says_why_there_is_no_temperature(tmp_path):
  # By an earlier version, which used it.
  section = {'temperature': 0.02, 'expected_accuracy': 0.7048}
  write_run(tmp_path / 'mine', calibration=section)
  text = ' '.join(read_page(make_page(tmp_path / 'mine')).text.split())
  assert 'without a temperature: the fit of the temperature stopped at' in text


def test_page_has_the_calibration_with_and_without_the_temperature(tmp_path):
  section = {
    'temperature': 1.5,
    'expected_accuracy': 0.7048,
    'expected_calibration_error': 0.1234,
    'reliability': None,
  }
  report = write_run(tmp_path / 'mine', calibration=section)
  text = ' '.join(read_page(make_page(tmp_path / 'mine')).text.split())
  without = 100 * report['expected_calibration_error']
  assert re.search(rf'without a temperature ?{without:.1f}', text)
  assert re.search(r'with the temperature ?12\.3', text)
  assert 'those of new images have a temperature of 1.50' in text


def test_commands_have_the_name_of_the_run_and_one_style(tmp_path):
  write_run(tmp_path / 'my <run>', heap=True)
  run = read_run(tmp_path / 'my <run>')
  warning = 'a warning; `owdfa eval --workdir=RUN` helps'
  run.report['heap']['warnings'] = [warning]
  page = write_page(run, run.workdir, dataset=None).read_text()
  assert '`' not in page[page.index('<main') :]
  code = '<code><span>owdfa</span> <span>eval</span> <span>--workdir=&#39;my '
  assert f'a warning; {code}&lt;run&gt;&#39;</span></code> helps' in page


def test_page_of_a_heap_shows_where_its_images_went(tmp_path):
  write_run(tmp_path / 'mine', heap=True, robustness=[])
  keep_images(read_run(tmp_path / 'mine'))
  page = read_page(make_page(tmp_path / 'mine'))
  assert 'a warning of the heap' in page.text
  assert 'no true class' in page.text and 'n/a' in page.text
  text = ' '.join(page.text.split())
  assert '(the true source of 24 test images is unknown)' in text
  why = '24 of the test images have no true class, so figures that need one'
  assert f'{why} are n/a' in text
  assert re.search(r'of the \d+ whose source is known are [ab]', text)
  # All ACC is not available, and so not among the curves.
  assert 'by the network' in text and 'diamond' not in text


def test_page_of_true_classes_gives_no_reason_for_missing_figures(tmp_path):
  write_run(tmp_path / 'mine')
  text = read_page(make_page(tmp_path / 'mine')).text
  assert 'no true class' not in text and 'The diamond is All ACC' in text


def test_bounds_beside_the_run_are_drawn(tmp_path):
  write_run(tmp_path / 'mine')
  write_run(tmp_path / 'bound', all_acc=0.875)
  config = tmp_path / 'bound' / 'config.json'
  settings = json.loads(config.read_text())
  settings['method'] = {'name': 'supervised'}
  settings['data']['supervision'] = 'all'
  config.write_text(json.dumps(settings))
  assert 'upper bound' in make_page(tmp_path / 'mine').read_text()
  # Of other data it is no bound.
  settings['packed']['records'] = 'other'
  config.write_text(json.dumps(settings))
  assert 'upper bound' not in make_page(tmp_path / 'mine').read_text()


def test_images_of_another_evaluation_are_not_shown(tmp_path):
  write_run(tmp_path / 'mine')
  keep_images(read_run(tmp_path / 'mine'))
  write_run(tmp_path / 'mine', seed=5)
  assert 'img' not in read_page(make_page(tmp_path / 'mine')).tags


@pytest.mark.parametrize(
  'name, content, words',
  [
    ('report.json', '{"all_acc": NaN}', 'a damaged file'),
    ('report.json', '[]', 'not an object'),
    ('report.json', '{"per_class": 1}', 'files that do not match'),
    ('attributions.csv', 'image\nx\n', 'files that do not match'),
    ('attributions.csv', '', 'there are no images'),
    ('config.json', None, 'no evaluation to show'),
  ],
)
def test_damaged_files_are_one_line(tmp_path, name, content, words):
  write_run(tmp_path / 'mine')
  path = pathlib.Path(tmp_path / 'mine' / name)
  if content is None:
    path.unlink()
  else:
    path.write_text(content)
  with pytest.raises(UserError, match=words) as raised:
    read_run(tmp_path / 'mine')
  assert '\n' not in str(raised.value)
