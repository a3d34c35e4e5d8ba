"""The floor: a loop around Keras's `fit`, as a person writes it who tries some values. Nothing is tracked."""

from __future__ import annotations

import keras
from task import end_trial, print_trials, read_task
from tutorial import build_model, load_data

task = read_task()
data = load_data(task)
trials = []
for point in task.points:
    keras.backend.clear_session()
    model = build_model(task, **point)
    history = model.fit(**data, epochs=task.epochs, verbose=2)
    trials.append(end_trial(point, history))
print_trials(trials)
