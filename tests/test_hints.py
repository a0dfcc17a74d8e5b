"""Why it failed: real texts of real libraries, and what is said of them; and silence about everything else."""

from __future__ import annotations

import errno
import os
import re
import string
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, List, Tuple

import pytest

from knock_magic import hints
from knock_magic.event import ErrorInfo, Event
from knock_magic.template import render
from knock_magic.tracebacks import describe

# Recorded: what no test can bring about here. Beside each stands who said it, and where or with which version.
RECORDED: List[Tuple[str, str, str, str]] = [
    (
        "gpu memory",
        "OutOfMemoryError",
        "CUDA out of memory. Tried to allocate 22.00 MiB. GPU 0 has a total capacity of 23.65 GiB of which 11.06 MiB is free. Including non-PyTorch memory, this process has 23.60 GiB memory in use. Of the allocated memory 22.90 GiB is allocated by PyTorch, and 194.87 MiB is reserved by PyTorch but unallocated.",
        "PyTorch 2.2: github.com/pytorch/pytorch/issues/16417",
    ),
    (
        "gpu memory",
        "RuntimeError",
        "CUDA out of memory. Tried to allocate 2.26 GiB (GPU 0; 6.00 GiB total capacity; 781.59 MiB already allocated; 3.03 GiB free; 1.24 GiB reserved in total by PyTorch)",
        "PyTorch 1.8: github.com/pytorch/pytorch/issues/59778",
    ),
    (
        "device memory",
        "XlaRuntimeError",
        "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 7406166528 bytes.",
        "jaxlib 0.4: github.com/google-deepmind/alphafold/issues/1023",
    ),
    (
        "device memory",
        "ResourceExhaustedError",
        "OOM when allocating tensor with shape[16,112,112,147] and type float on /job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc",
        "TensorFlow 1: github.com/Azure/MachineLearningNotebooks/issues/880",
    ),
    (
        "shared memory",
        "RuntimeError",
        "DataLoader worker (pid 46794) is killed by signal: Bus error. It is possible that dataloader's workers are out of shared memory. Please try to raise your shared memory limit.",
        "PyTorch: github.com/hkchengrex/STCN/issues/132",
    ),
    (
        "worker killed",
        "RuntimeError",
        "DataLoader worker (pid 1234) is killed by signal: Killed. ",
        "PyTorch 2.13, torch/utils/data/_utils/signal_handling.py",
    ),
    (
        "worker error",
        "RuntimeError",
        "DataLoader worker (pid(s) 1234, 1235) exited unexpectedly",
        "PyTorch 2.13, torch/utils/data/dataloader.py",
    ),
    ("killed for memory", "OOM", "", "what the courier finds"),
    ("bus error", "SIGBUS", "", "what the courier finds"),
    (
        "checkpoint not written",
        "RuntimeError",
        "[enforce fail at inline_container.cc:603] . unexpected pos 64 vs 0",
        "PyTorch 2, torch.save on a full disk",
    ),
    (
        "drive not mounted",
        "FileNotFoundError",
        "[Errno 2] No such file or directory: '/content/drive/MyDrive/data.csv'",
        "Colab",
    ),
    ("disk quota", "OSError", "[Errno 122] Disk quota exceeded: 'model.pt'", "Linux, errno 122"),
    (
        "driver old",
        "RuntimeError",
        "The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver by downloading and installing a new version from the URL: http://www.nvidia.com/Download/index.aspx Alternatively, go to: https://pytorch.org to install a PyTorch version that has been compiled with your version of the CUDA driver.",
        "PyTorch: github.com/serend1p1ty/SeqNet/issues/36",
    ),
    (
        "no driver",
        "RuntimeError",
        "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and installed a driver from http://www.nvidia.com/Download/index.aspx",
        "PyTorch, torch/cuda",
    ),
    ("nvml mismatch", "RuntimeError", "Failed to initialize NVML: Driver/library version mismatch", "nvidia-smi"),
    (
        "no kernel image",
        "RuntimeError",
        "CUDA error: no kernel image is available for execution on the device",
        "PyTorch 1.9: github.com/clarinsi/classla/issues/12",
    ),
    (
        "cudnn mismatch",
        "InternalError",
        "Loaded runtime CuDNN library: 7.1.2 but source was compiled with: 7.6.0.",
        "TensorFlow 2",
    ),
    (
        "cudnn",
        "RuntimeError",
        "cuDNN error: CUDNN_STATUS_NOT_INITIALIZED",
        "PyTorch: github.com/zh-plus/video-to-pose3D/issues/51",
    ),
    ("device assert", "AcceleratorError", "CUDA error: device-side assert triggered", "PyTorch 2.8"),
    (
        "devices",
        "RuntimeError",
        "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!",
        "PyTorch 2",
    ),
    (
        "devices",
        "RuntimeError",
        "Input type (torch.cuda.FloatTensor) and weight type (torch.FloatTensor) should be the same",
        "PyTorch 2",
    ),
    (
        "to numpy",
        "TypeError",
        "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first.",
        "PyTorch 2",
    ),
    (
        "fork",
        "RuntimeError",
        "Cannot re-initialize CUDA in forked subprocess. To use CUDA with multiprocessing, you must use the 'spawn' start method",
        "PyTorch 2",
    ),
    (
        "bootstrapping",
        "RuntimeError",
        "\n        An attempt has been made to start a new process before the\n        current process has finished its bootstrapping phase.\n",
        "Python 3.11, multiprocessing/spawn.py",
    ),
    (
        "nccl",
        "DistBackendError",
        "NCCL error in: ../torch/csrc/distributed/c10d/ProcessGroupNCCL.cpp:1970, unhandled system error",
        "PyTorch 2",
    ),
    (
        "cuda checkpoint",
        "RuntimeError",
        "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False. If you are running on a CPU-only machine, please use torch.load with map_location=torch.device('cpu') to map your storages to the CPU.",
        "PyTorch 2",
    ),
    (
        "libGL",
        "ImportError",
        "libGL.so.1: cannot open shared object file: No such file or directory",
        "opencv-python in a container",
    ),
    (
        "numpy binary",
        "ValueError",
        "numpy.dtype size changed, may indicate binary incompatibility. Expected 96 from C header, got 88 from PyObject",
        "NumPy 2 and a package built for 1",
    ),
    (
        "gated model",
        "GatedRepoError",
        "401 Client Error. (Request ID: Root=1-66)\n\nCannot access gated repo for url https://huggingface.co/x/y/resolve/main/config.json.\nAccess to model x/y is restricted. You must have access to it and be authenticated to access it. Please log in.",
        "huggingface_hub 0.24",
    ),
    (
        "no such model",
        "OSError",
        "bert-large-korean is not a local folder and is not a valid model identifier listed on 'https://huggingface.co/models'",
        "transformers 4",
    ),
    (
        "wandb",
        "UsageError",
        "api_key not configured (no-tty). call wandb.login(key=[your_api_key])",
        "wandb: github.com/ultralytics/yolov5/issues/2848",
    ),
    (
        "kaggle",
        "OSError",
        "Could not find kaggle.json. Make sure it's located in /home/ada/.kaggle. Or use the environment method.",
        "kaggle 1.6",
    ),
    (
        "quota",
        "RateLimitError",
        "Error code: 429 - {'error': {'message': 'You exceeded your current quota, please check your plan and billing details.', 'type': 'insufficient_quota', 'param': None, 'code': 'insufficient_quota'}}",
        "openai 1: github.com/OpenHands/OpenHands/issues/998",
    ),
    (
        "too many requests",
        "HTTPError",
        "429 Client Error: Too Many Requests for url: https://example.invalid/v1",
        "requests 2.32",
    ),
    ("key refused", "HTTPError", "401 Client Error: Unauthorized for url: https://example.invalid/v1", "requests 2.32"),
    (
        "certificate",
        "SSLError",
        "HTTPSConnectionPool(host='example.invalid', port=443): Max retries exceeded with url: / (Caused by SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate (_ssl.c:1006)')))",
        "requests 2.32",
    ),
    (
        "no name",
        "ConnectionError",
        "HTTPSConnectionPool(host='example.invalid', port=443): Max retries exceeded with url: / (Caused by NameResolutionError(\"Failed to resolve 'example.invalid' ([Errno -3] Temporary failure in name resolution)\"))",
        "requests 2.32",
    ),
    ("nan loss", "ValueError", "Loss is nan, stopping training", "torchvision's reference scripts"),
    (
        "nan loss",
        "RuntimeError",
        "Function 'MseLossBackward0' returned nan values in its 0th output.",
        "PyTorch 2, detect_anomaly",
    ),
    ("no cuda build", "AssertionError", "Torch not compiled with CUDA enabled", "PyTorch 2.13"),
    (
        "lfs pointer",
        "UnpicklingError",
        "invalid load key, 'v'.",
        "Python 3.11, pickle of a Git LFS pointer",
    ),
    ("not cp949", "UnicodeDecodeError", "'cp949' codec can't decode byte 0xec in position 0: illegal multibyte sequence", "Python 3.11, Windows in Korean"),
    ("permission", "PermissionError", "[Errno 13] Permission denied: '/data/model.pt'", "Python 3.11"),
    ("watched files", "OSError", "inotify watch limit reached", "watchdog 4, observers/inotify_c.py"),
    ("device memory", "InternalError", "failed to allocate 2.00G (2147483648 bytes) from device: CUDA_ERROR_OUT_OF_MEMORY: out of memory", "TensorFlow 2"),
    (
        "devices",
        "RuntimeError",
        "Input type (torch.FloatTensor) and weight type (torch.cuda.FloatTensor) should be the same or input should be a MKLDNN tensor and weight is a dense tensor",
        "PyTorch 2",
    ),
    (
        "types of numbers",
        "RuntimeError",
        "Input type (torch.cuda.FloatTensor) and weight type (torch.cuda.HalfTensor) should be the same",
        "PyTorch 2",
    ),
    ("missing library", "ImportError", "\nAutoModel requires the PyTorch library but it was not found in your environment.", "transformers 5"),
    (
        "no token",
        "LocalTokenNotFoundError",
        "Token is required (`token=True`), but no token found. You need to provide a token or be logged in to Hugging Face with `hf auth login` or `huggingface_hub.login`.",
        "huggingface_hub 1",
    ),
    ("too many requests", "HTTPError", "HTTP Error 429: Too Many Requests", "Python 3.11, urllib"),
    (
        "too many requests",
        "HfHubHTTPError",
        "Client error '429 Too Many Requests' for url 'https://example.invalid/v1' (Request ID: Root=1)",
        "huggingface_hub 1",
    ),
    (
        "too many requests",
        "ResourceExhausted",
        "429 You exceeded your current quota, please check your plan and billing details. Please retry in 20.5s.",
        "google-api-core 2, Gemini",
    ),
]  # fmt: skip

