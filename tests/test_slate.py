from __future__ import annotations

from knock_magic import slate
from knock_magic.slate import Slate


def cells(page: Slate) -> list[tuple[float, float, int, str]]:
    return list(slate.read(slate.opened(page.handle)))


def test_a_cell_stands_there_while_it_runs() -> None:
    page = Slate()

    slot = page.write(100.0, 5.0, 3, "train()")
    during = cells(page)
    page.wipe(slot)

    assert during == [(100.0, 5.0, 3, "train()")]
    assert cells(page) == []
    page.close()


def test_a_long_cell_is_cut_and_stays_readable() -> None:
    page = Slate()

    page.write(1.0, 1.0, 1, "학습" * 10_000)
    (_, _, _, text) = cells(page)[0]

    assert text
    assert set(text) == {"학", "습"}
    page.close()


def test_more_cells_than_slots_are_left_out_and_slots_come_back() -> None:
    page = Slate()

    slots = [page.write(1.0, 1.0, n, f"cell {n}") for n in range(slate.SLOTS + 1)]
    page.wipe(slots[-1])
    page.wipe(slots[0])
    again = page.write(2.0, 2.0, 9, "late")

    assert slots[-1] == -1
    assert again == slots[0]
    page.close()
