"""Which module may import which, and that each public name is used once."""

import ast
import collections

import pytest

from helpers.paths import ROOT

# A package or module imports only from levels below its own.
LEVELS = [
  {
    'owdfa_jax.commands',
    'owdfa_jax.export',
    'owdfa_jax.leaderboard',
    'owdfa_jax.scale',
    'owdfa_jax.soak',
  },
  {'owdfa_jax.inference'},
  {'owdfa_jax.page'},
  {'owdfa_jax.discovery'},
  {'owdfa_jax.evaluation'},
  {'owdfa_jax.training'},
  {'owdfa_jax.experiment'},
  {'owdfa_jax.settings'},
  {'owdfa_jax.setting_checks'},
  {'owdfa_jax.configs'},
  {'owdfa_jax.methods'},
  {'owdfa_jax.losses'},
  {'owdfa_jax.models'},
  {
    'owdfa_jax.library_logs',
    'owdfa_jax.parallel',
    'owdfa_jax.pods',
    'owdfa_jax.random_keys',
    'owdfa_jax.report_fields',
    'owdfa_jax.method_titles',
    'owdfa_jax.setting_ranges',
    'owdfa_jax.spectrum',
    'owdfa_jax.vectors',
    'owdfa_jax.weights',
  },
  # Its `__init__.py` has the version, and imports the rest late.
  {'input_pipeline', 'owdfa_jax'},
]
# `owdfa_jax.load` and `load_export` import the rest late. The leaderboard reads
# its flags and starts up as the other commands do.
ALLOWED = {
  ('owdfa_jax', 'owdfa_jax.export.load'),
  ('owdfa_jax', 'owdfa_jax.inference.load'),
  ('owdfa_jax', 'owdfa_jax.inference.run'),
  ('owdfa_jax.leaderboard.__main__', 'owdfa_jax.commands.flags'),
  ('owdfa_jax.leaderboard.__main__', 'owdfa_jax.commands.startup'),
}
# Public names that several modules may define.
SAME_NAMES = {
  'main': 'every program has one',
  'get_config': 'ml_collections asks every config file for it',
  'load': 'of a config by its name, and of a run: `owdfa_jax.load`',
  'semi_supervised_kmeans': 'of spectra in NumPy, of features on devices',
  'Clusters': 'what each of the two returns',
  'merge_centres': 'a part of each of the two',
}


def module_name(path):
  parts = path.relative_to(ROOT).with_suffix('').parts
  if parts[0] == 'configs':
    parts = ('owdfa_jax', *parts)
  return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


# `owdfa_jax/configs` is a link to `configs`, which is read once.
PATHS = sorted(
  path
  for folder in ('configs', 'input_pipeline', 'owdfa_jax')
  for path in (ROOT / folder).rglob('*.py')
  if ROOT / 'owdfa_jax' / 'configs' not in path.parents
  # Editors keep copies in hidden folders.
  and not any(part.startswith('.') for part in path.relative_to(ROOT).parts)
)
TREES = {module_name(path): ast.parse(path.read_bytes()) for path in PATHS}


def imported_names(name, tree):
  """Returns the modules that `tree` imports, also inside functions."""
  found = set()
  for node in ast.walk(tree):
    if isinstance(node, ast.Import):
      found |= {alias.name for alias in node.names}
      # `import owdfa_jax` alone would hide which of its modules is used.
      assert 'owdfa_jax' not in found, f'{name} imports owdfa_jax as a whole'
    elif isinstance(node, ast.ImportFrom):
      assert node.level == 0, f'{name} has a relative import'
      for alias in node.names:
        whole = f'{node.module}.{alias.name}'
        found.add(whole if whole in TREES else node.module)
  return found


IMPORTS = {name: imported_names(name, tree) for name, tree in TREES.items()}


def package(module):
  """Returns the member of `LEVELS` that a module belongs to."""
  parts = module.split('.')
  if parts[0] != 'owdfa_jax':
    return parts[0]
  return '.'.join(parts[:2])


def level(module):
  (number,) = (i for i, names in enumerate(LEVELS) if package(module) in names)
  return number


def external_imports(prefix):
  """Returns (module, top-level package it imports) of all modules below."""
  return {
    (module, target.split('.')[0])
    for module, targets in IMPORTS.items()
    if f'{module}.'.startswith(f'{prefix}.')
    for target in targets
  }


@pytest.mark.parametrize('module', IMPORTS)
def test_imports_point_downwards(module):
  upward = {
    target
    for target in IMPORTS[module] & TREES.keys()
    if package(target) != package(module)
    and level(target) <= level(module)
    and (module, target) not in ALLOWED
  }
  assert not upward, f'{module} imports {sorted(upward)}'


def test_no_module_imports_itself_through_others():
  done, path = set(), []

  def visit(module):
    assert module not in path, ' -> '.join([*path, module])
    if module in done:
      return
    path.append(module)
    for target in sorted(IMPORTS[module] & TREES.keys()):
      visit(target)
    done.add(path.pop())

  for module in IMPORTS:
    visit(module)


# Their words name modules that are imported only when they are needed.
IMPORTERS = {
  'input_pipeline.beam_runner',
  'input_pipeline.faces',
  'owdfa_jax.commands.owdfa',
  'owdfa_jax.configs',
  'owdfa_jax.weights',
}


def test_nothing_outside_the_packages_is_imported():
  """A wheel has neither `configs` nor `main` nor the tests' helpers."""
  outside = {'configs', 'helpers', 'main', 'tests'}
  for package_name in ('input_pipeline', 'owdfa_jax'):
    found = external_imports(package_name)
    assert not {(m, name) for m, name in found if name in outside}


def test_modules_are_imported_by_name_in_few_places():
  """`import_module` would hide an import from the tests above."""
  names = {'import_module', '__import__'}
  users = {
    module
    for module, tree in TREES.items()
    for node in ast.walk(tree)
    if isinstance(node, ast.Attribute | ast.Name)
    and (node.attr if isinstance(node, ast.Attribute) else node.id) in names
  }
  assert users <= IMPORTERS, users - IMPORTERS


def test_input_pipeline_works_without_jax():
  found = external_imports('input_pipeline')
  jax = {'jax', 'flax', 'optax', 'orbax'}
  assert not {(module, name) for module, name in found if name in jax}


def test_one_module_knows_orbax():
  users = {m for m, name in external_imports('owdfa_jax') if name == 'orbax'}
  assert users == {'owdfa_jax.training.checkpoints'}


def test_training_names_no_method():
  """It imports only what all methods share."""
  shared = {'owdfa_jax.methods.base'}
  for module, targets in IMPORTS.items():
    if package(module) == 'owdfa_jax.training':
      methods = {t for t in targets if package(t) == 'owdfa_jax.methods'}
      assert methods <= shared, module


def test_public_names_are_defined_once():
  places = collections.defaultdict(list)
  for module, tree in TREES.items():
    for node in tree.body:
      if isinstance(node, ast.FunctionDef | ast.ClassDef):
        places[node.name].append(module)
  twice = {
    name: modules
    for name, modules in places.items()
    if len(modules) > 1 and not name.startswith('_')
  }
  assert twice.keys() == SAME_NAMES.keys(), twice
