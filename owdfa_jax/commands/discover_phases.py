"""The phases of `owdfa discover`: from folders of images to an evaluated run.

Each phase leaves a file or folder that is there only once it is complete. A
phase whose file is there is not repeated, so the same command goes on after an
interruption.
"""

import pathlib
import shlex
from collections.abc import Mapping
from typing import Any

from input_pipeline.dataset import open_dataset
from input_pipeline.escape import terminal_lines
from input_pipeline.image_folders import list_class_names, scan_images
from input_pipeline.pack_options import Resources
from input_pipeline.packed_format import DESCRIPTION
from input_pipeline.progress_bars import is_quiet
from owdfa_jax.commands.discover_plan import (
  Discovery,
  packing_options,
  training_config,
)
from owdfa_jax.commands.recorded_run import check_recorded
from owdfa_jax.commands.training_inputs import check_configured
from owdfa_jax.evaluation.heap_record import (
  HeapRecord,
  made_by,
  read_heap_record,
  what_changed,
  write_heap_record,
)
from owdfa_jax.inference.unfinished import unfinished_path

# Of less data than one usual batch, batches of at most this many images.
_SMALL_BATCH = 32


def run_phases(discovery: Discovery) -> int:
  """Prepares, packs, trains, evaluates and attributes what is not yet there.

  Args:
    discovery: what is to be done.

  Returns:
    The exit status: 0, or that of a signal which stopped the training.

  Raises:
    UserError: a phase cannot be done.
    KeyboardInterrupt: with Ctrl-C outside the training; says what follows.
  """
  try:
    return _run_phases(discovery)
  except KeyboardInterrupt as error:
    raise KeyboardInterrupt(
      str(error) or 'the same command goes on with this phase'
    ) from None


def _run_phases(discovery: Discovery) -> int:
  _prepare(discovery)
  _pack(discovery)
  if not discovery.is_evaluated:
    if status := _train(discovery):
      return status
  else:
    _say('== 3/4 train: complete already')
  _attribute(discovery)
  _draw_page(discovery)
  return 0


def closing_lines(discovery: Discovery) -> list[str]:
  """Returns where the results are, and what to do next.

  Args:
    discovery: one whose phases are complete.
  """
  # Imported late, since Matplotlib and JAX take seconds to load.
  from owdfa_jax.page.write_page import PAGE_FILE

  folder = discovery.folder
  page, run = folder / PAGE_FILE, shlex.quote(str(folder))
  return [
    '',
    f'the page:           {page if page.exists() else "none"}',
    f"the heap's sources: {discovery.heap_table}",
    f'the run:            {folder}',
    'next:',
    '  look at the page; each novel-N is a source that was found in the heap',
    f'  owdfa names {run}  (shows these sources, and gives them names)',
    f'  owdfa attribute --workdir={run} IMAGES --out=sources.csv',
    f'  owdfa discover --workdir={run} --images IMAGES --out FOLDER  (groups '
    'new images that are of none of these sources)',
  ]


def _say(line: str) -> None:
  if is_quiet():
    return
  # At once: workers that packing starts would repeat what is not written yet.
  print(line, flush=True)


def _prepare(discovery: Discovery) -> None:
  if discovery.meta_csv.exists():
    _say('== 1/4 prepare: complete already')
    return
  _say('== 1/4 prepare: the list of images')
  # Imported late, so that --help and mistakes answer at once.
  from input_pipeline.folder import prepare_folder

  root = pathlib.Path(discovery.record.known)
  names = list_class_names(root)
  used = [name for name in names if scan_images(root / name).images]
  for line in prepare_folder(
    root,
    used,
    discovery.meta_csv.parent,
    labelled_fraction=1,
    exclude=[name for name in names if name not in used],
    unlabelled=discovery.heap,
    on_error='skip',
  ):
    print(terminal_lines(line))


