"""A plugin that kills the first process right after it has saved a checkpoint of a fleet.

Files beside the checkpoint say at which step that was and from which step training continued.
"""

import os
import signal

from relu_exp.engine.checkpoints import Checkpointer

STEP = 3

_maybe_save, _load = Checkpointer.maybe_save, Checkpointer.load


def _maybe_save_and_die(checkpointer, trainer):
    note = checkpointer.path.with_name("died")
    if trainer.step < STEP or note.exists():
        return
    _maybe_save(checkpointer, trainer)
    if checkpointer.path.exists():
        note.write_text(str(trainer.step))
        os.kill(os.getpid(), signal.SIGKILL)


def _load_and_note(checkpointer, runs, device):
    state = _load(checkpointer, runs, device)
    if state is not None:
        checkpointer.path.with_name("continued").write_text(str(state["step"]))
    return state


Checkpointer.maybe_save, Checkpointer.load = _maybe_save_and_die, _load_and_note
