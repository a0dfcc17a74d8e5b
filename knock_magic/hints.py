"""Why it failed, in a sentence, with the next thing to try: known by the error's type and words.

To add one, add a row to the table, and its real text to the test. A row says nothing that may be wrong where its
pattern fits; what nobody recognises gets no hint. Looked up where a message is made, never in a cell.
"""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, NamedTuple, Optional, Tuple

from knock_magic.cleaning import one_line
from knock_magic.event import ErrorInfo

Texts = Mapping[str, str]

READ = 4000  # characters at either end of a message; libraries write their reasons there
LONGEST_PART = 60  # of what is quoted from the message
QUOTING = ("AssertionError", "KeyError")  # their words are mostly a text or a key that somebody looked for


class Hint(NamedTuple):
    """One row: the error's `types` (none: any), and `words` of which its message has one (none: whatever it says).

    Where these are not enough, a `pattern` has to be there as well; `en` and `ko` can name its groups. It is not
    looked for without the words, since to compile all of them would take 50 ms.
    """

    name: str
    types: Tuple[str, ...]
    words: Tuple[str, ...]
    en: str
    ko: str
    pattern: str = ""


def hint(error: Optional[ErrorInfo]) -> Texts:
    """What to say of `error`, in each language; nothing where it is not known."""
    found = _found(error) if error else None
    if found is None:
        return {}
    row, groups = found
    return {"en": row.en.format(**groups), "ko": row.ko.format(**groups)}


def name_of_hint(error: Optional[ErrorInfo]) -> Optional[str]:
    """The name of the row that fits `error`."""
    found = _found(error) if error else None
    return found[0].name if found else None


def hint_called(name: str) -> Texts:
    """What the row `name` says, where it needs no error."""
    row = next(row for row in TABLE if row.name == name)
    return {"en": row.en, "ko": row.ko}


def _found(error: ErrorInfo) -> Optional[Tuple[Hint, Dict[str, str]]]:
    kind, message = error.type, error.message
    if kind == "ExitCode":  # the end of what a command printed; Python's last line names the error
        kind, message = _last_error(message)
    text = message if len(message) <= 2 * READ else f"{message[:READ]}\n{message[-READ:]}"
    for row in TABLE:
        of_type = kind in row.types if row.types else kind not in QUOTING
        fits = of_type and (not row.words or any(word in text for word in row.words))
        match = re.search(row.pattern, text) if fits else None
        if match:
            return row, {name: _quoted(name, part or "") for name, part in match.groupdict().items()}
    return None


def _last_error(tail: str) -> Tuple[str, str]:
    found = list(_LAST_LINE.finditer(tail))
    return (found[-1][1].rpartition(".")[2], tail[found[-1].start(2) :]) if found else ("", "")


_LAST_LINE = re.compile(r"^([A-Za-z_][\w.]{0,200}(?:Error|Exception|Exhausted)): (.*)", re.MULTILINE)


def _quoted(name: str, part: str) -> str:
    if name == "package":
        return PACKAGES.get(part, part)
    return one_line(part, LONGEST_PART)


# Modules whose package has another name. One that is not here is not to be guessed: a stranger's package may have it.
PACKAGES = {
    "Crypto": "pycryptodome",
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dotenv": "python-dotenv",
    "faiss": "faiss-cpu",
    "fitz": "pymupdf",
    "git": "gitpython",
    "google.protobuf": "protobuf",
    "ignite": "pytorch-ignite",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "umap": "umap-learn",
    "yaml": "pyyaml",
    **{
        name: name
        for name in (
            *("accelerate", "albumentations", "bitsandbytes", "catboost", "datasets", "diffusers", "einops", "gensim"),
            *("gymnasium", "jax", "joblib", "keras", "konlpy", "lightgbm", "lightning", "matplotlib", "nltk", "numpy"),
            *("openai", "optuna", "pandas", "peft", "plotly", "polars", "pyarrow", "pytorch_lightning", "scipy"),
            *("seaborn", "sentence_transformers", "sentencepiece", "spacy", "tensorboard", "tensorflow", "timm"),
            *("tokenizers", "torch", "torchaudio", "torchmetrics", "torchvision", "tqdm", "transformers", "trl"),
            *("ultralytics", "wandb", "xformers", "xgboost"),
        )
    },
}
_KNOWN = "|".join(re.escape(name) for name in PACKAGES)

_CUDA = ("RuntimeError", "AcceleratorError", "OutOfMemoryError")
_FULL_EN = "Try a smaller batch, gradient accumulation or mixed precision; or free what other notebooks hold."
_FULL_KO = "배치 크기를 줄이거나, gradient accumulation이나 mixed precision을 쓰거나, 다른 노트북이 잡고 있는 메모리를 비워 보세요."

