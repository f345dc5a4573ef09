"""Images of no source, told by spectra: a class that was left out."""

import pytest

from helpers.waves import pack_waves
from input_pipeline.errors import UserError
from owdfa_jax import configs
from owdfa_jax.discovery.spectrum_run import run_spectrum
from owdfa_jax.settings import check_spectrum


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


def test_a_packed_directory_can_be_the_unseen_images(waves, tmp_path):
  alone = run(waves, tmp_path / 'alone')['unseen']['num_unseen']
  both = run(waves, tmp_path / 'both', eval__unseen_path=str(waves))
  assert both['unseen']['num_unseen'] > alone


def test_a_folder_of_images_is_refused(waves, tmp_path):
  with pytest.raises(UserError, match='not a packed directory: --config.eval'):
    run(waves, tmp_path, eval__unseen_path=str(waves.parent / '0'))
