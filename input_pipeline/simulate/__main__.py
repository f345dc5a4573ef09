"""Command: `python -m input_pipeline.simulate --out DIR`."""

import argparse

from input_pipeline.errors import one_line_errors
from input_pipeline.simulate.write import CSV_NAMES, simulate


def main() -> None:
  """Parses the command line and writes the dataset."""
  parser = argparse.ArgumentParser(
    prog='python -m input_pipeline.simulate',
    description='Simulated forgeries for OW-DFA Protocols 1 and 2.',
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
  )
  parser.add_argument('--out', required=True, help='folder to write')
  parser.add_argument(
    '--images_per_class', type=int, default=400, help='images of each class'
  )
  parser.add_argument('--size', type=int, default=64, help='pixels a side')
  parser.add_argument('--seed', type=int, default=0, help='of everything')
  parser.add_argument('--faces', help='folder of photos to use as content')
  flags = parser.parse_args()
  with one_line_errors():
    written = simulate(
      flags.out, flags.images_per_class, flags.size, flags.seed, flags.faces
    )
    what = 'wrote' if written else 'complete already, reused'
    print(f'{what}: {flags.out} ({", ".join(CSV_NAMES.values())})')


if __name__ == '__main__':
  main()
