"""`Desktop`: a notification on the screen of the machine that the kernel runs on, shown by a program that is there."""

from __future__ import annotations

import base64
import dataclasses
import html
import os
import shutil
import subprocess
import sys
from typing import Any, Dict, List, Mapping

from knock_magic import fitting
from knock_magic.channels.base import NAMELESS, READ_SECONDS, Channel
from knock_magic.cleaning import one_line
from knock_magic.errors import DeliveryError
from knock_magic.template import Message

APP = "knock"
TITLE = 120  # characters; a bubble shows one or two lines of them

# How the desktop is asked to treat it (https://specifications.freedesktop.org/notification-spec/latest/urgency-levels.html):
# what is critical stays until it is seen.
URGENCY = {"loud": "critical", "normal": "normal", "quiet": "low"}

# A program that never changes; the texts are arguments of its `run`, and so no part of it.
# https://developer.apple.com/library/archive/documentation/LanguagesUtilities/Conceptual/MacAutomationScriptingGuide/DisplayNotifications.html
APPLE_SCRIPT = """\
on run argv
    if (item 3 of argv) is "loud" then
        display notification (item 2 of argv) with title (item 1 of argv) sound name "default"
    else
        display notification (item 2 of argv) with title (item 1 of argv)
    end if
end run
"""

# A program that never changes; the texts come by its environment, and go into the XML as text nodes. It is shown in
# PowerShell's own name, for a toast has to be of an installed application.
# https://learn.microsoft.com/windows/apps/design/shell/tiles-and-notifications/toast-xml-schema
POWER_SHELL = """\
$ErrorActionPreference = 'Stop'
[Windows.UI.Notifications.ToastNotificationManager, Windows.UI.Notifications, ContentType = WindowsRuntime] | Out-Null
[Windows.Data.Xml.Dom.XmlDocument, Windows.Data.Xml.Dom.XmlDocument, ContentType = WindowsRuntime] | Out-Null
$page = New-Object Windows.Data.Xml.Dom.XmlDocument
$page.LoadXml('<toast><visual><binding template="ToastGeneric"><text/><text/></binding></visual></toast>')
$lines = $page.GetElementsByTagName('text')
$lines.Item(0).AppendChild($page.CreateTextNode($env:KNOCK_TOAST_TITLE)) | Out-Null
$lines.Item(1).AppendChild($page.CreateTextNode($env:KNOCK_TOAST_BODY)) | Out-Null
$toast = New-Object Windows.UI.Notifications.ToastNotification $page
$name = '{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\\WindowsPowerShell\\v1.0\\powershell.exe'
[Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier($name).Show($toast)
"""


@dataclasses.dataclass(frozen=True)
class Call:
    """A program with what it is given: no shell is between, and no text of a knock is ever part of a script."""

    program: str
    arguments: List[str]
    input: str = ""
    environ: Dict[str, str] = dataclasses.field(default_factory=dict)


