"""Draws an overview of a run: an image of each source, and its outputs.

  owdfa overview --workdir=runs/demo --out=overview.png

The run must have been evaluated on its test images, as the end of a training
does. Of a run in stages, the last one is drawn.
"""

from collections.abc import Sequence

from input_pipeline.argument_parser import add_packed_data, described_parser
from input_pipeline.errors import UsageError, one_line_errors
from input_pipeline.files import path_type, write_whole
from input_pipeline.storage import run_type
from owdfa_jax.evaluation.overview_data import read_overview
from owdfa_jax.training.recorded_config import run_folders


@one_line_errors()
def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
  """Reads the files of an evaluated run and writes a PNG file.

  Args:
    argv: the arguments; by default those of the process.
    prog: the program's name, for the help.
  """
  parser = described_parser(prog, __doc__)
  parser.add_argument(
    '--workdir',
    metavar='RUN',
    required=True,
    type=run_type('--workdir'),
    help='the evaluated run',
  )
  parser.add_argument(
    '--out',
    metavar='FILE',
    required=True,
    type=path_type('--out'),
    help='the PNG file to write',
  )
  add_packed_data(parser)
  arguments = parser.parse_args(argv)
  if arguments.out.suffix.lower() != '.png':
    raise UsageError(
      f'not the name of a PNG file: --out={arguments.out}; end it with .png'
    )
  # Of a run in stages, the last one.
  folder = run_folders(str(arguments.workdir))[-1]
  overview = read_overview(folder, arguments.data)
  # Imported here because Matplotlib takes a second to load.
  from owdfa_jax.evaluation.overview_picture import draw_overview

  with write_whole(arguments.out, what='the picture') as file:
    file.write(draw_overview(overview))
  print(f'written: {arguments.out}')


if __name__ == '__main__':
  main()
