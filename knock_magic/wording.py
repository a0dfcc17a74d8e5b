"""The words of messages, in each language: icons, outcomes, notes, causes, and the built-in templates.

Korean is written so that nothing has to agree with the last sound of a name, which can be in any script.
"""

from __future__ import annotations

from typing import Dict, Mapping

Words = Mapping[str, Mapping[str, str]]

ICONS = {
    "finished": "✅",
    "failed": "❌",
    "interrupted": "✋",
    "died": "💀",
    "stalled": "⏸️",
    "progress": "⏳",
    "started": "▶️",
    "message": "💬",
    "test": "🔔",
    "warning": "⚠️",
}

# Of an outcome, where a service shows a coloured edge or the like; readable on a light and on a dark ground.
COLOURS = {
    "finished": "#2e9e5b",
    "failed": "#d64545",
    "died": "#d64545",
    "interrupted": "#c98a00",
    "stalled": "#c98a00",
    "warning": "#c98a00",
}
ANY_OTHER_COLOUR = "#8a8a8a"

OUTCOME_WORDS: Words = {
    "en": {
        "finished": "finished",
        "failed": "failed",
        "interrupted": "was interrupted",
        "died": "died with its kernel",
        "stalled": "has stalled",
        "progress": "is running",
        "started": "started",
        "message": "",
        "test": "knocks: this channel works",
        "warning": "needs a look",
    },
    "ko": {
        "finished": "끝났어요",
        "failed": "실패했어요",
        "interrupted": "중단됐어요",
        "died": "커널이 죽어서 멈췄어요",
        "stalled": "멈춰 있어요",
        "progress": "진행 중이에요",
        "started": "시작했어요",
        "message": "",
        "test": "알림이 잘 도착했어요",
        "warning": "확인이 필요해요",
    },
}

# Words that say more than the outcome alone; the keys are `Event.note`.
NOTES: Words = {
    "en": {
        "stopped": "was stopped by you",
        "early": "was ended early",
        "left": "stopped before its end",
        "lost": "was lost with its machine",
        "again": "is running again",
        "unresponsive": "hangs: its kernel does not respond",
        "unresponsive script": "hangs: its Python does not respond",
        "nan": "reports NaN or infinity",
        "killed": "was killed",
        "scheduler": "was stopped by the scheduler",
        "aside": "is put aside",
        "expired": "could not be reached for a day",
    },
    "ko": {
        "stopped": "직접 중단했어요",
        "early": "일찍 끝냈어요",
        "left": "끝나기 전에 중단됐어요",
        "lost": "컴퓨터나 커널이 통째로 사라져 끊겼어요",
        "again": "다시 진행 중이에요",
        "unresponsive": "커널이 응답하지 않아요",
        "unresponsive script": "파이썬이 응답하지 않아요",
        "nan": "지표에 NaN이나 무한대가 나왔어요",
        "killed": "강제로 종료됐어요",
        "scheduler": "스케줄러가 작업을 종료했어요",
        "aside": "채널로는 당분간 보내지 않아요",
        "expired": "채널로 하루 동안 보내지 못했어요",
    },
}

# What the causes of a death mean; the keys are `ErrorInfo.type`.
CAUSES: Words = {
    "en": {
        "OOM": "the machine ran out of memory",
        "SIGKILL": "killed from outside, or out of memory",
        "SIGSEGV": "a crash in native code",
        "SIGABRT": "native code gave up",
        "SIGTERM": "asked to stop",
        "ExitCode": "the process ended by itself",
        "unknown": "cause unknown",
    },
    "ko": {
        "OOM": "메모리가 부족했어요",
        "SIGKILL": "밖에서 강제 종료됐거나 메모리가 부족했어요",
        "SIGSEGV": "네이티브 코드에서 충돌이 났어요",
        "SIGABRT": "네이티브 코드가 스스로 중단했어요",
        "SIGTERM": "종료 요청을 받았어요",
        "ExitCode": "프로세스가 스스로 끝났어요",
        "unknown": "이유는 알 수 없어요",
    },
}

# The first line of the built-in templates, by what the time in it means.
HEADLINES: Words = {
    "en": {
        "over": "$icon $name $outcome · $duration",
        "going": "$icon $name $outcome · $duration so far",
        "no run": "$icon $name $outcome",
    },
    "ko": {
        "over": "$icon $name $outcome · $duration",
        "going": "$icon $name $outcome · 시작한 지 $duration",
        "no run": "$icon $name $outcome",
    },
}

# What follows it. The short template goes on in the same line.
BODIES: Words = {
    "en": {
        "short": " · $metrics · $progress · about $eta left · $error",
        "standard": "\n$progress\nabout $eta left (around $eta_at)\n$metrics\n$error\n$hint",
        "detailed": "\n$progress\nabout $eta left (around $eta_at)\n$metrics\n$error\n$hint\n$tail\n"
        "Started $started · ended $ended\nNotebook $notebook\nHost $host · user $user · at most $memory of RAM\n$gpu",
    },
    "ko": {
        "short": " · $metrics · $progress · 약 $eta 남음 · $error",
        "standard": "\n$progress\n약 $eta 남음 ($eta_at쯤)\n$metrics\n$error\n$hint",
        "detailed": "\n$progress\n약 $eta 남음 ($eta_at쯤)\n$metrics\n$error\n$hint\n$tail\n"
        "시작 $started · 끝 $ended\n노트북 $notebook\n서버 $host · 사용자 $user · RAM 최대 $memory\n$gpu",
    },
}