# Brought about in tests/integrations, with the library itself.
WITH_LIBRARIES = (
    *("layer size", "channels", "batch sizes", "tensor sizes", "shapes", "columns", "rows", "another model"),
    *("label range", "token range", "types of numbers", "second backward", "in place", "no grad", "nan in data"),
    *("weights only", "memory of a tensor", "unequal items", "ragged", "a table"),
)


@pytest.mark.parametrize(("name", "kind", "message", "source"), RECORDED)
def test_it_knows_what_was_recorded(name: str, kind: str, message: str, source: str) -> None:
    assert hints.name_of_hint(ErrorInfo(kind, message)) == name


# Brought about here.


def no_space() -> None:
    with open("/dev/full", "w") as file:
        file.write("x" * 10_000)


def too_many_files() -> None:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), "data.bin")  # to use them all up would hurt the other tests


def own_file(name: str, code: str) -> None:
    """Run `code` with a file `name`.py of one's own beside it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, f"{name}.py").write_text(code if code.startswith("from") else "")
        sys.path.insert(0, folder)
        try:
            exec(code)
        finally:
            sys.path.remove(folder)


def circular() -> None:
    own_file("knock_test_itself", "from knock_test_itself import nothing")


def port_in_use() -> None:
    import socket

    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        one.listen()
        other.bind(one.getsockname())


def a_page() -> None:
    import pickle

    pickle.loads(b"<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("name", "act"),
    [
        pytest.param(
            "disk full",
            no_space,
            marks=pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, which Linux has"),
        ),
        ("open files", too_many_files),
        ("memory", lambda: bytearray(sys.maxsize - 1)),
        ("file not found", lambda: os.stat("no/such/file.csv")),
        ("no program", lambda: subprocess.run(["knock-test-no-such-program"], check=False, env={"PATH": os.defpath})),
        ("not utf-8", lambda: "한글".encode("cp949").decode("utf-8")),
        ("missing module", lambda: __import__("knock_test_no_such_module")),
        ("missing package", lambda: exec("raise ModuleNotFoundError(\"No module named 'cv2'\", name='cv2')")),
        ("hidden package", lambda: own_file("knock_test_torch", "import knock_test_torch.nn")),
        ("circular import", circular),
        ("port in use", port_in_use),
        ("a page for a file", a_page),
    ],
)
def test_it_knows_what_python_raises(name: str, act: Callable[[], Any]) -> None:
    with pytest.raises(Exception) as raised:
        act()

    assert hints.name_of_hint(describe(raised.value)) == name


def test_every_row_has_a_real_text() -> None:
    tested = {name for name, *_ in RECORDED} | set(WITH_LIBRARIES)
    (cases,) = (mark.args[1] for mark in test_it_knows_what_python_raises.pytestmark)  # type: ignore[attr-defined]
    here = {getattr(case, "values", case)[0] for case in cases}

    assert tested | here == {row.name for row in hints.TABLE}


# What it says.


def test_it_names_the_package_and_not_the_module() -> None:
    said = hints.hint(ErrorInfo("ModuleNotFoundError", "No module named 'cv2'"))

    assert said["en"].endswith("pip install opencv-python")
    assert said["ko"].endswith("pip install opencv-python")


def test_it_guesses_no_package_by_the_name_of_a_module() -> None:
    said = hints.hint(ErrorInfo("ModuleNotFoundError", "No module named 'my_utils'"))

    assert "pip" not in said["en"]
    assert "my_utils" in said["en"]


def test_it_says_the_numbers() -> None:
    said = hints.hint(ErrorInfo("RuntimeError", "mat1 and mat2 shapes cannot be multiplied (4x784 and 512x10)"))

    assert said["en"].startswith("A Linear layer takes 512 features and got 784.")
    assert said["ko"].startswith("Linear 층은 512개의 특성을 받는데 784개가 들어왔어요.")


@pytest.mark.parametrize("row", hints.TABLE, ids=lambda row: row.name)
def test_each_row_is_a_sentence_in_both_languages(row: hints.Hint) -> None:
    groups = set(re.compile(row.pattern).groupindex)

    for text in (row.en, row.ko):
        assert {name for _, name, _, _ in string.Formatter().parse(text) if name} <= groups
        assert len(text) <= 150
        assert "\n" not in text
    assert re.search("[가-힣]", row.ko)
    assert not re.search("[가-힣]", row.en)


def test_it_is_quiet_about_what_it_does_not_know() -> None:
    unknown = [
        ("KeyError", "'loss'"),
        ("ValueError", "memory must be one of 'a', 'b'"),
        ("ValueError", "CUDA"),
        ("RuntimeError", "the shape of things to come"),
        ("RuntimeError", "out of memory of my own"),
        ("AssertionError", ""),
        ("ConnectionError", "401 apples"),
        ("ValueError", "order 429 does not exist"),
        ("HTTPError", "500 Server Error"),
        ("HTTPError", "500 Server Error: x for url: http://h/items/429"),
        ("HTTPError", "HTTP Error 404: /user/401"),
        ("HTTPError", "403 Client Error: Forbidden for url: https://api/x?id=401"),
        ("KeyError", "'No space left on device'"),
        ("AssertionError", "expected message 'CUDA out of memory' but got 'foo'"),
        ("ValueError", "bad config: [Errno 28] is not a number I know"),
        ("ValueError", "model is not aligned: run align() first"),
        ("InternalError", "Failed to allocate a socket"),
        ("TypeError", "unsupported operand type(s) for +: 'int' and 'str'"),
        ("IndexError", "list index out of range"),
        ("ValueError", "banana contains nantes"),
        ("ExitCode", "Segmentation fault"),
        ("ExitCode", "No module named nothing was said"),
        ("SIGKILL", ""),
        ("unknown", ""),
        ("KeyboardInterrupt", ""),
    ]

    assert [kind for kind, message in unknown if hints.hint(ErrorInfo(kind, message))] == []
    assert hints.hint(None) == {}


def test_a_command_is_known_by_the_last_error_it_printed() -> None:
    tail = (
        'Epoch 3\nTraceback (most recent call last):\n  File "train.py", line 3, in <module>\n    model(x)\n'
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"
    )

    assert hints.name_of_hint(ErrorInfo("ExitCode", tail)) == "gpu memory"
    assert hints.name_of_hint(ErrorInfo("ExitCode", f"{tail}\nValueError: something else\n")) is None


def test_it_is_quick_also_with_a_long_text_and_the_first_time() -> None:
    code = (
        "import time\nfrom knock_magic import hints\nfrom knock_magic.event import ErrorInfo\n"
        "began = time.perf_counter()\nhints.hint(ErrorInfo('RuntimeError', 'x' * 1_000_000))\n"
        "print(time.perf_counter() - began)"
    )
    taken = min(
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    )

    assert taken < 0.01


@pytest.mark.parametrize("text", ["{", "{0}", "%s", "$name", "(" * 5000, "a" * 50 + "\x00", "No module named '{x}'"])
def test_no_text_breaks_it(text: str) -> None:
    for kind in ("RuntimeError", "ModuleNotFoundError", "ExitCode", "ValueError"):
        hints.hint(ErrorInfo(kind, text))


# In a message.


def failed(error: ErrorInfo, template: Any = "standard", lang: str = "en") -> str:
    return render(Event("failed", "resnet", time.time(), duration_s=2460.0, error=error), template, lang=lang).text


OOM = ErrorInfo("OutOfMemoryError", "CUDA out of memory. Tried to allocate 2.00 GiB", "train.py, line 88, in step")


def test_it_stands_below_the_error() -> None:
    assert failed(OOM).splitlines()[-2:] == [
        "train.py, line 88, in step",
        "💡 The memory of the GPU is full. Try a smaller batch, gradient accumulation or mixed precision; "
        "or free what other notebooks hold.",
    ]
    assert failed(OOM, lang="ko").splitlines()[-1].startswith("💡 GPU 메모리가 부족해요.")
    assert "💡" in failed(OOM, "detailed")


def test_the_short_template_leaves_it_out() -> None:
    assert "💡" not in failed(OOM, "short")


def test_a_template_of_ones_own_can_name_it() -> None:
    own = {"name": "mine", "texts": {"failed": "$name\n$hint"}}

    assert failed(OOM, own).startswith("resnet\n💡 The memory of the GPU is full.")
    assert failed(ErrorInfo("KeyError", "'x'"), own) == "resnet"


def test_a_death_for_want_of_memory_says_what_to_try() -> None:
    event = Event("died", "resnet", time.time(), duration_s=60.0, error=ErrorInfo("OOM", ""))

    assert render(event, lang="en").text.splitlines()[-1].startswith("💡 Load less at once")
