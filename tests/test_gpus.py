"""The GPUs of this machine, and waiting for one. The far end is a fake ``nvidia-smi`` on the PATH: there is no GPU here."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from conftest import Home
from phone import Phone

from knock_magic import delivery, gpus, runs
from knock_magic.errors import UsageError
from knock_magic.event import Event
from knock_magic.gpus import Gpu
from knock_magic.integrations.gpu import FREE, wait_until_free
from knock_magic.runs import Run
from knock_magic.template import metric_text, render

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the fake nvidia-smi is a shell script")

A100 = "0, NVIDIA A100-SXM4-80GB, 62668, 81920, 97"
IDLE = "1, NVIDIA A100-SXM4-80GB, 4, 81920, 0"
SLICED = "2, NVIDIA A100-SXM4-80GB MIG 1g.10gb, [N/A], [N/A], [N/A]"

Fake = Callable[..., Path]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Put a fake ``nvidia-smi`` on the PATH, which gives one of `answers` after the other; gives the log of its calls."""
    monkeypatch.setattr(delivery, "_seen", [])

    def put(*answers: str, code: int = 0) -> Path:
        folder, log = tmp_path / "bin", tmp_path / "calls"
        folder.mkdir(exist_ok=True)
        for number, answer in enumerate(answers, 1):
            (tmp_path / f"answer-{number}").write_text(answer + "\n")
        (folder / "nvidia-smi").write_text(
            textwrap.dedent(
                f"""\
                #!/bin/sh
                echo "$@" >> {log}
                number=$(wc -l < {log})
                [ "$number" -le {len(answers)} ] || number={len(answers)}
                cat {tmp_path}/answer-$((number))
                exit {code}
                """
            )
        )
        (folder / "nvidia-smi").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        return log

    return put


def lines(path: Path) -> List[str]:
    return path.read_text().splitlines() if path.exists() else []


# Reading.


def test_it_reads_each_gpu(fake: Fake) -> None:
    log = fake(f"{A100}\n{IDLE}\n{SLICED}")

    assert gpus.seen() == [
        Gpu(0, "NVIDIA A100-SXM4-80GB", 62668, 81920, 97),
        Gpu(1, "NVIDIA A100-SXM4-80GB", 4, 81920, 0),
        Gpu(2, "NVIDIA A100-SXM4-80GB MIG 1g.10gb", None, None, None),
    ]
    assert lines(log) == [
        "--query-gpu=index,name,memory.used,memory.total,utilization.gpu --format=csv,noheader,nounits"
    ]


def test_it_says_them_in_a_line_each() -> None:
    assert str(Gpu(0, "A100", 62668, 81920, 97)) == "GPU 0: A100, 61.2/80.0 GiB, 97%"
    assert str(Gpu(2, "A100 MIG", None, None, None)) == "GPU 2: A100 MIG"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("Failed to initialize NVML: Driver/library version mismatch", 18),
        ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", 9),
    ],
)
def test_a_broken_driver_tells_nothing(fake: Fake, answer: str, code: int) -> None:
    fake(answer, code=code)

    assert gpus.seen() is None


@pytest.mark.parametrize("answer", ["", "nonsense", "x, y, z, 1, 2", "0, A100", "\0\xff"])
def test_nonsense_is_no_gpu(fake: Fake, answer: str) -> None:
    fake(answer)

    assert gpus.seen() == []


def test_where_there_is_no_nvidia_smi_there_is_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert gpus.seen() is None


def test_one_that_hangs_is_left_behind(fake: Fake, tmp_path: Path) -> None:
    fake(A100)
    (tmp_path / "bin" / "nvidia-smi").write_text("#!/bin/sh\nexec sleep 3\n")
    began = time.monotonic()

    assert gpus.seen(0.05) is None
    assert time.monotonic() - began < 1.5


# In a message.


def item(phone: Phone, template: Any = "detailed", late_s: float = 0.0, **facts: Any) -> Dict[str, Any]:
    event = Event("finished", "resnet", time.time(), host=runs.host(), user="ada", **facts)
    return {
        "knock": event.id,
        "channel": "webhook",
        "settings": {"url": phone.url},
        "event": event.to_json(),
        "template": template,
        "lang": "en",
        "late_s": late_s,
    }


