"""A plugin that asks Slurm often, as one may a cluster of one's own, and gives up soon."""

from relu_exp.launchers import slurm, slurm_queue

slurm._POLL_SECONDS["slurm"] = 1.0
slurm_queue._CANCEL_SECONDS = 20
