"""A plugin: the first process that has written a checkpoint of a fleet is killed at once.

Beside the checkpoint it notes when that was, and whoever goes on notes from where.
"""

import os
import signal

from relu_exp.engine.checkpoints import Keeper

STEP = 3

_offer, _load = Keeper.offer, Keeper.load


def _offer_and_die(keeper, voyage):
    note = keeper.path.with_name("died")
    if voyage.step < STEP or note.exists():
        return
    _offer(keeper, voyage)
    if keeper.path.exists():
        note.write_text(str(voyage.step))
        os.kill(os.getpid(), signal.SIGKILL)


def _load_and_note(keeper, runs, device):
    state = _load(keeper, runs, device)
    if state is not None:
        keeper.path.with_name("continued").write_text(str(state["step"]))
    return state


Keeper.offer, Keeper.load = _offer_and_die, _load_and_note