def test_a_detailed_message_names_the_gpus_as_they_are(fake: Fake, phone: Phone) -> None:
    log = fake(f"{A100}\n{IDLE}")

    for _ in range(2):
        assert delivery.send(item(phone))["ok"]

    assert phone.wait()["text"].splitlines()[-2:] == [
        "GPU 0: NVIDIA A100-SXM4-80GB, 61.2/80.0 GiB, 97%",
        "GPU 1: NVIDIA A100-SXM4-80GB, 0.0/80.0 GiB, 0%",
    ]
    assert len(lines(log)) == 1


def test_a_template_of_ones_own_can_name_them(fake: Fake, phone: Phone) -> None:
    fake(A100)

    delivery.send(item(phone, {"name": "mine", "texts": {"default": "$name\n$gpu"}}))

    assert phone.wait()["text"] == "resnet\nGPU 0: NVIDIA A100-SXM4-80GB, 61.2/80.0 GiB, 97%"


@pytest.mark.parametrize(
    ("template", "late_s", "asks"),
    [("standard", 0.0, False), ("short", 0.0, False), ("detailed", 60.0, False), ("detailed", 0.0, True)],
)
def test_nobody_is_asked_where_it_is_not_shown_or_would_be_wrong(
    fake: Fake, phone: Phone, template: str, late_s: float, asks: bool
) -> None:
    log = fake(A100)

    delivery.send(item(phone, template, late_s))

    assert ("GPU" in phone.wait()["text"]) == asks == bool(lines(log))


def test_what_happened_elsewhere_has_no_gpus_of_ours(fake: Fake, phone: Phone) -> None:
    fake(A100)
    told = item(phone)
    told["event"]["host"] = "another machine"

    delivery.send(told)

    assert "GPU" not in phone.wait()["text"]


# Memory.


def test_the_peak_is_told_if_it_was_during_the_run() -> None:
    told: List[Event] = []
    run = Run("resnet", told.append)
    peaks = iter([5 * 1024**3, 5 * 1024**3, 6 * 1024**3])
    run.measure(lambda: next(peaks))

    run.progress(None)
    run.finish()

    assert [event.peak_bytes for event in told] == [None, 6 * 1024**3]
    assert "at most 6.0 GiB of RAM" in render(told[1], "detailed", lang="en").text
    assert "RAM 최대 6.0 GiB" in render(told[1], "detailed", lang="ko").text
    assert "RAM" not in render(told[0], "detailed", lang="en").text
    assert "RAM" not in render(told[1], "standard", lang="en").text


def test_little_memory_is_told_in_its_own_unit_and_next_to_none_not_at_all() -> None:
    def said(peak: int) -> str:
        return render(Event("finished", "resnet", time.time(), peak_bytes=peak), "detailed", lang="en").text

    assert "at most 34 MiB of RAM" in said(34 << 20)
    assert "RAM" not in said(1000)


@pytest.mark.parametrize("way", ["in Python", "as a command"])
def test_the_peak_is_that_of_the_work(way: str, home: Home, phone: Phone) -> None:
    work = "kept = bytearray(300 << 20)"
    command = {
        "in Python": [sys.executable, "-c", f"import knock\nwith knock.run('big'): {work}"],
        "as a command": [sys.executable, "-m", "knock_magic", "run", "big", "--", sys.executable, "-c", work],
    }[way]

    # By a shell, and not as our own child: that begins with what we ever held as its own peak (Linux, execve(2)).
    command = ["sh", "-c", '"$@"; exit $?', "sh", *command]
    subprocess.run(command, env=home.knocking_at(phone, KNOCK_TEMPLATE="detailed"), check=True, timeout=60)

    said = phone.wait_for(event="finished")["text"].partition("at most ")[2].partition(" MiB")[0]
    assert 250 <= float(said) <= 600


# Waiting.

BUSY = "1, A100, 40000, 81920, 90"
BETWEEN_EPOCHS = "1, A100, 40000, 81920, 0"


