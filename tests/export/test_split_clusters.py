"""The export of a run whose clusters the user split."""

import dataclasses
import shutil

import numpy as np
import pytest
from etils import epath

import owdfa_jax
from input_pipeline.strict_json import loads
from owdfa_jax.evaluation import cluster_parts, names_file
from owdfa_jax.evaluation.cluster_parts import ClusterParts
from owdfa_jax.evaluation.restore import restore_network
from owdfa_jax.evaluation.seen_sources import ensure_sources
from owdfa_jax.evaluation.sources_file import read_sample
from owdfa_jax.export import describe, export_command
from owdfa_jax.export.exported_files import DESCRIPTION_FILE

pytestmark = pytest.mark.usefixtures('quick_compile')


@pytest.fixture(scope='module')
def split(trained, tmp_path_factory):
  """A copy of a run with a cluster in two parts, and the cluster."""
  folder = tmp_path_factory.mktemp('split') / 'run'
  evaluated = shutil.ignore_patterns('report.json', '*.npz', '*.csv')
  shutil.copytree(trained.workdir, folder, ignore=evaluated)
  experiment = dataclasses.replace(trained, workdir=epath.Path(folder))
  ensure_sources(experiment)
  step = restore_network(experiment).step
  sample = read_sample(folder, step)
  assert sample is not None
  cluster = max((2, 3), key=lambda k: int((sample.output == k).sum()))
  clusters = names_file.clusters_of(folder, step, 'head')
  names_file.write_names(
    folder,
    names_file.NamesFile(clusters, {}, parts={cluster: ('left', 'right')}),
  )
  return folder, cluster


def test_the_program_answers_with_the_parts(
  split, tmp_path, monkeypatch, capsys
):
  # The run carries few images.
  monkeypatch.setattr(cluster_parts, '_LEAST_IMAGES', 1)
  (run, cluster), out = split, tmp_path / 'out'
  export_command.main([str(run), f'--out={out}', '--platforms=cpu'])
  description = loads((out / DESCRIPTION_FILE).read_text())
  said = capsys.readouterr().out
  whole = f'novel-{cluster}'
  assert description['split_clusters'] == {whole: ['left', 'right']}
  assert (
    f'split clusters: {whole}: the program answers with their parts' in said
  )
  network, loaded = owdfa_jax.load_export(out), owdfa_jax.load(run)
  assert network.classes == loaded.classes and 'left' in network.outputs
  images = np.random.default_rng(1).integers(0, 256, (6, 32, 32, 3), np.uint8)
  probability = np.exp(network(images)['log_probability'])
  for row, answer in zip(probability, loaded.predict([*images]), strict=True):
    np.testing.assert_allclose(row, answer.probability, atol=1e-4)
    place = network.outputs.index('left')
    assert (row[place] == 0) != (row[place + 1] == 0)


def test_a_program_for_tiles_answers_with_the_whole(trained, monkeypatch):
  """The part of an image comes from the mean over its tiles."""
  parts = ClusterParts({2: ('left', 'right')}, {2: np.zeros((2, 8))})
  assert describe.baked_parts(trained, parts) is parts
  arguments = trained.dataset.description['made']['arguments']
  monkeypatch.setitem(arguments, 'tiles', 4)
  assert describe.baked_parts(trained, parts) is None
  restored = restore_network(trained)
  found = describe.describe_run(trained, restored, None, parts)
  assert found['split_clusters'] == {'novel-2': ['left', 'right']}
  assert not found['has_parts'] and 'novel-2' in found['outputs']
  assert any('are whole here' in line for line in found['on_the_host'])