_STATUS = r"(?:(?m:^)|HTTP Error |Error code: |error ')"  # where urllib, requests, httpx and openai say it

TABLE: List[Hint] = [
    # Memory.
    Hint(
        "gpu memory",
        (),
        (
            "CUDA out of memory",
            "HIP out of memory",
            "MPS backend out of memory",
            "CUDA error: out of memory",
            "cudaErrorMemoryAllocation",
        ),
        en=f"The memory of the GPU is full. {_FULL_EN}",
        ko=f"GPU 메모리가 부족해요. {_FULL_KO}",
    ),
    Hint(
        "device memory",
        ("XlaRuntimeError", "JaxRuntimeError", "ResourceExhaustedError", "InternalError"),
        ("ut of memory", "OUT_OF_MEMORY", "OOM when allocating", "ailed to allocate"),
        pattern=r"ut of memory|OUT_OF_MEMORY|OOM when allocating|ailed to allocate (?:memory|request|\d)",
        en=f"The memory of the device that computes is full. {_FULL_EN}",
        ko=f"계산하는 장치의 메모리가 부족해요. {_FULL_KO}",
    ),
    Hint(
        "shared memory",
        (),
        (
            "killed by signal: Bus error",
            "insufficient shared memory",
            "unable to open shared memory object",
            "unable to write to file </torch_",
        ),
        en="The DataLoader's workers ran out of shared memory. Set num_workers=0, or give Docker --shm-size=8g.",
        ko="DataLoader 워커의 공유 메모리가 부족해요. num_workers=0으로 하거나 Docker에 --shm-size=8g를 주세요.",
    ),
    Hint(
        "worker killed",
        (),
        ("is killed by signal: Killed",),
        pattern=r"DataLoader worker \(pid.{0,40}\) is killed by signal: Killed",
        en="A DataLoader worker was killed, mostly because the machine's memory is full. Use fewer num_workers.",
        ko="DataLoader 워커가 강제 종료됐어요. 대개 메모리 부족이 원인이니 num_workers를 줄여 보세요.",
    ),
    Hint(
        "worker error",
        (),
        ("exited unexpectedly",),
        pattern=r"DataLoader worker \(pid\(s\).{0,200}\) exited unexpectedly",
        en="A DataLoader worker died. With num_workers=0 you see the error that it died of.",
        ko="DataLoader 워커가 죽었어요. num_workers=0으로 실행하면 진짜 오류를 볼 수 있어요.",
    ),
    Hint(
        "memory",
        ("MemoryError", "_ArrayMemoryError"),
        (),
        en="The machine's memory (RAM) is full. Load less at once, use smaller types (float32), or delete what is not needed.",
        ko="메모리(RAM)가 부족해요. 나눠서 읽거나, float32처럼 작은 자료형을 쓰거나, 안 쓰는 변수를 지워 보세요.",
    ),
    Hint(
        "memory of a tensor",
        ("RuntimeError",),
        ("DefaultCPUAllocator: can't allocate memory", "DefaultCPUAllocator: not enough memory"),
        en="The machine's memory (RAM) is full. Use smaller batches or types, or load less at once.",
        ko="메모리(RAM)가 부족해요. 배치나 자료형을 줄이거나 나눠서 읽어 보세요.",
    ),
    Hint(
        "killed for memory",
        ("OOM",),
        (),
        en="Load less at once, use smaller batches or fewer DataLoader workers, or take a machine with more memory.",
        ko="나눠서 읽거나 배치 크기와 DataLoader 워커 수를 줄이거나, 메모리가 더 큰 컴퓨터를 써 보세요.",
    ),
    Hint(
        "bus error",
        ("SIGBUS",),
        (),
        en="Mostly /dev/shm is full. Use fewer DataLoader workers, or give Docker --shm-size=8g.",
        ko="대개 /dev/shm이 가득 찬 거예요. DataLoader 워커를 줄이거나 Docker에 --shm-size=8g를 주세요.",
    ),
    # Disk and files.
    Hint(
        "watched files",
        ("OSError",),
        ("inotify",),
        pattern=r"inotify (?:watch|instance) limit reached",
        en="Too many files are watched: raise fs.inotify.max_user_watches (sysctl), or watch fewer folders.",
        ko="감시하는 파일이 너무 많아요. fs.inotify.max_user_watches를 늘리거나(sysctl) 감시할 폴더를 줄여 주세요.",
    ),
    Hint(
        "disk full",
        (),
        ("No space left on device", "[Errno 28]", "database or disk is full"),
        pattern=r"No space left on device|\A\[Errno 28\]|database or disk is full",
        en="The disk is full. Delete old checkpoints and caches; df -h shows where.",
        ko="디스크가 가득 찼어요. 오래된 체크포인트나 캐시를 지워 주세요. df -h로 어디인지 볼 수 있어요.",
    ),
    Hint(
        "disk quota",
        (),
        ("Disk quota exceeded", "[Errno 122]"),
        en="Your disk quota is used up. Delete old checkpoints and caches, or write to another folder.",
        ko="디스크 할당량을 다 썼어요. 오래된 체크포인트나 캐시를 지우거나 다른 폴더에 저장해 주세요.",
    ),
    Hint(
        "checkpoint not written",
        ("RuntimeError",),
        ("PytorchStreamWriter failed writing file", "inline_container.cc"),
        pattern=r"PytorchStreamWriter failed writing file|inline_container\.cc.{0,80}(?:unexpected pos|file write failed)",
        en="A checkpoint could not be written. Mostly the disk is full: look at df -h.",
        ko="체크포인트를 쓰지 못했어요. 대개 디스크가 가득 찬 거예요. df -h로 확인해 보세요.",
    ),
    Hint(
        "drive not mounted",
        ("FileNotFoundError",),
        ("/content/drive/",),
        en="Google Drive may not be mounted: from google.colab import drive; drive.mount('/content/drive').",
        ko="구글 드라이브가 연결되지 않았을 수 있어요. from google.colab import drive; drive.mount('/content/drive')를 실행해 보세요.",
    ),
    Hint(
        "no program",
        ("FileNotFoundError",),
        ("No such file or directory", "[WinError 2]"),
        pattern=r"No such file or directory: '[\w+-]{1,40}'\Z|\[WinError 2\]",
        en="If it is a program, install it or add its folder to PATH; if it is a file, check the path.",
        ko="프로그램이라면 설치하거나 PATH에 폴더를 넣어 주세요. 파일이라면 경로를 확인해 주세요.",
    ),
    Hint(
        "file not found",
        ("FileNotFoundError",),
        ("No such file or directory", "[WinError 3]"),
        en="Check the path; it is relative to the folder that this runs in: os.getcwd().",
        ko="경로를 확인해 주세요. 상대 경로는 지금 실행 중인 폴더(os.getcwd()) 기준이에요.",
    ),
    Hint(
        "permission",
        ("PermissionError",),
        ("Permission denied", "Operation not permitted", "[WinError 5]"),
        en="You may not read or write there. Use a folder of your own, or ask for the permission.",
        ko="읽거나 쓸 권한이 없는 곳이에요. 내 폴더를 쓰거나 권한을 요청해 주세요.",
    ),
    Hint(
        "open files",
        (),
        ("Too many open files", "[Errno 24]"),
        en="Too many files are open: raise the limit (ulimit -n), close files, or use fewer DataLoader workers.",
        ko="열린 파일이 너무 많아요. ulimit -n을 늘리거나, 파일을 닫거나, DataLoader 워커를 줄여 보세요.",
    ),
    Hint(
        "not utf-8",
        ("UnicodeDecodeError",),
        ("'utf-8' codec can't decode",),
        en="The file is not UTF-8. Name its encoding: Korean files are often encoding='cp949'.",
        ko="UTF-8 파일이 아니에요. 한글 파일이라면 encoding='cp949'로 읽어 보세요.",
    ),
    Hint(
        "not cp949",
        ("UnicodeDecodeError",),
        (
            "'cp949' codec can't decode",
            "'euc_kr' codec can't decode",
            "'cp1252' codec can't decode",
            "'ascii' codec can't decode",
            "'charmap' codec can't decode",
        ),
        en="Name the file's encoding when you read it: mostly encoding='utf-8'.",
        ko="읽을 때 인코딩을 적어 주세요. 대개 encoding='utf-8'이면 돼요.",
    ),
    Hint(
        "lfs pointer",
        ("UnpicklingError",),
        ("invalid load key, 'v'",),
        en="This may be a Git LFS pointer and not the file itself: git lfs pull, or download it again.",
        ko="진짜 파일이 아니라 Git LFS 포인터일 수 있어요. git lfs pull을 하거나 다시 내려받아 주세요.",
    ),
    Hint(
        "a page for a file",
        ("UnpicklingError",),
        ("invalid load key, '<'",),
        en="This is a web page and not the file: the download went wrong. Download it again.",
        ko="파일이 아니라 웹 페이지가 저장됐어요. 다시 내려받아 주세요.",
    ),
    Hint(
        "weights only",
        (),
        ("Weights only load failed",),
        en="Since PyTorch 2.6, torch.load takes weights only. If you trust the file: torch.load(..., weights_only=False).",
        ko="PyTorch 2.6부터 torch.load는 가중치만 읽어요. 믿을 수 있는 파일이면 weights_only=False로 읽어 주세요.",
    ),
    # Packages.
    Hint(
        "hidden package",
        ("ModuleNotFoundError",),
        ("is not a package",),
        pattern=r"No module named '[^']{1,100}'; '(?P<module>\w{1,60})' is not a package",
        en="A file of yours called {module}.py may hide the package of that name. Rename it.",
        ko="내 파일 {module}.py가 같은 이름의 패키지를 가리고 있을 수 있어요. 파일 이름을 바꿔 보세요.",
    ),
    Hint(
        "missing package",
        ("ModuleNotFoundError",),
        ("No module named",),
        pattern=rf"No module named '(?P<package>{_KNOWN})'",
        en="Install it in the Python that runs here: pip install {package}",
        ko="지금 쓰는 파이썬에 설치해 주세요: pip install {package}",
    ),
    Hint(
        "missing module",
        ("ModuleNotFoundError",),
        ("No module named",),
        pattern=r"No module named '(?P<module>[\w.]{1,100})'",
        en="The Python that runs here has no module {module}: install its package, or add its folder to sys.path.",
        ko="지금 쓰는 파이썬에 {module} 모듈이 없어요. 패키지를 설치하거나 폴더를 sys.path에 넣어 주세요.",
    ),
    Hint(
        "missing library",
        ("ImportError",),
        ("library but it was not found",),
        pattern=r"requires the (?P<library>[\w .-]{1,40}) library but it was not found",
        en="Install {library} in the Python that runs here, and restart the kernel.",
        ko="지금 쓰는 파이썬에 {library} 라이브러리를 설치하고 커널을 다시 시작해 주세요.",
    ),
    Hint(
        "circular import",
        ("ImportError", "AttributeError"),
        ("partially initialized module",),
        pattern=r"partially initialized module '(?P<module>[^']{1,60})'",
        en="{module} is imported while it is being imported: a file of yours may have the same name.",
        ko="{module} 모듈을 불러오는 중에 다시 불러오고 있어요. 내 파일 이름이 패키지와 같은지 확인해 주세요.",
    ),
    Hint(
        "libGL",
        ("ImportError",),
        ("libGL.so.1: cannot open shared object file",),
        en="OpenCV wants a screen's library: install opencv-python-headless, or libgl1 by apt-get.",
        ko="OpenCV에 화면용 라이브러리가 없어요. opencv-python-headless를 설치하거나 apt-get install libgl1을 해 주세요.",
    ),
    Hint(
        "numpy binary",
        (),
        (
            "numpy.dtype size changed",
            "compiled using NumPy 1.x cannot be run in",
            "numpy.core.multiarray failed to import",
        ),
        en="A package was built for another NumPy. Update it, restart the kernel, or install 'numpy<2'.",
        ko="다른 NumPy 버전에 맞춰 만든 패키지가 있어요. 그 패키지를 올리거나 커널을 다시 시작하거나 'numpy<2'를 설치해 보세요.",
    ),
    # Drivers and devices.
    Hint(
        "driver old",
        _CUDA,
        ("NVIDIA driver on your system is too old", "CUDA driver version is insufficient"),
        en="The GPU's driver is older than this PyTorch wants. Update the driver, or install a PyTorch for an older CUDA.",
        ko="GPU 드라이버가 이 PyTorch보다 오래됐어요. 드라이버를 올리거나 더 낮은 CUDA용 PyTorch를 설치해 주세요.",
    ),
    Hint(
        "no driver",
        _CUDA,
        ("Found no NVIDIA driver", "no CUDA-capable device is detected", "No CUDA GPUs are available"),
        en="No GPU can be seen. Check nvidia-smi and CUDA_VISIBLE_DEVICES; in Colab, the runtime's type.",
        ko="GPU가 보이지 않아요. nvidia-smi와 CUDA_VISIBLE_DEVICES를 확인해 주세요. Colab이라면 런타임 유형을 확인해 주세요.",
    ),
    Hint(
        "nvml mismatch",
        (),
        ("Driver/library version mismatch",),
        en="The driver was updated while the machine ran. Restart the machine.",
        ko="컴퓨터가 켜진 채 드라이버가 바뀌었어요. 컴퓨터를 다시 시작해 주세요.",
    ),
    Hint(
        "no kernel image",
        _CUDA,
        ("no kernel image is available for execution",),
        en="This PyTorch was not built for this GPU. Install one whose CUDA fits the card.",
        ko="이 PyTorch는 이 GPU용으로 만들어지지 않았어요. 그래픽 카드에 맞는 CUDA 버전을 설치해 주세요.",
    ),
    Hint(
        "no cuda build",
        ("AssertionError",),
        ("Torch not compiled with CUDA enabled",),
        en="A PyTorch without CUDA is installed. Install one with it, or use device='cpu'.",
        ko="CUDA가 없는 PyTorch가 설치돼 있어요. CUDA용으로 다시 설치하거나 device='cpu'를 쓰세요.",
    ),
    Hint(
        "cuda checkpoint",
        ("RuntimeError",),
        ("Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False",),
        en="The file was saved on a GPU and there is none here: torch.load(..., map_location='cpu').",
        ko="GPU에서 저장한 파일인데 여기에는 GPU가 없어요. torch.load(..., map_location='cpu')로 읽어 주세요.",
    ),
    Hint(
        "cudnn mismatch",
        (),
        ("but source was compiled with", "cuDNN version incompatibility"),
        pattern=r"Loaded (?:runtime )?CuDNN library: .{0,60}but source was compiled with|cuDNN version incompatibility",
        en="Another cuDNN is found than this build wants. Look for an older one in LD_LIBRARY_PATH.",
        ko="빌드와 다른 cuDNN을 불러왔어요. LD_LIBRARY_PATH에 오래된 cuDNN이 있는지 확인해 주세요.",
    ),
    Hint(
        "cudnn",
        ("RuntimeError",),
        ("CUDNN_STATUS_NOT_INITIALIZED", "CUBLAS_STATUS_NOT_INITIALIZED", "CUBLAS_STATUS_ALLOC_FAILED"),
        en="The GPU's library could not start: the GPU's memory may be full, or driver and PyTorch do not fit together.",
        ko="GPU 라이브러리를 시작하지 못했어요. GPU 메모리가 가득 찼거나 드라이버와 PyTorch 버전이 맞지 않을 수 있어요.",
    ),
    Hint(
        "device assert",
        _CUDA,
        ("device-side assert triggered",),
        en="Mostly a label or an index is out of range. Run it once on the CPU: there the error names it. Restart the kernel first.",
        ko="대개 라벨이나 인덱스가 범위를 벗어난 거예요. CPU에서 한 번 실행하면 어디인지 나와요. 먼저 커널을 다시 시작해 주세요.",
    ),
    Hint(
        "devices",
        ("RuntimeError",),
        ("Expected all tensors to be on the same device", "should be the same"),
        pattern=r"Expected all tensors to be on the same device"
        r"|Input type \(torch\.(?:cuda\.\w+\) and weight type \(torch\.\w+|\w+\) and weight type \(torch\.cuda\.\w+)\) should be",
        en="Model and data are on different devices: move both with .to(device).",
        ko="모델과 데이터가 서로 다른 장치에 있어요. 둘 다 .to(device)로 옮겨 주세요.",
    ),
    Hint(
        "to numpy",
        ("TypeError",),
        ("device type tensor to numpy",),
        en="NumPy can't read the GPU's memory: tensor.detach().cpu().numpy().",
        ko="NumPy는 GPU 메모리를 읽을 수 없어요. tensor.detach().cpu().numpy()를 써 주세요.",
    ),
    Hint(
        "fork",
        ("RuntimeError",),
        ("Cannot re-initialize CUDA in forked subprocess",),
        en="Use the start method 'spawn': torch.multiprocessing.set_start_method('spawn').",
        ko="프로세스 시작 방식을 'spawn'으로 바꿔 주세요: torch.multiprocessing.set_start_method('spawn').",
    ),
    Hint(
        "bootstrapping",
        ("RuntimeError",),
        ("has finished its bootstrapping phase",),
        en="Put what starts the work under if __name__ == '__main__':.",
        ko="시작하는 코드를 if __name__ == '__main__': 아래에 넣어 주세요.",
    ),
    Hint(
        "port in use",
        (),
        ("Address already in use", "EADDRINUSE"),
        en="The port is taken, maybe by a job that still runs. Choose another (torchrun: --master-port).",
        ko="포트를 이미 쓰고 있어요. 끝나지 않은 작업일 수 있으니 다른 포트를 써 주세요(torchrun: --master-port).",
    ),
    Hint(
        "nccl",
        ("RuntimeError", "DistBackendError"),
        ("NCCL error", "Watchdog caught collective operation timeout"),
        en="The GPUs lost each other. NCCL_DEBUG=INFO shows which; often one rank has failed before.",
        ko="GPU끼리 통신이 끊겼어요. NCCL_DEBUG=INFO로 원인을 볼 수 있어요. 다른 rank가 먼저 실패했을 때가 많아요.",
    ),
    # Shapes and values.
    Hint(
        "layer size",
        ("RuntimeError",),
        ("mat1 and mat2 shapes cannot be multiplied",),
        pattern=r"mat1 and mat2 shapes cannot be multiplied \(\d{1,12}x(?P<got>\d{1,12}) and (?P<wants>\d{1,12})x\d{1,12}\)",
        en="A Linear layer takes {wants} features and got {got}. Fit in_features, or flatten what goes in.",
        ko="Linear 층은 {wants}개의 특성을 받는데 {got}개가 들어왔어요. in_features를 맞추거나 입력을 flatten해 주세요.",
    ),
    Hint(
        "channels",
        ("RuntimeError",),
        ("channels, but got",),
        pattern=r"to have (?P<wants>\d{1,6}) channels, but got (?P<got>\d{1,6}) channels",
        en="The convolution takes {wants} channels and got {got}: convert the pictures, or permute the dimensions.",
        ko="합성곱 층은 {wants}채널을 받는데 {got}채널이 들어왔어요. 이미지를 변환하거나 차원 순서를 바꿔 주세요.",
    ),
    Hint(
        "batch sizes",
        ("ValueError",),
        ("to match target batch_size",),
        pattern=r"Expected input batch_size \((?P<got>\d{1,12})\) to match target batch_size \((?P<wants>\d{1,12})\)",
        en="The model gave {got} predictions for {wants} labels: look at where it reshapes.",
        ko="라벨은 {wants}개인데 예측은 {got}개예요. reshape하는 곳을 확인해 주세요.",
    ),
    Hint(
        "tensor sizes",
        ("RuntimeError",),
        ("must match the size of tensor b",),
        pattern=r"size of tensor a \((?P<a>\d{1,12})\) must match the size of tensor b \((?P<b>\d{1,12})\)",
        en="Two tensors do not fit: {a} against {b}. Print both shapes in the line above.",
        ko="두 텐서의 크기가 {a}, {b}로 서로 달라요. 바로 앞에서 두 shape를 출력해 보세요.",
    ),
    Hint(
        "shapes",
        ("ValueError", "RuntimeError", "InvalidArgumentError", "TypeError"),
        (
            "operands could not be broadcast together",
            "mismatch in its core dimension",
            ") not aligned: ",
            "concatenation axis must match exactly",
            "all input arrays must have the same shape",
            "cannot reshape array of size",
            "is invalid for input of size",
            "is incompatible with the layer: expected",
            "Incompatible shapes for",
            "Incompatible shapes:",
            "Sizes of tensors must match except in dimension",
            "Arguments `target` and `output` must have the same shape",
        ),
        en="The shapes do not fit. Print the shape of each part in the line above.",
        ko="shape이 서로 맞지 않아요. 바로 앞에서 각각의 shape를 출력해 보세요.",
    ),
    Hint(
        "unequal items",
        ("RuntimeError",),
        ("stack expects each tensor to be equal size",),
        en="The items of a batch have different sizes: resize, crop or pad them, or give the DataLoader a collate_fn.",
        ko="한 배치 안의 데이터 크기가 서로 달라요. 크기를 맞추거나 패딩하거나 DataLoader에 collate_fn을 주세요.",
    ),
    Hint(
        "ragged",
        ("ValueError",),
        ("inhomogeneous shape",),
        en="The rows of a list have different lengths: pad or cut them to one length, or use dtype=object.",
        ko="리스트의 행 길이가 서로 달라요. 패딩하거나 잘라서 길이를 맞추거나 dtype=object를 쓰세요.",
    ),
    Hint(
        "a table",
        ("ValueError",),
        ("Expected 2D array, got", "Found array with dim"),
        en="It takes rows and columns: X.reshape(-1, 1) makes one column; X.reshape(len(X), -1) flattens pictures.",
        ko="행과 열이 있는 2차원 배열이 필요해요. 한 열이면 X.reshape(-1, 1), 이미지면 X.reshape(len(X), -1)로 바꿔 주세요.",
    ),
    Hint(
        "columns",
        ("ValueError",),
        ("features, but",),
        pattern=r"X has (?P<got>\d{1,9}) features, but (?P<model>\w{1,60}) is expecting (?P<wants>\d{1,9}) features",
        en="{model} was fitted with {wants} columns and got {got}: prepare both in the same way.",
        ko="{model}은(는) 열 {wants}개로 학습했는데 {got}개가 들어왔어요. 학습과 예측의 전처리를 똑같이 해 주세요.",
    ),
    Hint(
        "rows",
        ("ValueError",),
        (
            "inconsistent numbers of samples",
            "does not match length of index",
            "All arrays must be of the same length",
            "Data cardinality is ambiguous",
        ),
        en="Not all have the same number of rows. Print the length of each.",
        ko="행의 개수가 서로 달라요. 각각의 길이를 출력해 보세요.",
    ),
    Hint(
        "another model",
        ("RuntimeError",),
        ("Error(s) in loading state_dict for",),
        en="The checkpoint is of another model or version: compare the names and sizes that it lists.",
        ko="체크포인트가 다른 모델이나 다른 버전의 것이에요. 나열된 이름과 크기를 비교해 보세요.",
    ),
    Hint(
        "label range",
        ("IndexError",),
        ("is out of bounds",),
        pattern=r"Target (?P<label>-?\d{1,12}) is out of bounds",
        en="The label {label} is not one of the classes: they count from 0, and the last layer needs one output for each.",
        ko="라벨 {label} 값이 클래스 범위를 벗어났어요. 클래스는 0부터 세고, 마지막 층의 출력 수는 클래스 수와 같아야 해요.",
    ),
    Hint(
        "token range",
        ("IndexError",),
        ("index out of range in self",),
        pattern=r"\Aindex out of range in self\Z",
        en="An index is larger than the embedding: token ids must be below vocab_size, positions below the longest length.",
        ko="임베딩보다 큰 인덱스가 들어왔어요. 토큰 id는 vocab_size보다, 길이는 최대 길이보다 작아야 해요.",
    ),
    Hint(
        "types of numbers",
        ("RuntimeError",),
        ("expected scalar type", "must have the same dtype, but got", "not implemented for '", "should be the same"),
        pattern=r"""Input type \(.{1,40}\) and (?:weight|bias) type \(.{1,40}\) should be the same|expected scalar type \w{1,20} but found \w{1,20}|must have the same dtype, but got|\"\w{1,60}\" not implemented for '(?:Int|Long|Half|BFloat16|Bool)'""",
        en="The types of the numbers do not fit: convert with .float() or .long().",
        ko="자료형이 맞지 않아요. .float()나 .long()으로 바꿔 주세요.",
    ),
    Hint(
        "second backward",
        ("RuntimeError",),
        ("backward through the graph a second time",),
        en="A tensor of an earlier step is still in the graph: detach() it, and keep loss.item() instead of the loss.",
        ko="이전 단계의 텐서가 그래프에 남아 있어요. detach()하고, loss 대신 loss.item()을 모아 주세요.",
    ),
    Hint(
        "in place",
        ("RuntimeError",),
        ("has been modified by an inplace operation",),
        en="A value that the gradient needs was changed in place: write x = x + y instead of x += y, or inplace=False.",
        ko="기울기 계산에 필요한 값을 제자리에서 바꿨어요. x += y 대신 x = x + y로 쓰거나 inplace=False로 해 주세요.",
    ),
    Hint(
        "no grad",
        ("RuntimeError",),
        ("element 0 of tensors does not require grad",),
        en="The loss hangs on no parameter that is trained: look for no_grad(), detach() and frozen layers.",
        ko="loss가 학습할 파라미터와 이어져 있지 않아요. no_grad(), detach(), 고정한 층을 확인해 주세요.",
    ),
    Hint(
        "nan in data",
        ("ValueError",),
        ("contains NaN", "contains infinity"),
        pattern=r"(?:Input|input) (?:X |y )?contains (?:NaN|infinity)|Input contains (?:NaN|infinity)",
        en="There are empty or infinite values in the data: df.isna().sum(), then fillna() or dropna().",
        ko="데이터에 빈 값이나 무한대가 있어요. df.isna().sum()으로 찾아서 fillna()나 dropna()로 처리해 주세요.",
    ),
    Hint(
        "nan loss",
        (),
        ("nan", "NaN"),
        # Of libraries and their examples; who raises an error of his own knows what it means.
        pattern=r"Loss is (?:nan|NaN), stopping training|Loss is infinite or NaN|returned nan values in its \d"
        r"|Monitored metric \S{1,60} = nan is not finite|found invalid values:\s{0,3}(?:tensor\(\[{1,4})?nan",
        en="The numbers became NaN. Lower the learning rate, clip gradients, and look for NaN in the data.",
        ko="값이 NaN이 됐어요. 학습률을 낮추고, gradient clipping을 쓰고, 데이터에 NaN이 있는지 확인해 주세요.",
    ),
    Hint(
        "gated model",
        ("GatedRepoError", "OSError"),
        ("is restricted", "gated repo"),
        pattern=r"(?i:access to model .{1,120} is restricted|gated repo)",
        en="Accept the model's terms on its page at Hugging Face, and log in: hf auth login, or HF_TOKEN.",
        ko="Hugging Face 모델 페이지에서 이용 조건에 동의하고, hf auth login이나 HF_TOKEN으로 로그인해 주세요.",
    ),
    Hint(
        "no token",
        ("LocalTokenNotFoundError",),
        (),
        en="There is no Hugging Face token here: log in with hf auth login, or set HF_TOKEN.",
        ko="Hugging Face 토큰이 없어요. hf auth login으로 로그인하거나 HF_TOKEN을 넣어 주세요.",
    ),
    Hint(
        "no such model",
        ("RepositoryNotFoundError", "OSError"),
        ("is not a valid model identifier", "Repository Not Found"),
        pattern=r"is not a local folder and is not a valid model identifier|\ARepository Not Found|Repository Not Found for url",
        en="Hugging Face knows no such model or data set. Check the name; a private one needs HF_TOKEN.",
        ko="Hugging Face에 그런 모델이나 데이터가 없어요. 이름을 확인해 주세요. 비공개라면 HF_TOKEN이 필요해요.",
    ),
    Hint(
        "wandb",
        (),
        ("api_key not configured (no-tty)", "No API key configured. Use `wandb login`"),
        en="wandb has no key: run wandb login, set WANDB_API_KEY, or switch it off with WANDB_MODE=disabled.",
        ko="wandb 키가 없어요. wandb login을 하거나 WANDB_API_KEY를 넣거나 WANDB_MODE=disabled로 꺼 주세요.",
    ),
    Hint(
        "kaggle",
        ("OSError",),
        ("Could not find kaggle.json",),
        en="Kaggle has no key: put kaggle.json in ~/.kaggle, or set KAGGLE_USERNAME and KAGGLE_KEY.",
        ko="Kaggle 키가 없어요. ~/.kaggle에 kaggle.json을 두거나 KAGGLE_USERNAME, KAGGLE_KEY를 넣어 주세요.",
    ),
    Hint(
        "quota",
        (),
        ("insufficient_quota", "exceeded your current quota"),
        pattern=r"(?s)\A(?!.*retry in \d)",  # who says when to try again means a limit for each minute
        en="The service's credit is used up: look at its billing page. Waiting does not help.",
        ko="서비스 사용 한도를 다 썼어요. 결제 페이지를 확인해 주세요. 기다려도 풀리지 않아요.",
    ),
    Hint(
        "too many requests",
        ("RateLimitError", "HTTPError", "HfHubHTTPError", "HTTPStatusError", "ResourceExhausted", "ClientError"),
        ("429",),
        pattern=_STATUS + r"429\b",
        en="The service takes no more requests now. Wait, and send fewer; logging in often raises the limit.",
        ko="요청이 너무 많아 서비스가 받지 않아요. 잠시 기다렸다가 천천히 보내 주세요. 로그인하면 한도가 늘기도 해요.",
    ),
    Hint(
        "key refused",
        ("AuthenticationError", "HTTPError", "HfHubHTTPError", "HTTPStatusError"),
        ("401",),
        pattern=_STATUS + r"401\b",
        en="The service did not take the key or token: is it there, complete and still valid?",
        ko="서비스가 키나 토큰을 받아 주지 않았어요. 값이 있는지, 빠진 글자는 없는지, 만료되지 않았는지 확인해 주세요.",
    ),
    Hint(
        "certificate",
        (),
        ("CERTIFICATE_VERIFY_FAILED",),
        en="The server's certificate is not trusted here. Behind a company's proxy, set REQUESTS_CA_BUNDLE to its certificate.",
        ko="서버 인증서를 믿을 수 없어요. 회사 프록시를 쓴다면 REQUESTS_CA_BUNDLE에 그 인증서를 지정해 주세요.",
    ),
    Hint(
        "no name",
        (),
        (
            "Temporary failure in name resolution",
            "Name or service not known",
            "getaddrinfo failed",
            "nodename nor servname provided",
        ),
        en="The name of a server could not be found. Is this machine on the network?",
        ko="서버 이름을 찾지 못했어요. 이 컴퓨터가 인터넷에 연결돼 있는지 확인해 주세요.",
    ),
]
