"""Where settings are kept in Colab and Kaggle, whose machines are taken away with all that is on their disks."""

from __future__ import annotations

from typing import Callable, Dict, List

from knock_magic import folders, notebook_secrets
from knock_magic.errors import KnockError
from knock_magic.knocker import Knocker
from knock_magic.panel.parts import Answer, button, column, page, show, wrapped
from knock_magic.panel.style import escaped
from knock_magic.panel.words import say

MOUNT = 'from google.colab import drive\ndrive.mount("/content/drive")'


class PlaceBox:
    """The choice of a place, with what is to be done there; empty where settings simply stay.

    Args:
        knocker: whose settings these are.
        channels: gives the channels whose settings are meant.
        changed: is called when something was read or moved.
    """

    def __init__(self, knocker: Knocker, channels: Callable[[], List[str]], changed: Callable[[], None]) -> None:
        self._knocker = knocker
        self._channels = channels
        self._changed = changed
        self.service = notebook_secrets.service_name()
        places = {"Colab": ("secrets", "drive", "runtime"), "Kaggle": ("secrets", "runtime")}.get(self.service, ())
        self.chips = {place: button(self._name(place), self._goer(place), "k-chip") for place in places}
        self._about = page("")
        self.read = button(say("place read"), self.fetch, "k-plain", "k-small")
        self.answer = Answer(say("place rest"))
        self.widget = column(
            page(f'<h3 class="k-group k-gap">{escaped(say("place title", service=self.service))}</h3>'),
            wrapped(*self.chips.values()),
            self._about,
            self.read,
            self.answer.widget,
        )
        show(self.widget, bool(places))
        if places:
            self.choose("drive" if knocker.configuration.is_on_drive else "runtime")

    def _name(self, place: str) -> str:
        return say(f"place {place}", service=self.service)

    def _goer(self, place: str) -> Callable[[], None]:
        return lambda: self.choose(place)

    def choose(self, place: str) -> None:
        """Show what is to be done for `place`; a Drive that is mounted is moved to at once."""
        for each, chip in self.chips.items():
            (chip.add_class if each == place else chip.remove_class)("k-on")
        show(self.read, place == "secrets")
        self.answer.rest(say("place rest"))
        {"secrets": self._secrets, "drive": self._drive, "runtime": self._runtime}[place]()

    def _tell(self, *paragraphs: str) -> None:
        self._about.value = '<div class="k-steps k-small">' + "".join(paragraphs) + "</div>"

    def _runtime(self) -> None:
        where = self._knocker.configuration.file_name
        self._tell(f"<p>{escaped(say('place runtime about', service=self.service, where=where))}</p>")

    # Secrets. They can be read from here, but only their owner can make them.

    def names(self) -> Dict[str, bool]:
        """The secrets to create, and whether each is one that has to be there."""
        found = {"KNOCK_TO": False}
        for name in self._channels():
            channel = self._knocker.channel(name)
            found.update(
                {
                    channel.env_name(each): bool(trait.metadata.get("required"))
                    for each, trait in channel.fields().items()
                }
            )
        return found

    def _secrets(self) -> None:
        known = self._knocker.configuration.sources.secrets
        rows = "".join(
            f"<li><code>{escaped(name)}</code> {escaped(self._about_name(name, is_needed, bool(known.get(name))))}</li>"
            for name, is_needed in self.names().items()
        )
        about = say(f"place secrets {self.service}")
        self._tell(f"<p>{escaped(about)}</p><ul class='k-names'>{rows}</ul>")

    def _about_name(self, name: str, is_needed: bool, is_there: bool) -> str:
        if is_there:
            return f"✓ {say('place found')}"
        if name == "KNOCK_TO":
            return say("place to", names=",".join(self._channels()) or "slack")
        return say("required") if is_needed else say("optional")

    def fetch(self) -> None:
        """Read them, and tell which were there."""
        names = self._channels()
        try:
            problems = self._knocker.configuration.fetch_secrets(["KNOCK_TO", *self.names()])
            chosen = self._knocker.configuration.sources.secrets.get("KNOCK_TO")
            if chosen:
                self._knocker.settings.put("to", chosen, "KNOCK_TO")
            for name in names:
                self._knocker.reread(name)
        except KnockError as problem:
            self.answer.bad(str(problem))
            return
        known = self._knocker.configuration.sources.secrets
        found = [name for name in self.names() if known.get(name)]
        self._secrets()
        if problems:
            self.answer.bad(say("place denied"), *map(str, problems))
        elif found:
            self.answer.good(say("place read them", count=len(found)), ", ".join(found))
        else:
            self.answer.bad(say("place none", service=self.service))
        self._changed()

    # Drive.

    def _drive(self) -> None:
        folder = folders.drive_folder()
        if not folder:
            self._tell(f"<p>{escaped(say('place mount'))}</p><pre class='k-copy'>{escaped(MOUNT)}</pre>")
            self.answer.rest(say("place mount then"))
            return
        try:
            self._knocker.configuration.move_to(folder)
        except KnockError as problem:
            self._tell(f"<p>{escaped(say('place drive about'))}</p>")
            self.answer.bad(str(problem))
            return
        self._tell(
            f"<p>{escaped(say('place drive about'))}</p><pre class='k-copy'>{escaped(MOUNT)}\n%load_ext knock</pre>"
        )
        self.answer.good(say("saved in", where=self._knocker.configuration.file_name))
        self._changed()
