"""Images of no source, told by spectra: a class that was left out."""

import numpy as np
import pytest

from helpers.csv_files import read_csv
from helpers.waves import pack_waves
from input_pipeline.errors import UserError
from owdfa_jax import configs
from owdfa_jax.discovery.spectrum_predictions import fit_spectrum_sources
from owdfa_jax.discovery.spectrum_run import run_spectrum
from owdfa_jax.settings import check_spectrum
from owdfa_jax.spectrum.group_means import group_means


@pytest.fixture(scope='module')
def waves(tmp_path_factory):
  return pack_waves(tmp_path_factory.mktemp('waves'))


def run(packed, workdir, **changes):
  """Runs a spectrum without class m3; returns its report."""
  config = configs.load('spectrum', 'folder64')
  config.data.path = str(packed)
  config.data.leave_out = 'm3'
  config.update_from_flattened_dict(
    {name.replace('__', '.'): value for name, value in changes.items()}
  )
  return run_spectrum(check_spectrum(config.lock(), str(workdir)))


def test_waves_of_a_class_that_was_left_out_are_told(waves, tmp_path):
  report = run(waves, tmp_path)
  assert report['unseen_auroc'] > 0.95
  assert report['unseen']['num_unseen'] > 0
  names = [entry['name'] for entry in report['per_class']]
  assert names == ['m0', 'm1', 'm2', 'm4']
  unseen = report['unseen']
  assert unseen['threshold_set_on'] == 'unlabelled training images'
  assert unseen['num_threshold'] >= 20
  lines = read_csv(tmp_path / 'attributions.csv')
  above = sum(line['verdict'] == 'none of these' for line in lines)
  assert above == round(unseen['none_of_these'] * len(lines))


class TwoSources:
  """A classifier of components by the sign of the first one."""

  num_outputs = 2

  def log_probability(self, components):
    return np.stack([-components[:, 0], components[:, 0]], 1)


@pytest.mark.parametrize('labelled', [10, 40])
def test_groups_and_their_rows_have_scores_of_their_own(labelled):
  generator = np.random.default_rng(0)
  rows = generator.normal(size=(150, 4)).astype(np.float32)
  place = np.repeat(np.arange(50), 3)
  means, _ = group_means(rows, place)
  label = np.where(np.arange(50) < labelled, np.arange(50) % 2, -1)
  seen = fit_spectrum_sources(TwoSources(), means, label, rows, place)
  # Those without a label, where there are enough of them.
  groups = 40 if labelled == 10 else 50
  assert len(seen.verdict_score) == groups
  assert len(seen.image_score) == 3 * groups
  assert np.isfinite(seen.image_score).all()
  # Single rows lie farther away than means.
  assert np.median(seen.image_score) > np.median(seen.verdict_score)


def test_a_packed_directory_can_be_the_unseen_images(waves, tmp_path):
  alone = run(waves, tmp_path / 'alone')['unseen']['num_unseen']
  both = run(waves, tmp_path / 'both', eval__unseen_path=str(waves))
  assert both['unseen']['num_unseen'] > alone


def test_a_folder_of_images_is_refused(waves, tmp_path):
  with pytest.raises(UserError, match='not a packed directory: --config.eval'):
    run(waves, tmp_path, eval__unseen_path=str(waves.parent / '0'))
