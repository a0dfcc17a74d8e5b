"""Times what a peer does in the user's thread when work has finished or failed, against the server of an address.

It runs in an environment that has the peers, and nothing of ours.
"""

import contextlib
import json
import sys
import time

peer, url = sys.argv[1:]
clock = time.perf_counter


def knockknock():
    from knockknock import slack_sender

    ended = []

    @slack_sender(webhook_url=url, channel="bench")
    def work(fails):
        ended.append(clock())
        if fails:
            raise ValueError("of the bench")

    def times(fails):
        began = clock()
        with contextlib.suppress(ValueError):
            work(fails)
        return [clock() - began]

    return {"finished": times(False), "failed": times(True)}


def sentry():
    import sentry_sdk

    sentry_sdk.init(dsn=url.replace("://", "://key@").replace("/hook", "/1"))

    def finished():
        sentry_sdk.capture_message("finished")

    def failed():
        try:
            raise ValueError("of the bench")
        except ValueError:
            began = clock()
            sentry_sdk.capture_exception()
            return clock() - began

    def timed(call):
        began = clock()
        return call() or clock() - began

    return {what.__name__: [timed(what) for _ in range(50)] for what in (finished, failed)}


print(json.dumps({"knockknock": knockknock, "sentry": sentry}[peer]()))
