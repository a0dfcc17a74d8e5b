"""A GPU of a shared server: wait until it is free, in a cell or command that knocks.

    %%knock GPU 2
    from knock_magic.integrations.gpu import wait_until_free
    wait_until_free(2)

In a shell: ``knock run GPU 2 -- python -m knock_magic.integrations.gpu 2``.
"""

from __future__ import annotations

import sys
import time
from typing import List, Optional, Union

from knock_magic import gpus
from knock_magic.durations import parse_duration
from knock_magic.errors import KnockError, UsageError
from knock_magic.gpus import Gpu

EMPTY = 0.05  # of its memory: less than this a driver and a screen take
IDLE = 5  # percent
LOOKS = 3  # in a row: between two epochs a card may look free
PATIENT_S = 15.0  # a busy server may take longer to answer than we let a message wait


def wait_until_free(
    *which: int, free_gib: Optional[float] = None, every: Union[str, float] = 20.0, looks: int = LOOKS
) -> int:
    """Wait until one of the GPUs is free, and give its number.

    Args:
        which: their numbers, as nvidia-smi has them; any, if none is named.
        free_gib: how much of its memory has to be free; else all of it, and nobody may compute on it.
        every: how often to look, in seconds or as ``"1m"``.
        looks: how often in a row it has to be free, since between two epochs it may seem so.

    Raises:
        UsageError: there is no such GPU, or nvidia-smi tells nothing.
    """
    pause = parse_duration(str(every))
    free_looks = dict.fromkeys((gpu.number for gpu in _among(which)), 0)
    while True:
        for gpu in _among(which):
            free_looks[gpu.number] = free_looks.get(gpu.number, 0) + 1 if _is_free(gpu, free_gib) else 0
            if free_looks[gpu.number] >= looks:
                return gpu.number
        time.sleep(pause)


def _among(which: tuple[int, ...]) -> List[Gpu]:
    seen = gpus.seen(PATIENT_S)
    if not seen:
        raise UsageError(
            "nvidia-smi tells of no GPU here. Run it in a shell: does it answer?",
            "nvidia-smi가 GPU를 알려 주지 않아요. 셸에서 실행해 답이 오는지 확인해 주세요.",
        )
    known = [gpu.number for gpu in seen]
    missing = [number for number in which if number not in known]
    if missing:
        raise UsageError(
            f"there is no GPU {missing[0]} here. There are: {', '.join(map(str, known))}.",
            f"GPU {missing[0]}번은 없어요. 있는 번호: {', '.join(map(str, known))}",
        )
    return [gpu for gpu in seen if not which or gpu.number in which]


def _is_free(gpu: Gpu, free_gib: Optional[float]) -> bool:
    if gpu.used is None or not gpu.total:
        return False
    if free_gib is not None:
        return (gpu.total - gpu.used) / 1024 >= free_gib
    return gpu.used <= EMPTY * gpu.total and (gpu.busy or 0) <= IDLE


def main() -> None:
    """``python -m knock_magic.integrations.gpu 2 3``: wait, and print the number of the free one."""
    try:
        print(wait_until_free(*map(int, sys.argv[1:])))
    except (KnockError, ValueError) as problem:
        sys.exit(f"knock: {problem}")


if __name__ == "__main__":
    main()
