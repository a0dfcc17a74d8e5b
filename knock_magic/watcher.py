"""`CellWatcher`: pre_run_cell and post_run_cell → `Run`. It watches cells; IPython runs them."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional

from IPython.utils.text import DollarFormatter

from knock_magic import head, interrupts, loose, unshown
from knock_magic.cleaning import clean, one_line
from knock_magic.endings import is_good_exit
from knock_magic.event import Event, Metric
from knock_magic.guard import guarded
from knock_magic.knocker import Knocker
from knock_magic.language import pick
from knock_magic.metrics import as_metric
from knock_magic.names import name_of
from knock_magic.options import Options, metric_of, parse
from knock_magic.output import output
from knock_magic.runs import Run
from knock_magic.tracebacks import describe

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

NAME_LIMIT = 200  # characters, of a name that the user typed

# Most cells end with these. A frozen dataclass takes longer to make than all else that is done for a short cell.
_NO_OPTIONS = Options()
_NO_RULES: Mapping[str, Any] = {}


class OpenCell:
    """A cell that runs now. It holds no result and no error: these would pin memory of the user's."""

    __slots__ = (
        "exit_code",
        "info",
        "last_shown",
        "mono",
        "options",
        "pid",
        "rules",
        "run",
        "slot",
        "spoke_mono",
        "wall",
    )

    def __init__(self, info: Any, exit_code: Any, pid: int) -> None:
        self.info = info
        self.pid = pid  # of who began it; a forked child may see its end too
        self.exit_code = exit_code  # of the last shell command before this cell
        self.last_shown = id(getattr(sys, "last_value", None))
        self.slot = -1
        self.run: Optional[Run] = None
        self.options = _NO_OPTIONS
        self.rules: Mapping[str, Any] = _NO_RULES
        self.wall = time.time()
        self.mono = self.spoke_mono = time.monotonic()


