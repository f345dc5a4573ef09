"""The page of a run whose clusters have names."""

import csv
import json

import numpy as np
import pytest

from helpers.page_runs import HOSTILE, Reader, keep_images, write_run
from owdfa_jax.commands import names
from owdfa_jax.page.galleries import by_name, read_gallery
from owdfa_jax.page.run_files import read_run
from owdfa_jax.page.write_page import write_page


@pytest.fixture
def run(tmp_path):
  """A run with five clusters, of which three get names, two of them one."""
  folder = tmp_path / 'run'
  write_run(folder, tuple('abcdefg'))
  keep_images(read_run(folder))
  names.main([str(folder), '3=X', '5=X', f'6={HOSTILE[0]}'])
  return folder


def test_clusters_of_a_name_are_one_entry(run):
  found = read_run(run)
  raw = found.verdicts.output
  # Of a page before the names were given.
  (run / 'page').mkdir()
  (run / 'page' / 'name-5.png').touch()
  assert found.named.output.tolist() == [{5: 3}.get(k, k) for k in raw]
  page = write_page(found, run, dataset=None).read_text()
  reader = Reader()
  reader.feed(page)
  count = int(np.isin(raw, [3, 5]).sum())
  assert f'X (novel-3, novel-5) {count} images' in ' '.join(reader.text.split())
  assert 'confidences are those of single clusters' in reader.text
  assert (run / 'page' / 'name-3.png').exists()
  assert not (run / 'page' / 'name-5.png').exists()


def test_hostile_names_are_text(run):
  page = write_page(read_run(run), run, dataset=None).read_text()
  reader = Reader()
  reader.feed(page)
  assert 'script' not in reader.tags
  assert f'{HOSTILE[0]} (novel-6)' in reader.text


def test_spectrum_of_a_name_is_that_of_its_images(run):
  found = read_run(run)
  gallery = read_gallery(found, 7)
  named = by_name(gallery, found)
  assert named.output.tolist() == [0, 1, 2, 3, 4, 6]
  sizes = [(found.verdicts.output == k).sum() for k in (3, 5)]
  np.testing.assert_allclose(
    named.spectrum[3],
    np.average(gallery.spectrum[[3, 5]], axis=0, weights=sizes),
  )


def test_a_table_with_the_names_decides_the_name(run):
  """Its first image is of output 0; the sum of 3 and 5 is more probable."""
  path = run / 'attributions.csv'
  with open(path, newline='') as file:
    header, *lines = csv.reader(file)
  output = [int(line[3]) for line in lines]
  for line, k in zip(lines, output, strict=True):
    line[1] = {3: 'X', 5: 'X', 6: HOSTILE[0]}.get(k, line[1])
  changed = output.index(0)
  lines[changed][1] = 'X'
  with open(path, 'w', newline='') as file:
    csv.writer(file).writerows([header, *lines])
  report = json.loads((run / 'report.json').read_text())
  report['names'] = {'novel-3': 'X', 'novel-5': 'X', 'novel-6': HOSTILE[0]}
  (run / 'report.json').write_text(json.dumps(report))
  found = read_run(run)
  assert found.adds_up
  assert found.named.output[changed] == 3
  assert found.verdicts.output[changed] == 0
  assert found.verdicts.name[0] == 'a' and found.verdicts.name[3] == 'novel-3'
  # Without the file, outputs have their own names again.
  (run / 'names.json').unlink()
  plain = read_run(run)
  assert plain.named.name[3] == 'novel-3'
  assert plain.named.output.tolist() == output


def test_the_head_says_which_clusters_are_split(run):
  path = run / 'names.json'
  content = json.loads(path.read_text())
  content['names'] |= {'novel-4.1': 'IMQ', 'novel-4.2': ''}
  path.write_text(json.dumps(content))
  reader = Reader()
  reader.feed(write_page(read_run(run), run, dataset=None).read_text())
  assert (
    'for new images alone, novel-4 into IMQ and novel-4.2; the tables of test '
    'images keep the cluster whole'
  ) in ' '.join(reader.text.split())
