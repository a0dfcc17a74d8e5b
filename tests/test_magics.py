"""What people type behind ``%knock``: in real kernels, and in a real terminal."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from conftest import Home, Kernel, Result, poll
from IPython.core import completer
from phone import Phone

from knock_magic.cleaning import clean
from knock_magic.history import History, Query
from knock_magic.options import HELP

Start = Callable[[Dict[str, str]], Kernel]


def page(result: Result) -> str:
    """The HTML that a cell showed."""
    pages = [m["content"]["data"].get("text/html", "") for m in result.messages if m["msg_type"] == "display_data"]
    return "\n".join(pages)


def in_shell(env: Dict[str, str], *words: str) -> str:
    command = [sys.executable, "-m", "knock_magic", *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=60).stdout


# Status.


def test_status_is_a_small_card(kernel_with_knock: Kernel, phone: Phone) -> None:
    kernel_with_knock.run("%knock test")

    result = kernel_with_knock.run("%knock")

    lines = result.displays[0].splitlines()
    assert [line.split()[0] for line in lines] == ["channels", "auto", "courier"]
    assert "webhook (delivered" in lines[0]
    assert "every cell that runs at least 1 min" in lines[1]
    assert "running (pid" in lines[2]
    assert "<table" in page(result)


def test_status_tells_the_rules_that_were_chosen(home: Home, phone: Phone, start_kernel: Start) -> None:
    chosen = {"KNOCK_ON": "failed,died", "KNOCK_EVERY": "30m", "KNOCK_STALL": "15m", "KNOCK_TEMPLATE": "shrt"}
    kernel = start_kernel(home.knocking_at(phone, **chosen))
    assert "standard is used" in kernel.run("%load_ext knock").text

    line = kernel.run("%knock").displays[0].splitlines()[1]

    assert line.endswith("; template standard; only failed, died; progress every 30 min; stalled after 15 min")


def test_status_tells_what_waits_and_why(home: Home, start_kernel: Start) -> None:
    phone = Phone(answering=False)
    kernel = start_kernel(home.knocking_at(phone)).load()
    kernel.run("%%knock <i>waiting</i>\n1")

    result = poll(lambda: "waiting" in (shown := kernel.run("%knock")).said and "reached" in shown.said and shown, "it")

    line = next(iter(result.lines_with("waiting:")))
    assert "<i>waiting</i> finished → webhook" in line
    assert "it could not be reached" in line
    assert "&lt;i&gt;waiting&lt;/i&gt;" in page(result)
    phone.close()


def test_status_tells_who_was_put_aside(home: Home, phone: Phone, start_kernel: Start) -> None:
    kernel = start_kernel(home.knocking_at(phone, KNOCK_WEBHOOK_SECRET="another address")).load()
    phone.answer(410)
    kernel.run("%%knock refused\n1")

    shown = poll(lambda: kernel.run("%knock").lines_with("put aside"), "the refusal")

    assert "HTTP 410" in shown[0]
    assert "%knock test webhook" in shown[0]
    assert kernel.run("%knock test webhook").status == "ok"
    poll(lambda: not kernel.run("%knock").lines_with("put aside"), "the address to be taken back")


def test_a_terminal_gets_three_lines(home: Home, phone: Phone, tmp_path: Path) -> None:
    code = "get_ipython().run_line_magic('load_ext', 'knock'); get_ipython().run_line_magic('knock', '')"
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", "-c", code],
        env=home.knocking_at(phone, KNOCK_HOME=str(tmp_path)), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    lines = [line for line in clean(done.stdout, 10_000).splitlines() if line.strip()]  # IPython 7 sets a title
    assert [line.split()[0] for line in lines[-3:]] == ["channels", "auto", "courier"]


def test_a_picture_is_shown_under_the_cell(kernel_with_knock: Kernel, home: Home) -> None:
    dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    (home.work / "dot.png").write_bytes(base64.b64decode(dot))

    result = kernel_with_knock.run("%knock send look --to notebook --picture dot.png")

    pictures = [m["content"]["data"].get("image/png", "") for m in result.messages if m["msg_type"] == "display_data"]
    assert (result.text, [each.strip() for each in pictures]) == ("", ["", dot])


def test_a_text_goes_where_it_was_sent(kernel_with_knock: Kernel, phone: Phone) -> None:
    sent = kernel_with_knock.run("%knock send --to webhook hi there")
    shown = kernel_with_knock.run("%knock send under the cell --to notebook")

    assert sent.text == "On its way to webhook.\n"
    assert phone.wait_for(event="message")["text"] == "💬 hi there"
    assert (shown.text, ["under the cell" in text for text in shown.displays]) == ("", [True])
    assert len(phone.expect_only(kernel_with_knock.send)) == 1


# Mute.


def test_muted_knocks_stay_in_the_history(kernel_with_knock: Kernel, home: Home, phone: Phone) -> None:
    env = home.knocking_at(phone)
    assert "muted until" in in_shell(env, "mute", "2h")

    assert "muted until" in kernel_with_knock.run("%knock").said
    kernel_with_knock.run("%%knock muted cell\n1")
    assert "muted until" in kernel_with_knock.run("%knock send muted text").said
    tested = kernel_with_knock.run("%knock test webhook").said
    assert ["arrived" in tested, "muted until" in tested] == [True, True]
    assert "not muted" in kernel_with_knock.run("%knock unmute").said
    kernel_with_knock.run("%%knock heard cell\n1")

    kinds = [kind for kind, _ in phone.expect_only(kernel_with_knock.send)]
    assert kinds == ["test", "finished"]
    kept = {run["name"]: run["muted"] for run in json.loads(in_shell(env, "history", "cell", "--json"))}
    assert kept == {"muted cell": True, "heard cell": False}


def test_a_death_is_muted_too(home: Home, phone: Phone, start_kernel: Start) -> None:
    env = home.knocking_at(phone)
    kernel = start_kernel(env).load()
    kernel.run("%knock mute 2h")
    kernel.start("%%knock dies unheard\nprint('in', 'side', flush=True)\nimport time; time.sleep(60)")
    kernel.until("in side")

    kernel.kill()

    kept = History([str(Path(env["KNOCK_HOME"]) / "outbox.db")])
    deaths = Query(name="dies", outcomes=("died",))
    # Until the courier has written down what it knows, the history tells of the run from what was noted as open.
    runs = poll(lambda: [entry for entry in kept.entries(deaths) if entry.is_muted], "the muted death")
    in_shell(env, "unmute")
    assert runs[0].name == "dies unheard"
    phone.expect_none(lambda text: in_shell(env, "send", text))


@pytest.mark.parametrize("content", ["", "soon", "inf", "9" * 500, "\ufffd"])
def test_a_mute_file_that_makes_no_sense_mutes_nothing(home: Home, phone: Phone, content: str) -> None:
    env = home.knocking_at(phone)
    path = Path(env["KNOCK_HOME"]) / "muted_until"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text(content, encoding="utf-8")

    assert "not muted" in in_shell(env, "mute")
    path.unlink()


# Autoload.


def test_autoload_loads_it_in_every_later_kernel(home: Home, phone: Phone, start_kernel: Start) -> None:
    env = home.knocking_at(phone)
    first = start_kernel(env).load()
    assert "Not loaded by itself" in first.run("%knock autoload").said

    said = first.run("%knock autoload on").said
    second = start_kernel(env)
    second.run("%%knock by itself\n1")

    assert phone.wait_for(name="by itself")["event"] == "finished"
    assert (
        second.ask("[name for name in globals() if 'knock' in name and name not in ('In', '_ih', '_i', '_i1')]") == "[]"
    )
    path = Path(said.strip().rpartition(", by ")[2].rstrip("."))
    assert path.is_file()
    assert path.stat().st_mode & 0o777 == 0o600
    assert "No longer loaded by itself." in second.run("%knock autoload off").said
    assert not path.exists()
    assert start_kernel(env).run("%knock").status == "error"


def test_autoload_touches_no_file_of_someone_elses(kernel_with_knock: Kernel, home: Home) -> None:
    path = home.folder / "ipython" / "profile_default" / "startup" / "90-knock_magic.py"
    path.write_text("mine = 1\n")

    for word in ("on", "off"):
        assert "was not written by %knock autoload" in kernel_with_knock.run(f"%knock autoload {word}").said

    assert path.read_text() == "mine = 1\n"
    path.unlink()


def test_where_it_is_not_installed_autoload_is_silent(home: Home, tmp_path: Path) -> None:
    """Environments share a profile."""
    from knock_magic import autoload

    startup = tmp_path / "profile_default" / "startup"
    autoload.turn_on(str(startup))
    path = startup / autoload.NAME
    path.write_text(path.read_text().replace('"knock_magic"', '"knock_magic_that_is_not_there"'))

    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "-c", "print('ran')"],
        env=home.env(IPYTHONDIR=str(tmp_path)), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    assert "ran" in done.stdout
    assert "Error" not in done.stdout + done.stderr


# Tab.


def completions(kernel: Kernel, code: str) -> List[str]:
    asked = kernel.client.complete(code, len(code))
    while True:
        reply = kernel.client.get_shell_msg(timeout=30)
        if reply["parent_header"].get("msg_id") == asked:
            start = reply["content"]["cursor_start"]
            return sorted(code[:start] + match for match in reply["content"]["matches"])


TABS = [
    ("%knock hi", "%knock history"),
    ("%knock ", "%knock mute"),
    ("%knock use ka", "%knock use kakao"),
    ("%knock use slack,ka", "%knock use slack,kakao"),
    ("%knock test web", "%knock test webhook"),
    ("%knock template sh", "%knock template short"),
    ("%knock template short --sa", "%knock template short --save"),
    ("%knock login ", "%knock login kakao"),
    ("%knock autoload o", "%knock autoload off"),
    ("%knock history --out", "%knock history --outcome"),
    ("%knock history --outcome fa", "%knock history --outcome failed"),
    ("%%knock ", "%%knock --template"),
    ("%%knock my net --ev", "%%knock my net --every"),
    ("%%knock my net --to ka", "%%knock my net --to kakao"),
    ("%%knock --to=ka", "%%knock --to=kakao"),
    ("%%knock --template de", "%%knock --template detailed"),
    ("%%knock --on failed,di", "%%knock --on failed,died"),
    ("%%knock --baseline b", "%%knock --baseline best"),
    ("%%knock x\ny = 1\n%knock un", "%%knock x\ny = 1\n%knock unmute"),
]


@pytest.mark.parametrize("jedi", [True, False])
def test_tab_offers_what_may_stand_there(kernel_with_knock: Kernel, jedi: bool) -> None:
    kernel_with_knock.run(f"%config Completer.use_jedi = {jedi}")

    missing = {
        code: completions(kernel_with_knock, code)
        for code, want in TABS
        if want not in completions(kernel_with_knock, code)
    }

    assert missing == {}


@pytest.mark.parametrize("jedi", [True, False])
def test_tab_on_a_line_of_ours_offers_what_is_ours_alone(kernel_with_knock: Kernel, jedi: bool) -> None:
    if not hasattr(completer, "SimpleCompletion"):
        pytest.skip("IPython before 8.6 lets nobody leave out what others offer")
    kernel_with_knock.run(f"%config Completer.use_jedi = {jedi}")

    assert completions(kernel_with_knock, "%%knock --") == sorted(f"%%knock --{name}" for name in HELP)
    assert completions(kernel_with_knock, "%knock auto 6") == ["%knock auto 60s"]
    assert "%%time" in completions(kernel_with_knock, "%%ti")


def test_tab_offers_nothing_more_once_it_is_unloaded(home: Home, start_kernel: Start) -> None:
    kernel = start_kernel(home.env()).load()
    assert completions(kernel, "%knock hist") == ["%knock history"]

    kernel.run("%unload_ext knock")

    assert "%knock history" not in completions(kernel, "%knock hist")


# Typing errors.


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%knock hsitory", "Did you mean history?"),
        ("%knock mtue 2h", "Did you mean mute?"),
        ("%knock mute soon", "a duration looks like"),
        ("%knock mute 999d", "for a year at most"),
        ("%knock autoload maybe", "takes on or off"),
        ("%knock history --outcome fialed", "Did you mean failed?"),
        ("%knock use slakc", "Did you mean slack?"),
    ],
)
def test_a_typing_error_gets_the_likely_word(kernel_with_knock: Kernel, line: str, said: str) -> None:
    result = kernel_with_knock.run(line)

    assert result.status == "ok"
    assert said in result.said
    assert len(result.said.strip().splitlines()) == 1


def test_it_documents_itself(kernel_with_knock: Kernel) -> None:
    for question in ("%knock?", "%%knock?"):
        reply: Any = kernel_with_knock.run(question).reply
        text = reply["payload"][0]["data"]["text/plain"]
        assert [word for word in ("history", "mute 2h", "autoload on|off", "--every") if word not in text] == []
