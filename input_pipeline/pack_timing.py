"""Command that times packing on one core, with and without face detection.

`python -m input_pipeline.pack_timing --images FOLDER` measures the time of the
processor, so other programs and a slow disk do not count.
"""

from collections.abc import Sequence

from input_pipeline.argument_parser import ArgumentParser
from input_pipeline.errors import UserError, one_line_errors
from input_pipeline.image_folders import list_images
from input_pipeline.number_ranges import check_flags, whole
from input_pipeline.packed_format import SIZES

_RANGES = {'limit': whole(1, 10**6), 'size': whole(*SIZES)}


@one_line_errors()
def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
  """Runs the command.

  Args:
    argv: the arguments; None: those of the process.
    prog: the command's name in the help; None: the module's.
  """
  parser = ArgumentParser(
    prog=prog or 'python -m input_pipeline.pack_timing',
    description='Times the parts of packing on one core.',
  )
  add = parser.add_argument
  add('--images', metavar='DIR', required=True, help='a folder of images')
  add(
    '--limit',
    type=int,
    default=200,
    help='number of images to take (default: %(default)s)',
  )
  add(
    '--size',
    type=int,
    default=256,
    help='pixels of the packed images (default: %(default)s)',
  )
  arguments = parser.parse_args(argv)
  # Imported late, so that --help and wrong arguments answer at once.
  from input_pipeline.pack_costs import measure_costs, timing_report

  check_flags(arguments, _RANGES)
  paths = list_images(arguments.images)
  if not paths:
    raise UserError(
      f'no images below {arguments.images}; choose another --images'
    )
  count = min(arguments.limit, len(paths))
  # Evenly spread, so that every class has its share.
  chosen = [paths[i * len(paths) // count] for i in range(count)]
  try:
    costs = measure_costs(chosen, arguments.size)
  except UserError as error:
    raise UserError(f'{error}; remove it from --images') from error
  print(timing_report(costs, count))


if __name__ == '__main__':
  main()
