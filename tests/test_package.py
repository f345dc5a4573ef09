"""The package: its version, its requirements, and what a wheel holds."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import owdfa_jax
from helpers.paths import ROOT

PROJECT = tomllib.loads((ROOT / 'pyproject.toml').read_text())


def read_pins(file):
  text = (ROOT / file).read_text()
  lines = (line.partition('#')[0].strip() for line in text.splitlines())
  return [Requirement(line) for line in lines if line]


def declared():
  """Name -> requirement, of the package and all its extras."""
  project = PROJECT['project']
  extras = project['optional-dependencies'].values()
  every = [*project['dependencies'], *(x for extra in extras for x in extra)]
  # The extras of jax have the range of jax itself.
  found = [Requirement(text) for text in every]
  return {canonicalize_name(r.name): r for r in found if not r.extras}


@pytest.mark.parametrize('file', ['requirements.txt', 'requirements-beam.txt'])
def test_pins_lie_in_the_ranges(file):
  ranges = declared()
  for pin in read_pins(file):
    (version,) = [spec.version for spec in pin.specifier]
    allowed = ranges[canonicalize_name(pin.name)].specifier
    assert allowed.contains(version), f'{pin} is not in {allowed}'


def test_every_dependency_is_pinned():
  pins = {canonicalize_name(pin.name) for pin in read_pins('requirements.txt')}
  dependencies = map(Requirement, PROJECT['project']['dependencies'])
  assert pins == {canonicalize_name(d.name) for d in dependencies}


def test_every_dependency_has_a_lower_bound():
  for name, requirement in declared().items():
    assert [s.operator for s in requirement.specifier] == ['>='], name


def test_version_is_a_release_or_on_the_way_to_one():
  assert re.fullmatch(r'\d+\.\d+\.\d+(\.dev\d+)?', owdfa_jax.__version__)
  assert PROJECT['project']['dynamic'] == ['version']


def test_packages_are_typed():
  for package in PROJECT['tool']['hatch']['build']['targets']['wheel'][
    'packages'
  ]:
    assert (ROOT / package / 'py.typed').exists()
