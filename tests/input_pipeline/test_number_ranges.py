"""Ranges of numbers: what they hold, what they say, and flags of commands."""

import argparse
import decimal
import math

import numpy as np
import pytest

from input_pipeline.errors import UserError
from input_pipeline.number_ranges import NumberRange, check_flags, whole
from input_pipeline.simulate.__main__ import main

OPEN = NumberRange(0, 1, above=True, below=True)


@pytest.mark.parametrize(
  'allowed, text',
  [
    (whole(1, 65536), 'from 1 to 65536'),
    (NumberRange(1e-30, 1e30), 'from 1e-30 to 1e+30'),
    (NumberRange(0, 1, above=True), 'above 0 and at most 1'),
    (NumberRange(0, 1, below=True), 'at least 0 and below 1'),
    (OPEN, 'above 0 and below 1'),
  ],
)
def test_ranges_in_words(allowed, text):
  assert str(allowed) == text


@pytest.mark.parametrize(
  'allowed, value',
  [
    (whole(0, 2), 0),
    (whole(0, 2), 2),
    (NumberRange(0, 1), 1),
    (NumberRange(0, 1), np.float64(0.5)),
    (OPEN, 5e-324),
    (NumberRange(0, 1, optional=True), None),
  ],
)
def test_numbers_in_a_range(allowed, value):
  allowed.check('--x', value)


@pytest.mark.parametrize(
  'allowed, value, message',
  [
    (whole(0, 2), 3, '^out of range: --x=3; give a whole number from'),
    (whole(0, 2, 'why'), -1, 'from 0 to 2 .why.$'),
    (whole(0, 2), 1.0, 'wrong type: --x=1.0; give a whole number'),
    (whole(0, 2), True, 'wrong type: --x=True; give'),
    (whole(0, 2), None, 'wrong type: --x=None; give'),
    (OPEN, 0, 'out of range: --x=0; give a number above 0'),
    (OPEN, 1, 'out of range: --x=1; give'),
    (OPEN, math.nan, 'out of range: --x=nan; give'),
    (OPEN, np.float64('nan'), 'out of range: --x=nan; give'),
    (OPEN, np.float32(0.5), 'wrong type: '),
    (whole(0, 2), np.int64(1), 'wrong type: '),
    (OPEN, 10**300, 'out of range: --x=a very large number; give'),
    (OPEN, 0.5j, 'wrong type: --x=0.5j; give'),
    (OPEN, decimal.Decimal('0.5'), 'wrong type: '),
    (OPEN, '0.5', 'wrong type: --x=0.5; give'),
    (
      OPEN,
      '\x1b[31m' + 'a' * 99,
      r'wrong type: --x=\\x1b\[31ma{15}\.\.\.a{20}; ',
    ),
  ],
)
def test_what_is_not_in_a_range(allowed, value, message):
  with pytest.raises(UserError, match=message):
    allowed.check('--x', value)


def test_a_number_that_python_refuses_to_write_out():
  with pytest.raises(UserError, match='x=a very large number; give a whole'):
    whole(0, 2).check('--x', 10**5000)


def test_flags_that_were_not_given_are_not_checked():
  flags = argparse.Namespace(seed=None, size=3)
  check_flags(flags, {'seed': whole(0, 9), 'size': whole(0, 9)})
  with pytest.raises(UserError, match='--size=3; give a whole number from 5'):
    check_flags(flags, {'size': whole(5, 9)})


@pytest.mark.parametrize(
  'flag', ['--seed=-1', f'--seed={2**32}', '--size=8', f'--size={10**30}']
)
def test_flags_of_simulate(tmp_path, capsys, flag):
  with pytest.raises(SystemExit):
    main([f'--out={tmp_path / "out"}', flag])
  assert f'range: {flag}; give a whole number' in capsys.readouterr().err
  assert not (tmp_path / 'out').exists()
