"""Command that packs the images of a meta CSV into TFRecord shards.

`python -m input_pipeline.pack --meta CSV --out DIR` writes to a hidden folder
beside DIR and renames it at the end, so DIR is complete once it is there. At a
URL the description is written last and marks the folder as complete. A full
disk, a dead process or Ctrl-C leave nothing behind.
"""

import dataclasses
import os
import sys
from collections.abc import Callable, Sequence

from input_pipeline import dataset
from input_pipeline.argument_parser import ArgumentParser
from input_pipeline.errors import INTERRUPTED, UserError, one_line_errors
from input_pipeline.files import path_type
from input_pipeline.pack_options import (
  BEAM_RUNNERS,
  DETECTORS,
  FORMATS,
  LOCAL,
  ON_ERROR,
  Options,
  Resources,
)


@one_line_errors()
def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
  """Runs the command.

  Args:
    argv: the arguments; None: those of the process.
    prog: the command's name in the help; None: the module's.
  """
  arguments = vars(_parser(prog).parse_args(argv))
  # Imported late, so that --help and wrong arguments answer at once.
  from input_pipeline.packing import write_pack

  try:
    meta_csv, out = arguments.pop('meta'), arguments.pop('out')
    names = [field.name for field in dataclasses.fields(Resources)]
    resources = Resources(**{name: arguments.pop(name) for name in names})
    write_pack(meta_csv, out, Options(**arguments), resources)
  except KeyboardInterrupt:
    print('interrupted: nothing was packed', file=sys.stderr)
    sys.exit(INTERRUPTED)
  except OSError as error:
    raise UserError(
      f'cannot read or write {error.filename}: {error.strerror}; check the '
      'path and its permissions'
    ) from error


def pack(
  meta_csv: str | os.PathLike,
  out: str | os.PathLike,
  options: Options | None = None,
  *,
  workers: int | None = None,
) -> dataset.PackedDataset:
  """Packs a meta CSV's images with processes of this machine.

  Args:
    meta_csv: the meta CSV.
    out: the directory to make, or a URL.
    options: the defaults if None.
    workers: the number of processes; None: one for each core.

  Returns:
    The packed dataset, open.

  Raises:
    UserError: see `packing.write_pack`.
  """
  from input_pipeline.packing import write_pack

  write_pack(meta_csv, out, options, Resources(workers=workers))
  return dataset.open_dataset(out)


def _parser(prog: str | None) -> ArgumentParser:
  parser = ArgumentParser(
    prog=prog or 'python -m input_pipeline.pack',
    description='Packs the images of a meta CSV into TFRecord shards.',
  )
  defaults = vars(Options()) | vars(Resources())

  def add(
    name: str,
    kind: type,
    what: str,
    default: str | None = None,
    choices: tuple[str, ...] | None = None,
    metavar: str | None = None,
  ) -> None:
    """Adds an option; `default` describes a default that is None or ''."""
    value = defaults[name]
    parser.add_argument(
      f'--{name}',
      type=kind,
      choices=choices,
      default=value,
      **({} if metavar is None else {'metavar': metavar}),
      help=f'{what} (default: {default or value})',
    )

  required = parser.add_argument
  required(
    '--meta',
    metavar='CSV',
    type=path_type('--meta'),
    required=True,
    help='the meta CSV',
  )
  required(
    '--out',
    metavar='DIR',
    required=True,
    help='the directory to make, or a URL',
  )
  _add_options(add)
  _add_resources(add)
  return parser


def _add_options(add: Callable[..., None]) -> None:
  """Adds the fields of `Options`."""
  add('size', int, 'width and height of the packed images in pixels')
  add(
    'format',
    str,
    'encode all images in this format',
    'keep the files if all are PNG or JPEG of this size, else png',
    FORMATS,
  )
  add('quality', int, 'quality of JPEG, 1 to 100')
  add('ratio', float, 'share of training images, if the CSV has no split')
  add('seed', int, 'seed of the split, if the CSV has none, and of the tiles')
  add('shards', int, 'shards in each split', 'by the number of images')
  add('on_error', str, 'what to do at an unreadable image', None, ON_ERROR)
  add('max_pixels', int, 'most pixels of an image; larger ones are unreadable')
  add(
    'crop',
    str,
    'detector of the faces to cut out; the papers use dlib',
    None,
    DETECTORS,
  )
  add('margin', float, "growth of a face's box; 1.2 adds a tenth on each side")
  add(
    'align',
    str,
    "dlib's 68-point file, to turn faces upright",
    'no turning',
    metavar='FILE',
  )
  add(
    'tiles',
    int,
    'pieces to cut from each image at native resolution, instead of resizing',
    '0: whole images, resized',
  )
  add('tile_grid', int, 'tiles begin at multiples of this many pixels')
  add(
    'card',
    str,
    'TOML file with texts for the data card',
    'none',
    metavar='FILE',
  )


def _add_resources(add: Callable[..., None]) -> None:
  """Adds the fields of `Resources`."""
  add(
    'detections',
    str,
    'file of detected faces',
    'beside the output',
    metavar='FILE',
  )
  add('workers', int, 'processes', 'one for each core')
  add(
    'runner',
    str,
    f'{LOCAL}, the processes of this machine, or a runner of Apache Beam: '
    f'{", ".join(BEAM_RUNNERS)}',
    metavar='NAME',
  )
  add(
    'beam_options',
    str,
    "options of the runner, such as '--flink_master=host:8081'",
    'none',
    metavar='TEXT',
  )


if __name__ == '__main__':
  main()
