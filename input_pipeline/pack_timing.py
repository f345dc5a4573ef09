"""Command that times packing on one core, with and without face detection.

`python -m input_pipeline.pack_timing --images FOLDER` measures the time of the
processor, so other programs and a slow disk do not count.
"""

from collections.abc import Sequence

from input_pipeline.argument_parser import ArgumentParser
from input_pipeline.errors import UserError, one_line_errors
from input_pipeline.image_folders import list_images
from input_pipeline.pack_options import Options


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
  add('--images', required=True, help='a folder of images')
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

  if arguments.limit < 1:
    raise UserError(
      f'out of range: --limit={arguments.limit}; it must be 1 or more'
    )
  Options(size=arguments.size)  # checks it
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
