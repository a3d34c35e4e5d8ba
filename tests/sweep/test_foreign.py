"""Any other Hydra application, whose configuration nobody here knows."""

from __future__ import annotations

from omegaconf import OmegaConf

from src.sweep.foreign import ForeignApplication


def test_a_configuration_may_name_what_only_its_job_knows() -> None:
    values = {"out": "${hydra:runtime.output_dir}/${x}", "logs": "${out}/logs", "day": "${now:%Y}", "x": 1, "y": "${x}"}
    checked = ForeignApplication("app").check(OmegaConf.create({**values, "hydra": {"job": {}}}))
    # Equal in each process, so that a study is found again.
    assert checked.settings == {
        "out": "${hydra:runtime.output_dir}/${x}",
        "logs": "${hydra:runtime.output_dir}/${x}/logs",
        "day": "${now:%Y}",
        "x": "1",
        "y": "1",
    }
    assert "hydra" not in checked.settings
