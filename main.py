"""Trains an open-world attribution network, or uses a trained one.

python main.py --config=configs/cpl.py:owdfa1 --workdir=runs/cpl
python main.py --config=configs/cpl.py:owdfa1 --workdir=runs/cpl --mode=eval
"""

from owdfa_jax.commands.run import main

if __name__ == '__main__':
  main()
