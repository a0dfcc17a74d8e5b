"""What calls a person who looks elsewhere to the page: a sound and a browser's notification, as JavaScript."""

from __future__ import annotations

import json
from typing import Any, Dict, Sequence

from knock_magic import language
from knock_magic.template import Message

# Hertz, one after the other; up for good news, down for bad.
TONES: Dict[str, Sequence[int]] = {"normal": (660, 880), "loud": (440, 330, 262)}
# A saved notebook is run through again by whoever opens it. What is older than this stays silent; it is much,
# for the kernel's clock and the browser's need not agree.
FRESH_S = 600.0

ASK = {"en": "Allow notifications", "ko": "브라우저 알림 허용하기"}

# It touches nothing of the page but its own output. A browser lets a page sound once a person has clicked in it,
# and show notifications once they have allowed that; where it does not, nothing happens.
# https://developer.mozilla.org/docs/Web/Media/Autoplay_guide
# https://developer.mozilla.org/docs/Web/API/Notification/requestPermission_static
_SCRIPT = """\
(function (told, output) {
  "use strict";
  var KEY = "knock_magic told", seen = [];
  try { seen = JSON.parse(window.localStorage.getItem(KEY)) || []; } catch (error) {}
  if (!Array.isArray(seen)) seen = [];
  if (Math.abs(Date.now() / 1000 - told.at) > told.fresh || seen.indexOf(told.id) >= 0) return;
  try { window.localStorage.setItem(KEY, JSON.stringify(seen.concat(told.id).slice(-50))); } catch (error) {}

  function sound() {
    var Context = window.AudioContext || window.webkitAudioContext, air = new Context();
    told.tones.forEach(function (hertz, index) {
      var from = air.currentTime + 0.18 * index, tone = air.createOscillator(), loudness = air.createGain();
      tone.frequency.value = hertz;
      loudness.gain.setValueAtTime(0.2, from);
      loudness.gain.exponentialRampToValueAtTime(0.001, from + 0.3);
      tone.connect(loudness).connect(air.destination);
      tone.start(from);
      tone.stop(from + 0.3);
    });
    window.setTimeout(function () { air.close(); }, 1500);
  }

  function show() {
    new window.Notification(told.title, {body: told.body, tag: told.id});
  }

  function ask() {
    var button = document.createElement("button");
    button.textContent = told.ask;
    button.onclick = function () {
      window.Notification.requestPermission().then(function (answer) {
        button.remove();
        if (answer === "granted") show();
      });
    };
    output.appendChild(button);
  }

  if (told.tones.length) try { sound(); } catch (error) {}
  if (told.shows && window.Notification) try {
    if (window.Notification.permission === "granted") show();
    else if (window.Notification.permission === "default" && output) ask();
  } catch (error) {}
})(TOLD, typeof element === "undefined" ? null : element[0] || element);
"""


def script(message: Message, now: float, *, sound: bool, notification: bool) -> str:
    """JavaScript that calls for `message`, once and only around `now`; nothing in it is text of a cell but strings."""
    told: Dict[str, Any] = {
        "id": message.event.id,
        "at": now,
        "fresh": FRESH_S,
        "tones": list(TONES[message.loudness]) if sound else [],
        "shows": notification,
        "title": message.title,
        "body": message.body,
        "ask": language.pick(ASK, message.lang),
    }
    # All but ASCII is escaped; so that no "</script>" of a page it is saved in ends it, so is what begins a tag.
    return _SCRIPT.replace("TOLD", json.dumps(told).replace("<", "\\u003c").replace(">", "\\u003e"))
