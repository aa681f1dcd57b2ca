"""The script of random cases passes, and fails if a result is wrong."""

import numpy as np
import pytest

from sk_qbnorm.normalizers._base import BaseNormalizer

from . import fuzz

pytestmark = pytest.mark.compiled


def test_some_random_cases_pass(capsys):
    assert fuzz.main(["--seed", "1", "--cases", "30"]) == 0
    assert "30 cases, 0 failed" in capsys.readouterr().out


def test_a_failing_case_can_be_run_again(monkeypatch, capsys):
    transform = BaseNormalizer.transform

    def careless(normalizer, sims):
        scores = transform(normalizer, sims)
        if len(sims) > 100:
            scores[100] += np.float32(1)
        return scores

    monkeypatch.setattr(BaseNormalizer, "transform", careless)
    assert fuzz.main(["--seed", "1", "--cases", "20"]) == 1
    said = capsys.readouterr().out
    number = said.partition("--seed 1 --case ")[2].split()[0]
    assert fuzz.main(["--seed", "1", "--case", number]) == 1
    assert f"--seed 1 --case {number}" in capsys.readouterr().out
    monkeypatch.undo()
    assert fuzz.main(["--seed", "1", "--case", number]) == 0
