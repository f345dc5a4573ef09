"""What all runs have, with the papers' values; methods add and override."""

import ml_collections

from owdfa_jax.configs import benchmarks


def get_config(benchmark: str = 'owdfa1') -> ml_collections.ConfigDict:
  """Returns the settings all methods share, for one benchmark.

  Args:
    benchmark: a key of `configs.benchmarks.BENCHMARKS`.
  """
  config = ml_collections.ConfigDict()

  # Everything random is a function of (seed, step).
  config.seed = 0
  # Images of all devices and processes together, half of them labelled.
  config.batch_size = 128
  # An epoch is floor(training images / batch_size) steps.
  config.epochs = 50

  config.data = data = ml_collections.ConfigDict()
  data.path = ''
  # Class counts the packed data must have; None takes what it has.
  data.num_known = ml_collections.config_dict.placeholder(int)
  data.num_classes = ml_collections.config_dict.placeholder(int)
  # 'open_world': labelled and unlabelled rows, half and half.
  # 'labelled': only the labelled half of the same batches.
  # 'all': every training row labelled; a yardstick, not a method.
  data.supervision = 'open_world'
  # A file of classes that a network gave to unlabelled rows; see
  # input_pipeline.pseudo_labels. '' for none.
  data.pseudo_labels = ''
  # Decoder threads, or worker processes where one process is too slow.
  data.num_threads = 2
  data.num_workers = 0
  # Share of the labelled rows held out when eval.selection is 'validation'.
  data.validation_share = 0.1

  config.model = model = ml_collections.ConfigDict()
  # A key of owdfa_jax.models.resnet.CONFIGS.
  model.backbone = 'resnet50'
  # Channel multiplier.
  model.width = 1.0
  # Compute type of the backbone; losses and similarities stay in float32.
  model.dtype = 'bfloat16'
  model.dropout = 0.2
  # Weights to begin with: a .safetensors, .npz or .pth file of a ResNet, the
  # workdir of a run, or its RUN/checkpoints/STEP; '' draws them.
  model.init = ''
  # Whether its head is taken over as well, where it fits.
  model.init_head = True

  config.method = method = ml_collections.ConfigDict()
  # A key of owdfa_jax.methods.METHODS, and the fields of that dataclass.
  method.name = ''
  method.params = ml_collections.ConfigDict()

  config.pseudo = pseudo = ml_collections.ConfigDict()
  # A rule of owdfa_jax.losses.pseudo_labels.RULES whose term joins the
  # method's loss; '' for none. Each rule takes those of the params that it has.
  pseudo.rule = ''
  pseudo.weight = 0.5
  pseudo.params = ml_collections.ConfigDict()
  pseudo.params.threshold = 0.95
  pseudo.params.warm_up = True
  pseudo.params.momentum = 0.999
  pseudo.params.quantile = 0.8

  config.optimizer = optimizer = ml_collections.ConfigDict()
  # Adam whose L2 term is added to the gradient (not decoupled).
  optimizer.learning_rate = 2e-4
  optimizer.weight_decay = 1e-5
  # 'step': times decay_factor every decay_epochs. 'cosine': to zero, by epoch.
  optimizer.schedule = 'step'
  optimizer.decay_epochs = 10
  optimizer.decay_factor = 0.2

  config.eval = evaluation = ml_collections.ConfigDict()
  evaluation.every_epochs = 1
  evaluation.batch_size = 256
  # Which checkpoint --mode=eval restores: 'best', 'latest' or a step.
  evaluation.checkpoint = 'best'
  # What --mode=eval looks at: the 'test' or the 'train' split, or the
  # 'unlabelled' rows of the latter.
  evaluation.split = 'test'
  # What decides 'best': the 'test' split (as every paper did), a 'validation'
  # share of the labelled rows, or simply the 'last' epoch.
  evaluation.selection = 'test'
  evaluation.metric = 'all_nmi'

  config.log = log = ml_collections.ConfigDict()
  log.every_steps = 10
  log.tensorboard = True
  # Weights & Biases, where it is installed; offline unless its own
  # environment variables say otherwise.
  log.wandb = False

  # Compiled programs are kept here between runs; '' keeps none.
  config.compilation_cache = ''

  benchmarks.apply(config, benchmark)
  return config
