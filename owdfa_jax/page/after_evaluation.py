"""Draws the page of a run when it has been evaluated."""

import functools
import pathlib

import jax
import ml_collections

from input_pipeline.escape import message
from input_pipeline.object_store import is_remote
from owdfa_jax.page.page_in_store import draw_in_store
from owdfa_jax.page.report_command import report_page


def draw_after_evaluation(
  config: ml_collections.ConfigDict, workdir: str
) -> None:
  """Writes `report.html` of a run that has just been evaluated.

  Does nothing unless `log.page` is set and the test images were evaluated. A
  page is no part of the result: if it cannot be drawn, a line says so, and the
  run goes on.

  Args:
    config: the settings of the evaluation.
    workdir: the folder of the run, or of all stages.
  """
  if not config.log.page or config.eval.split != 'test':
    return
  if jax.process_index() > 0:
    return
  try:
    draw = functools.partial(
      report_page,
      data_path=config.data.path,
      device=f'{jax.device_count()} x {jax.devices()[0].device_kind}',
    )
    if is_remote(workdir):
      path = draw_in_store(workdir, draw)
    else:
      path = draw(pathlib.Path(workdir))
  except Exception as error:  # whatever it is, the run is complete
    print(
      'warning: report.html was not drawn '
      f'({message(str(error) or type(error).__name__, 300)}); the results are '
      'complete, `owdfa report RUN` tries again'
    )
  else:
    print(f'written: {path}')