# What is always told, below the text of any template.
LINES: Words = {
    "en": {
        "rank": "On rank {ranks}.",
        "ranks": "On ranks {ranks}; the first was rank {step}.",
        "more": "{count} more like this one.",
        "more of": "{count} more before this one: {names}",
        "more finished": "{count} more finished before it: {names}",
        "digest": "{count} more waited for a new day: {names}",
        "usual": "usually {span}, {count} runs",
        "usual of one": "{span} the last time",
        "better": "{metric} {value} is {by} better than {baseline} ({direction})",
        "worse": "{metric} {value} is {by} worse than {baseline} ({direction})",
        "same": "{metric} {value} is the same as {baseline}",
        "best so far": "the best of {count} runs before, {baseline}",
        "best of one": "the run before, {baseline}",
        "nothing before": "{metric} {value}: no earlier run to compare it with",
        "no metric": "no number was reported as {metric}",
        "no number": "{metric} is {seen}, so it can't be compared",
        "higher": "higher is better",
        "lower": "lower is better",
        "still": "For {span} there was no step and no output, and its processes did nothing.",
        "silent": "No answer for {span}: native code may hold the interpreter.",
        "at least": "at least {span}",
        "slept": "The machine slept for {span} meanwhile.",
        "late": "Sent {span} late.",
        "maybe twice": "You may have this one already.",
        "given up": "Not delivered: {name}",
        "given up more": "Not delivered: {name}, and {count} more",
        "step": "step {step}",
    },
    "ko": {
        "rank": "rank {ranks}에서 일어났어요.",
        "ranks": "rank {ranks}에서 일어났어요. 처음은 rank {step} 쪽이에요.",
        "more": "이런 일이 {count}번 더 있었어요.",
        "more of": "이 알림 전에 {count}건이 더 있었어요: {names}",
        "more finished": "먼저 {count}건이 더 끝났어요: {names}",
        "digest": "하루 한도 때문에 미뤄 둔 알림이 {count}건 더 있어요: {names}",
        "usual": "보통 {span}, {count}번 기준",
        "usual of one": "지난번에는 {span}",
        "better": "{metric} {value}: {baseline}보다 {by} 좋아졌어요({direction})",
        "worse": "{metric} {value}: {baseline}보다 {by} 나빠졌어요({direction})",
        "same": "{metric} {value}: 변화 없음({baseline})",
        "best so far": "이전 {count}번 중 가장 좋은 값 {baseline}",
        "best of one": "지난번 {baseline}",
        "nothing before": "{metric} {value}: 비교할 이전 실행이 없어요",
        "no metric": "{metric} 값이 보고되지 않았어요",
        "no number": "{metric} 값이 숫자가 아니어서({seen}) 비교할 수 없어요",
        "higher": "높을수록 좋음",
        "lower": "낮을수록 좋음",
        "still": "{span} 동안 진행도, 출력도, 프로세스의 움직임도 없었어요.",
        "silent": "{span} 동안 응답이 없었어요. 네이티브 코드가 인터프리터를 붙잡고 있을 수 있어요.",
        "at least": "적어도 {span}",
        "slept": "그사이 컴퓨터가 {span} 동안 절전 상태였어요.",
        "late": "{span} 늦게 보냈어요.",
        "maybe twice": "이미 받은 알림일 수 있어요.",
        "given up": "보내지 못한 알림: {name}",
        "given up more": "보내지 못한 알림: {name} 외 {count}건",
        "step": "{step}단계",
    },
}

# What is wrong with a template of the person's own.
FAULTS: Words = {
    "en": {
        "broken": "The template {name} has an error in line {line}, column {column}: "
        "after $ comes a name; a dollar itself is $$.",
        "unknown": "The template {name} has names that do not exist: {names}.",
        "empty": "The template {name} leaves nothing to say here.",
        "none": "There is no template called {name}.",
    },
    "ko": {
        "broken": "템플릿 {name}의 {line}번째 줄 {column}번째 글자에 오류가 있어요. "
        "$ 뒤에는 이름이 와야 하고, 달러 기호는 $$로 써요.",
        "unknown": "템플릿 {name}에 모르는 이름이 있어요: {names}.",
        "empty": "템플릿 {name}에는 이럴 때 보낼 말이 없어요.",
        "none": "{name} 템플릿은 없어요.",
    },
}


def became(metric: str, value: str) -> Dict[str, str]:
    """That `metric` is NaN or infinite, in each language."""
    return {
        "en": f"{metric} became {value}",
        "ko": f"{metric} 값이 {value}{'이' if value == 'nan' else '가'} 됐어요",
    }