def test_it_waits_until_nobody_computes_there(fake: Fake) -> None:
    log = fake(f"{A100}\n{BUSY}", f"{A100}\n{BETWEEN_EPOCHS}", f"{A100}\n{IDLE}")

    assert wait_until_free(1, every=0.01) == 1
    assert len(lines(log)) == 5  # one to see who is there, one where it is still taken, and three where it is free


def test_once_free_is_not_free(fake: Fake) -> None:
    log = fake(IDLE, IDLE, IDLE, BUSY, IDLE)

    assert wait_until_free(1, every=0.01) == 1
    assert len(lines(log)) == 7


def test_any_one_will_do(fake: Fake) -> None:
    fake(f"{A100}\n{IDLE}")

    assert wait_until_free(every=0.01) == 1


def test_enough_memory_may_be_enough(fake: Fake) -> None:
    fake(f"{A100}\n{BUSY}")

    assert wait_until_free(1, free_gib=40, looks=1, every=0.01) == 1


def test_a_number_that_is_not_there_is_told(fake: Fake) -> None:
    fake(A100)

    with pytest.raises(UsageError, match=r"there is no GPU 7 here. There are: 0\."):
        wait_until_free(7)


def test_a_number_may_be_text_and_a_word_is_none(fake: Fake) -> None:
    fake(f"{A100}\n{IDLE}")

    assert wait_until_free("1", every=0.01) == 1
    with pytest.raises(UsageError, match=r"a GPU is named by its number, .* got 'cuda:1'"):
        wait_until_free("cuda:1")


def test_a_card_that_tells_nothing_is_not_waited_for(fake: Fake) -> None:
    fake(f"{IDLE}\n{SLICED}")

    with pytest.raises(UsageError, match="does not tell how much of GPU 2 is in use"):
        wait_until_free(2)
    assert wait_until_free(every=0.01) == 1

    fake(SLICED)
    with pytest.raises(UsageError, match="GPU 2"):
        wait_until_free()


def test_a_bad_answer_in_the_night_does_not_end_it(fake: Fake) -> None:
    log = fake(BUSY, "Failed to initialize NVML", IDLE)

    assert wait_until_free(1, every=0.01) == 1
    assert len(lines(log)) == 5


def test_a_slow_answer_is_waited_for(fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(IDLE)
    monkeypatch.setattr(gpus, "ANSWER_S", 0.01)  # what a message would wait
    script = tmp_path / "bin" / "nvidia-smi"
    script.write_text(script.read_text().replace("#!/bin/sh\n", "#!/bin/sh\nsleep 0.1\n"))

    assert wait_until_free(1, looks=1) == 1


def test_the_message_says_which_one_is_free(fake: Fake, home: Home, phone: Phone) -> None:
    fake(f"{A100}\n{IDLE}")
    code = (
        "import knock; from knock_magic.integrations.gpu import wait_until_free\n"
        "with knock.run('a GPU'): wait_until_free(every=0.01)"
    )

    subprocess.run(
        [sys.executable, "-c", code],
        env={**home.knocking_at(phone), "PATH": os.environ["PATH"]},
        check=True,
        timeout=60,
    )

    assert "GPU 1: free again" in phone.wait_for(event="finished")["text"]
    assert metric_text("GPU 1", FREE["ko"]) == "GPU 1: 다시 비었어요"


def test_without_nvidia_smi_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UsageError, match="nvidia-smi tells of no GPU here"):
        wait_until_free()


def test_a_command_waits_and_names_it(fake: Fake, home: Home, phone: Phone) -> None:
    fake(f"{A100}\n{IDLE}")
    command = [sys.executable, "-m", "knock_magic.integrations.gpu"]
    env = {**home.knocking_at(phone), "PATH": os.environ["PATH"]}
    code = "from knock_magic.integrations import gpu; print(gpu.wait_until_free(1, every=0.01))"

    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
    wrong = subprocess.run([*command, "7"], env=env, capture_output=True, text=True, timeout=60)

    assert (done.stdout, done.stderr) == ("1\n", "")
    assert (wrong.returncode, wrong.stderr) == (1, "knock: there is no GPU 7 here. There are: 0, 1.\n")