class Desktop(Channel):
    """Show a knock on the desktop of the machine that the kernel runs on.

    Linux: ``notify-send``; macOS: ``osascript``; Windows: the PowerShell that belongs to it.
    """

    key = "desktop"
    looks_like = "push"
    label = {"en": "Desktop", "ko": "데스크톱"}
    also_called = "바탕화면 PC"
    steps = {
        "en": "For a kernel on the machine in front of you; there is nothing to set.\n"
        "1. On Linux, install notify-send where it is missing: sudo apt install libnotify-bin\n"
        "2. On macOS and Windows, allow notifications of Script Editor or PowerShell if none is shown.",
        "ko": "지금 쓰는 컴퓨터에서 커널이 돌 때 쓰는 채널이에요. 설정할 것은 없어요.\n"
        "1. 리눅스에 notify-send가 없으면 이 명령으로 설치해 주세요: sudo apt install libnotify-bin\n"
        "2. macOS나 Windows에서 알림이 보이지 않으면 스크립트 편집기나 PowerShell의 알림을 허용해 주세요.",
    }
    limit = 1000

    def send(self, message: Message) -> None:
        """Deliver `message`; success is what the program calls so."""
        title, _, body = self.fit(message).partition("\n")
        call = call_for(sys.platform, fitting.cut(title or NAMELESS, TITLE), body, message.loudness)
        self._refuse_where_nobody_looks(os.environ)
        program = shutil.which(call.program)
        if not program:
            raise self._nothing_there(
                f"{call.program} is missing on this machine. On Linux: sudo apt install libnotify-bin",
                f"이 컴퓨터에 {call.program} 프로그램이 없어요. 리눅스라면: sudo apt install libnotify-bin",
            )
        self._run(program, call)

    def _refuse_where_nobody_looks(self, environ: Mapping[str, str]) -> None:
        if environ.get("COLAB_RELEASE_TAG") or environ.get("KAGGLE_KERNEL_RUN_TYPE"):
            raise self._nothing_there(
                "this kernel runs in a data centre, where nobody sees a desktop. Use another channel",
                "이 커널은 클라우드에서 돌고 있어서 볼 수 있는 데스크톱이 없어요. 다른 채널을 써 주세요",
            )
        if sys.platform not in ("win32", "darwin") and not _has_session(environ):
            raise self._nothing_there(
                "this machine has no desktop (no session bus). Use another channel",
                "이 컴퓨터에는 데스크톱이 없어요(세션 버스 없음). 다른 채널을 써 주세요",
            )

    def _nothing_there(self, en: str, ko: str) -> DeliveryError:
        return self.error(f"{en}.", f"{ko}.", permanent=True, revoked=True)

    def _run(self, program: str, call: Call) -> None:
        options: Dict[str, Any] = {}
        arguments: List[Any] = call.arguments
        if sys.platform == "win32":
            options["creationflags"] = subprocess.CREATE_NO_WINDOW
        else:  # whatever the locale is: UTF-8 on both sides
            arguments = [each.encode("utf-8", "replace") for each in call.arguments]
            call.environ.setdefault("LC_ALL", "C.UTF-8")
        try:
            done = subprocess.run(
                [program, *arguments],
                input=call.input.encode("utf-8"),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={**os.environ, **call.environ},
                timeout=READ_SECONDS,
                check=False,
                **options,
            )
        except subprocess.TimeoutExpired:
            said, timed_out = "", True
        except OSError as error:
            said, timed_out = error.strerror or type(error).__name__, False
        else:
            if done.returncode == 0:
                return
            said, timed_out = one_line(self.hide(done.stderr.decode("utf-8", "replace")), 200).rstrip("."), False
        if timed_out:
            raise self.error(
                f"{call.program} did not answer in time.", f"{call.program}가 제때 응답하지 않았어요.", maybe_sent=True
            )
        why = f" ({said})" if said else ""
        raise self.error(f"{call.program} could not show it{why}.", f"{call.program}가 알림을 띄우지 못했어요{why}.")


def call_for(platform: str, title: str, body: str, loudness: str) -> Call:
    """What shows `title` and `body` on the desktop of `platform`, both as plain text."""
    if platform == "darwin":
        return Call("osascript", ["-", title, body, loudness], APPLE_SCRIPT)
    if platform == "win32":
        script = base64.b64encode(POWER_SHELL.encode("utf-16-le")).decode("ascii")
        arguments = ["-NoProfile", "-NonInteractive", "-EncodedCommand", script]
        return Call("powershell", arguments, environ={"KNOCK_TOAST_TITLE": title, "KNOCK_TOAST_BODY": body})
    # A body is markup (https://specifications.freedesktop.org/notification-spec/latest/markup.html), and
    # notify-send reads C's escapes in it; neither holds for the title.
    body = html.escape(body, quote=False).replace("\\", "\\\\")
    return Call("notify-send", [f"--app-name={APP}", f"--urgency={URGENCY[loudness]}", "--", title, body])


def _has_session(environ: Mapping[str, str]) -> bool:
    """Whether there is a bus by which a desktop can be told: named, or where libdbus looks for it."""
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    return bool(environ.get("DBUS_SESSION_BUS_ADDRESS")) or (bool(runtime) and os.path.exists(f"{runtime}/bus"))
