"""Command lines without a mistake, to which the cases add one."""

# Quick, should a mistake go unnoticed.
_RUN = (
  '--config=cpl:folder64 --config.data.path=packed --config.batch_size=16 '
  '--config.epochs=1 --config.model.width=0.125 --config.eval.batch_size=16 '
  '--config.log.tensorboard=False --config.log.page=False'
)
TRAIN = f'train {_RUN} --workdir=run'
EVAL = f'eval {_RUN} --workdir=run'
ATTRIBUTE = f'attribute {_RUN} --workdir=run --images=photos'
PACK = 'pack --meta meta.csv --out out --size 16 --workers 1'
PREPARE = 'prepare folder --root faces --known A,B --out out'
SIMULATE = 'simulate --out out --images_per_class 4 --size 32'