def _pack(discovery: Discovery) -> None:
  if (discovery.packed / DESCRIPTION).exists():
    _say('== 2/4 pack: complete already')
    return
  _say('== 2/4 pack: what the network sees')
  from input_pipeline.packing import write_pack

  write_pack(
    discovery.meta_csv,
    discovery.packed,
    packing_options(discovery.record),
    Resources(),
  )


def _train(discovery: Discovery) -> int:
  """Trains and evaluates, and returns the exit status."""
  _say('== 3/4 train')
  folder = str(discovery.folder)
  config = training_config(discovery.record)
  given = [each.partition('=')[0] for each in discovery.record.settings]
  with config.unlocked():
    config.data.path = str(discovery.packed)
    if 'batch_size' not in given:
      config.batch_size = _batch_size(discovery.packed, config.batch_size)
  inputs, remark = check_configured(config, 'train', folder, given)

  # Imports JAX, which takes seconds, only now.
  from owdfa_jax.commands import modes, startup
  from owdfa_jax.library_logs import silence_libraries

  silence_libraries()
  startup.use_compilation_cache(config.compilation_cache)
  if remark:
    _say(remark)
  with startup.one_line_out_of_memory():
    if discovery.record.rounds:
      return modes.run_stages('train', config, folder)
    return modes.run('train', inputs, None)


def _draw_page(discovery: Discovery) -> None:
  """Draws the page, unless there is one with the answers for the heap."""
  from owdfa_jax.page.write_page import PAGE_FILE

  page = discovery.folder / PAGE_FILE
  if not training_config(discovery.record).log.page:
    return
  made = discovery.heap_table.stat().st_mtime
  if not page.exists() or page.stat().st_mtime < made:
    from owdfa_jax.page.report_command import report_page

    report_page(discovery.folder)


def _attribute(discovery: Discovery) -> None:
  """Attributes the heap, unless its table is there and of the run of today."""
  from owdfa_jax.page.report_command import last_stage

  run, folder = last_stage(discovery.folder), discovery.folder
  if run.heap is not None:
    if not run.heap.changed:
      _say('== 4/4 attribute: complete already')
      return
    _say(
      f'changed since the table of the heap was made: {run.heap.changed}; it '
      'is made anew'
    )
  step = run.report['checkpoint_step']
  by = run.report.get('classified_by', 'head')
  record, now = read_heap_record(folder), made_by(run.workdir, step, by)
  _drop_other_answers(discovery, record, now)
  write_heap_record(folder, record._replace(begun=now))
  _say("== 4/4 attribute: the heap's images")
  settings = {'eval.checkpoint': str(step), 'eval.classify_by': by}
  inputs = check_recorded(str(folder), 'attribute', settings, writes=False)[-1]
  from owdfa_jax.commands import modes, startup
  from owdfa_jax.library_logs import silence_libraries

  silence_libraries()
  startup.use_compilation_cache(inputs.config.compilation_cache)
  with startup.one_line_out_of_memory():
    # Its status tells of unreadable images, which are named and counted.
    modes.run(
      'attribute', inputs, discovery.heap, out=str(discovery.heap_table)
    )
  # The attribution may have written a file of the run that was missing.
  write_heap_record(folder, HeapRecord(table=made_by(run.workdir, step, by)))


def _drop_other_answers(
  discovery: Discovery, record: HeapRecord, now: Mapping[str, Any]
) -> None:
  """Removes the answers of a table that was begun before the run changed.

  Args:
    discovery: whose table is not complete.
    record: of the table.
    now: what its answers will be made by.

  """
  path = pathlib.Path(unfinished_path(discovery.heap_table))
  if record.begun is None or not path.exists():
    return
  if changed := what_changed(record.begun, now):
    _say(
      f'changed since the table of the heap was begun: {changed}; it is begun '
      'anew'
    )
    path.unlink()


def _batch_size(packed: pathlib.Path, usual: int) -> int:
  """Returns the usual batch size, or less for less data: a power of two."""
  rows = len(open_dataset(packed).train)
  if rows >= usual:
    return usual
  return 1 << min(rows, _SMALL_BATCH).bit_length() - 1
