"""A stand-in for Apache Beam that runs a pipeline in this process."""

import os
import sys
import types


class _Items(list):
  """A collection, and the pipeline itself before it has items."""

  def __or__(self, step):
    return _Items(step(self))

  def __enter__(self):
    return self

  def __exit__(self, *_):
    pass


def install(monkeypatch, *, runs=True, sees_tasks=True):
  """Makes `import apache_beam` find the stand-in.

  Args:
    monkeypatch: undoes it.
    runs: whether the workers run at all.
    sees_tasks: whether the workers see the files of this machine.
  """

  def map_items(function, *arguments):
    def step(items):
      for path in items if runs else []:
        if not sees_tasks:
          os.unlink(f'{path}.spec.json')
        function(path, *arguments)
      return items

    return step

  beam = types.ModuleType('apache_beam')
  beam.Pipeline = lambda options: _Items()
  beam.Create = lambda values: lambda _: values
  beam.Reshuffle = lambda: lambda items: items
  beam.Map = map_items
  options = types.ModuleType('apache_beam.options.pipeline_options')
  options.PipelineOptions = list
  monkeypatch.setitem(sys.modules, beam.__name__, beam)
  monkeypatch.setitem(sys.modules, options.__name__, options)
