"""Where the tests find the repository and their own files."""

import os
import pathlib

TESTS = pathlib.Path(__file__).parents[1]
ROOT = TESTS.parent
DATA = TESTS / 'data'
# Recorded from the reference code; another draw of the same files may stand in.
GOLDENS = pathlib.Path(os.environ.get('OWDFA_GOLDENS', TESTS / 'goldens'))
