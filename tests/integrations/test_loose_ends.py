"""How a training ends whose framework says nothing: in a real notebook kernel and in real scripts."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
from conftest import Home, Kernel
from phone import Phone

from .trainings import must_be_there

TRAIN = """
import lightgbm, numpy as np
from knock_magic.integrations.lightgbm import KnockCallback
def train(error=None, rounds=3, **options):
    def own(env):
        if error and env.iteration == 1: raise error
    data = lightgbm.Dataset(np.arange(60.0).reshape(30, 2), np.arange(30.0))
    lightgbm.train({"verbose": -1, "num_threads": 1}, data, rounds, callbacks=[KnockCallback(**options), own])
"""


@pytest.fixture
def kernel(kernel_with_knock: Kernel, module_phone: Phone) -> Kernel:
    must_be_there("lightgbm")
    kernel_with_knock.run(TRAIN)
    module_phone.clear()
    return kernel_with_knock


def test_in_a_plain_cell_it_ends_with_the_error_of_its_cell(kernel: Kernel, module_phone: Phone) -> None:
    kernel.run("train(ZeroDivisionError('of the user'), name='broken')")

    told = module_phone.wait_for(event="failed")
    assert (told["name"], told["error"]["type"]) == ("broken", "ZeroDivisionError")


def test_in_a_plain_cell_whose_error_was_caught_it_was_stopped(kernel: Kernel, module_phone: Phone) -> None:
    kernel.run("try: train(KeyError(), name='caught')\nexcept KeyError: pass")

    told = module_phone.wait_for(name="caught")
    assert told["event"] == "interrupted"
    assert "stopped before its end" in told["text"]


def test_in_an_armed_cell_only_the_cell_knocks(kernel: Kernel, module_phone: Phone) -> None:
    kernel.run("%%knock whole\ntrain(name='inner')\ntrain(name='inner')")
    kernel.run("%%knock torn\ntrain(ZeroDivisionError(), name='inner')")

    told = module_phone.expect_only(lambda text: kernel.run(f"import knock; knock.send({text!r})"))
    assert told == [("finished", "whole"), ("failed", "torn")]


def script(home: Home, phone: Phone, code: str) -> subprocess.CompletedProcess:
    must_be_there("lightgbm")
    path = home.work / "train.py"
    path.write_text(TRAIN + textwrap.dedent(code), encoding="utf-8")
    return subprocess.run(
        [sys.executable, str(path)], env=home.knocking_at(phone), capture_output=True, text=True, timeout=60
    )


def test_a_script_that_ends_by_an_error_says_which(home: Home, phone: Phone) -> None:
    # Keras imports IPython too, and is no prompt for that.
    done = script(home, phone, "import IPython\ntrain(ZeroDivisionError('of the user'))")

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ZeroDivisionError: of the user"
    told = phone.wait_for(event="failed")
    assert (told["name"], told["error"]["message"]) == ("LightGBM", "of the user")


def test_a_script_that_is_interrupted_says_so(home: Home, phone: Phone) -> None:
    script(home, phone, "train(KeyboardInterrupt())")

    phone.wait_for(event="interrupted", name="LightGBM")


def test_a_script_that_caught_the_error_and_went_on_claims_nothing(home: Home, phone: Phone) -> None:
    done = script(home, phone, "try: train(KeyError(), name='one')\nexcept KeyError: pass\ntrain(name='two')")

    assert (done.returncode, done.stderr) == (0, "")
    assert phone.wait_for(name="two")["event"] == "finished"
    assert phone.wait_for(name="one")["event"] == "interrupted"
