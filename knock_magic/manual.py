"""What ``%knock?`` and ``%%knock?`` show, in the reader's language."""

from __future__ import annotations

import textwrap

from knock_magic import options
from knock_magic.head import MARK
from knock_magic.language import pick

_TEXTS = {
    "en": """Knock when a cell has ended, or do one of the commands.

    {mark} [NAME ...] [OPTIONS]      at the head of a cell: knock when it ends, however it ends

{options}

    %knock                          status: channels, threshold, what is waiting
    %knock setup [CHANNEL] [--text] choose channels, message and times in a panel, or by questions in text
    %knock use CHANNEL...           knock on these channels from here on
    %knock auto 60|on|off           knock for every cell that ran at least 60 s, or only when asked
    %knock template [NAME] [--to CHANNEL]   show the message templates as they look there; NAME: use it
    %knock test [CHANNEL...]        send a test knock and say what the channel answered
    %knock send TEXT [--to CHANNEL] [--picture FILE]   knock with a text; {{x}} and $x are replaced
    %knock history [NAME ...] [N] [--outcome failed,died] [--run ID] [--json]   the runs so far
    %knock mute 2h, unmute          no knock from anywhere for two hours; they stay in the history
    %knock channels                 the channels there are, and what each needs
    %knock login kakao              log in to KakaoTalk, step by step
    %knock autoload on|off          load this in every later kernel, or no more

    use, auto and template are for this kernel; with --save also for every later one.
    --show takes one expression, in quotes if it has spaces; {{x}} and $x are replaced in NAME.
""",
    "ko": """셀이 끝나면 알리거나, 아래 명령을 실행해요.

    {mark} [이름 ...] [옵션]         셀 맨 위에 쓰면 그 셀이 어떻게 끝나든 알려요

{options}

    %knock                          지금 상태: 채널, 자동 알림 기준, 보내지 못하고 기다리는 알림
    %knock setup [채널] [--text]    채널, 메시지, 알릴 때를 화면에서 고르기, --text는 글로 묻고 답하기
    %knock use 채널...              이제부터 이 채널로 알리기
    %knock auto 60|on|off           60초 이상 걸린 셀은 모두 알리기, off면 요청할 때만
    %knock template [이름] [--to 채널]   메시지 템플릿 모양 보기, 이름을 적으면 그 템플릿 쓰기
    %knock test [채널...]           시험 알림을 보내고 채널이 뭐라고 답했는지 보기
    %knock send 글 [--to 채널] [--picture 파일]   글 보내기, {{x}}와 $x는 변수 값으로 바뀌어요
    %knock history [이름 ...] [개수] [--outcome failed,died] [--run ID] [--json]   지금까지 돌린 것
    %knock mute 2h, unmute          두 시간 동안 모든 알림 끄기, 기록에는 남아요
    %knock channels                 쓸 수 있는 채널과 채널마다 필요한 값
    %knock login kakao              카카오톡에 차근차근 로그인하기
    %knock autoload on|off          앞으로 모든 커널에서 자동으로 불러오기, off면 그만두기

    use, auto, template은 이 커널에만 적용돼요. --save를 붙이면 앞으로도 그대로 써요.
    --show에는 식을 하나 적고, 띄어쓰기가 있으면 따옴표로 감싸 주세요. 이름의 {{x}}와 $x는 변수 값으로 바뀌어요.
""",
}


def text() -> str:
    """The whole of it."""
    return pick(_TEXTS).format(mark=MARK, options=textwrap.indent(options.usage(), " " * 4))
