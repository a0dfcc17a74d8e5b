"""A GPU of a shared server: wait until it is free, in a cell or command that knocks.

    %%knock GPU 2
    from knock_magic.integrations.gpu import wait_until_free
    wait_until_free(2)

In a shell: ``knock run GPU 2 -- python -m knock_magic.integrations.gpu 2``.
"""

from __future__ import annotations

import sys
import time
from typing import List, Optional, Sequence, Union

from knock_magic import gpus
from knock_magic.armed import here
from knock_magic.durations import parse_duration
from knock_magic.errors import KnockError, UsageError
from knock_magic.gpus import Gpu
from knock_magic.guard import guarded
from knock_magic.language import pick

EMPTY = 0.05  # of its memory: less than this a driver and a screen take
IDLE = 5  # percent
LOOKS = 3  # in a row: between two epochs a card may look free
FREE = {"en": "free again", "ko": "다시 비었어요"}
PATIENT_S = 15.0  # a busy server may take longer to answer than we let a message wait


def wait_until_free(
    *which: Union[int, str], free_gib: Optional[float] = None, every: Union[str, float] = 20.0, looks: int = LOOKS
) -> int:
    """Wait until one of the GPUs is free, and give its number.

    Args:
        which: their numbers, as nvidia-smi has them; any, if none is named.
        free_gib: how much of its memory has to be free; else all of it, and nobody may compute on it.
        every: how often to look, in seconds or as ``"1m"``.
        looks: how often in a row it has to be free, since between two epochs it may seem so.

    The message of the run that this is part of says which one it is.

    Raises:
        UsageError: when it begins: there is no such GPU, or nvidia-smi does not tell enough. What it does not tell
            later is waited for.
    """
    pause, wanted = parse_duration(str(every)), [_number(each) for each in which]
    free_looks = dict.fromkeys(_known(wanted), 0)
    while True:
        seen = {gpu.number: gpu for gpu in gpus.seen(PATIENT_S) or []}  # nothing in a bad minute of a long night
        for number in free_looks:
            is_free = number in seen and _is_free(seen[number], free_gib)
            free_looks[number] = free_looks[number] + 1 if is_free else 0
            if free_looks[number] >= looks:
                _note(number)
                return number
        time.sleep(pause)


def _number(given: Union[int, str]) -> int:
    try:
        return int(str(given))
    except ValueError:
        raise UsageError(
            f"a GPU is named by its number, e.g. wait_until_free(2), got {given!r}.",
            f"wait_until_free(2)처럼 GPU 번호를 적어 주세요. 받은 값: {given!r}",
        ) from None


def _known(wanted: Sequence[int]) -> List[int]:
    """The numbers to wait for."""
    seen = gpus.seen(PATIENT_S)
    if not seen:
        raise UsageError(
            "nvidia-smi tells of no GPU here. Run it in a shell: does it answer?",
            "nvidia-smi가 GPU를 알려 주지 않아요. 셸에서 실행해 답이 오는지 확인해 주세요.",
        )
    known = [gpu.number for gpu in seen]
    missing = [number for number in wanted if number not in known]
    if missing:
        raise UsageError(
            f"there is no GPU {missing[0]} here. There are: {', '.join(map(str, known))}.",
            f"GPU {missing[0]}번은 없어요. 있는 번호: {', '.join(map(str, known))}",
        )
    told = [gpu.number for gpu in seen if gpu.used is not None and gpu.total]
    untold = [number for number in wanted or known[:1] if number not in told]
    if untold and (wanted or not told):
        raise UsageError(
            f"nvidia-smi does not tell how much of GPU {untold[0]} is in use, as of a card that is cut into slices (MIG), "
            "so nobody can see when it is free.",
            f"GPU {untold[0]}번은 MIG로 나뉜 카드처럼 nvidia-smi가 사용량을 알려 주지 않아, 언제 비는지 알 수 없어요.",
        )
    return [number for number in told if not wanted or number in wanted]


@guarded
def _note(number: int) -> None:
    """Have the message of the run around this say it."""
    run, rules = here()
    if run:
        run.note({f"GPU {number}": pick(FREE, rules.get("lang"))})


def _is_free(gpu: Gpu, free_gib: Optional[float]) -> bool:
    if gpu.used is None or not gpu.total:
        return False
    if free_gib is not None:
        return (gpu.total - gpu.used) / 1024 >= free_gib
    return gpu.used <= EMPTY * gpu.total and (gpu.busy or 0) <= IDLE


def main() -> None:
    """``python -m knock_magic.integrations.gpu 2 3``: wait, and print the number of the free one."""
    try:
        print(wait_until_free(*sys.argv[1:]))
    except KnockError as problem:
        sys.exit(f"knock: {problem}")


if __name__ == "__main__":
    main()