class CellWatcher:
    """Sees the cells of one shell begin and end."""

    def __init__(self, shell: InteractiveShell, knocker: Knocker) -> None:
        self._shell = shell
        self._knocker = knocker
        self._stacks: Dict[int, List[OpenCell]] = {}  # a stack per thread: subshells run in threads of their own
        self._next_number: Optional[int] = None
        self._counted = id(None)  # of the shown error that belongs to a cell which has ended
        self.pre_run_cell = guarded(self._begin)
        self.post_run_cell = guarded(self._end)

    def innermost(self) -> Optional[OpenCell]:
        """The innermost cell of this thread that has a run already: an armed one."""
        stack = self._stacks.get(threading.get_ident(), [])
        return next((cell for cell in reversed(stack) if cell.run), None)

    def spoke(self) -> None:
        """Something within the cells of this thread has knocked for itself, so their threshold counts anew."""
        for cell in self._stacks.get(threading.get_ident(), []):
            cell.spoke_mono = time.monotonic()

    # A cell begins.

    def _begin(self, info: Any) -> None:
        stack = self._stacks.setdefault(threading.get_ident(), [])
        cell = OpenCell(info, self._exit_code(), self._knocker.sidecar.pid)
        stack.append(cell)
        if output.keeps:
            output.put_in()
        typed = head.find(info.raw_cell)
        if typed is not None and not any(outer.run for outer in stack):
            self._arm(cell, typed)
        elif len(stack) == 1 and self._knocker.settings.auto is not None and not head.is_ours(info.raw_cell):
            self._note(cell)
        if self._knocker.is_left_behind:
            self._knocker.take_up()

    def _arm(self, cell: OpenCell, typed: str) -> None:
        cell.options = self._parse(typed)
        cell.rules = self._knocker.rules(cell.options, min_s=0.0)
        name = self._expanded(cell.options.name) or name_of(head.body(cell.info.raw_cell)) or head.MARK
        cell.run = self._run(cell, name)
        cell.run.start()
        try:
            from knock_magic.signs import watch  # with the first armed cell, and not at load
        except OSError:  # no descriptor is left to read it with; the next cell tries again, and this one knocks too
            return
        watch(self._knocker, cell.run, cell.rules)

    def _parse(self, typed: str) -> Options:
        asked, problems = parse(typed)
        for problem in problems:
            self._knocker.warn(str(problem))
        return asked

    def _note(self, cell: OpenCell) -> None:
        """A plain cell stands on the slate, in case it takes the kernel down with it."""
        sidecar = self._knocker.sidecar
        sidecar.ensure()
        if sidecar.slate:
            number = self._number(cell)
            cell.slot = sidecar.slate.write(cell.wall, cell.mono, -1 if number is None else number, cell.info.raw_cell)

    def _number(self, cell: OpenCell) -> Optional[int]:
        """The execution count of a cell that runs.

        IPython 9.16 counts on before pre_run_cell, earlier ones after the cell; between two cells all agree.
        """
        if not cell.info.store_history:
            return None
        return self._shell.execution_count if self._next_number is None else self._next_number

    # A cell ends.

    def _end(self, result: Any) -> None:
        now = time.monotonic()
        stack = self._stacks.get(threading.get_ident(), [])
        cell = self._pop(stack, result)
        if cell is not None and cell.pid == self._knocker.sidecar.pid:
            if not stack and loose.are_there():
                loose.end_all(self._error(cell, result))
            self._close(stack, cell, result, now)
        if not stack:
            self._next_number = self._shell.execution_count
            # Told of or not, the shown error was this cell's, and no other thread's.
            self._counted = id(getattr(sys, "last_value", None))
        if self._knocker.has_news:
            self._knocker.tell_trouble()

    def _pop(self, stack: List[OpenCell], result: Any) -> Optional[OpenCell]:
        """The open cell that `result` ends; None for one that never began (the loading cell, an empty one)."""
        for index in reversed(range(len(stack))):
            if self._same(stack[index], result):
                break
        else:
            return None
        ended = stack[index:]
        del stack[index:]
        slate, pid = self._knocker.sidecar.slate, self._knocker.sidecar.pid
        for cell in ended:
            if slate and cell.slot >= 0 and cell.pid == pid:
                slate.wipe(cell.slot)
            if cell.run and cell is not ended[0]:  # nobody will tell its end any more
                cell.run.ended = True
        return ended[0]

    @staticmethod
    def _same(cell: OpenCell, result: Any) -> bool:
        # Without a result, the exception is on its way through run_cell: it is the innermost one's.
        # IPython makes a second info where the loop's runner raises, so the text is looked at too.
        return result is None or result.info is cell.info or result.info.raw_cell == cell.info.raw_cell

    def _close(self, stack: List[OpenCell], cell: OpenCell, result: Any, now: float) -> None:
        if cell.run is None:
            if stack or not self._was_long(cell, now) or head.is_ours(cell.info.raw_cell):
                return
            cell.rules = {**self._knocker.rules(cell.options, min_s=0.0), "unasked": True}
            cell.run = self._run(cell, name_of(cell.info.raw_cell))
        error = self._error(cell, result)
        if error is None and interrupts.happened(cell.info.raw_cell, cell.exit_code, self._exit_code()):
            error = KeyboardInterrupt()
        metrics = {**self._compared(cell, error), **self._shown(cell.options)}
        self._tell_end(cell, cell.run, error, metrics)
        for outer in stack:
            outer.spoke_mono = time.monotonic()

    def _exit_code(self) -> Any:
        return self._shell.user_ns.get("_exit_code")

    def _was_long(self, cell: OpenCell, now: float) -> bool:
        """Whether the threshold has passed since the cell began or, if a cell within it knocked, since then."""
        seconds = self._knocker.settings.auto
        return seconds is not None and now - cell.spoke_mono >= seconds

    def _tell_end(
        self, cell: OpenCell, run: Run, error: Optional[BaseException], metrics: Mapping[str, Metric]
    ) -> None:
        if error is None or is_good_exit(error):
            run.finish(metrics)
        elif interrupts.is_one(error):
            run.interrupt(metrics)
        else:
            run.fail(describe(error, with_source=cell.rules["with_source"]), metrics)

    def _error(self, cell: OpenCell, result: Any) -> Optional[BaseException]:
        """What ended the cell, also where a magic showed the traceback and kept the error to itself."""
        if result is None:
            return unshown.original(sys.exc_info()[1])
        # Not `or`, for an exception may be false; and what came before, where there are both, is IPython's own.
        error = result.error_in_exec if result.error_in_exec is not None else result.error_before_exec
        if error is not None:
            return unshown.original(error)
        shown: Optional[BaseException] = getattr(sys, "last_value", None)
        return shown if id(shown) not in (cell.last_shown, self._counted) else None

    # Parts.

    def _run(self, cell: OpenCell, name: str) -> Run:
        def tell(event: Event) -> None:
            if event.event == "started":
                self._knocker.begin(event, cell.rules, cell.mono)
            else:
                self._knocker.tell(event, cell.rules)

        return Run(
            clean(name, NAME_LIMIT),
            tell,
            notebook=self._knocker.notebook(),
            execution_count=self._number(cell),
            started_at=cell.wall,
            started_mono=cell.mono,
        )

    def _expanded(self, name: str) -> str:
        """`name` with its ``{x}`` and ``$x`` replaced, as IPython does in a magic's line."""
        if "{" not in name and "$" not in name:
            return name
        try:
            return one_line(DollarFormatter().vformat(name, (), self._shell.user_ns), NAME_LIMIT)
        except Exception:  # an expression of the user's may raise anything; the name then stays as typed
            return name

    def _shown(self, options: Options) -> Dict[str, Metric]:
        metrics: Dict[str, Metric] = {}
        for expression in options.show:
            try:
                metrics[expression] = as_metric(eval(expression, self._shell.user_global_ns, self._shell.user_ns))
            except (Exception, KeyboardInterrupt, SystemExit) as error:
                info = describe(error)
                metrics[expression] = one_line(f"{info.type}: {info.message}", 200)
                self._knocker.warn(
                    pick(
                        {
                            "en": f"--show {expression}: {metrics[expression]}",
                            "ko": f"--show {expression} 식을 계산하지 못했어요: {metrics[expression]}",
                        }
                    )
                )
        return metrics

    def _compared(self, cell: OpenCell, error: Optional[BaseException]) -> Dict[str, Metric]:
        """The metric that counts, where nothing was reported under its name and a variable is called so."""
        name, _ = metric_of(cell.options.metric)
        # After an error it may well be a value from before.
        if name is None or error is not None or name not in self._shell.user_ns or cell.run.knows(name):  # type: ignore[union-attr]
            return {}
        value = as_metric(self._shell.user_ns[name])
        return {} if isinstance(value, str) else {name: value}
