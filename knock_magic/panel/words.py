"""The words of the panel, in each language."""

from __future__ import annotations

from typing import Any, Dict

from knock_magic.language import pick

WORDS: Dict[str, Dict[str, str]] = {
    "tagline": {"en": "Your notebook knocks when training is over.", "ko": "학습이 끝나면 노트북이 알려 드려요."},
    "channels": {"en": "Channels", "ko": "채널"},
    "message": {"en": "Message", "ko": "메시지"},
    "when": {"en": "When", "ko": "시점"},
    "done": {"en": "Done", "ko": "완료"},
    "open": {"en": "(this one is open)", "ko": "(지금 보는 단계)"},
    # Channels.
    "channels title": {"en": "Where should it knock?", "ko": "어디로 알려 드릴까요?"},
    "channels lead": {
        "en": "Choose one, follow its steps, and press Test: a real knock goes out at once.",
        "ko": "하나를 골라 안내대로 채우고 테스트를 누르면 바로 알림을 보내 드려요.",
    },
    "search": {"en": "Search for a channel", "ko": "채널 찾기"},
    "search example": {"en": "Slack, mail, phone …", "ko": "카카오톡, 메일, Slack …"},
    "nothing found": {
        "en": "No channel of that name. These two reach many others.",
        "ko": "그런 이름의 채널은 없어요. 이 둘로 다른 곳에도 보낼 수 있어요.",
    },
    "in use": {"en": "In use", "ko": "사용 중"},
    "korean": {"en": "Korean services", "ko": "한국 서비스"},
    "others": {"en": "Other services", "ko": "그 밖의 서비스"},
    "built in": {"en": "Without any setting", "ko": "설정 없이 바로"},
    "ready": {"en": "ready", "ko": "준비됨"},
    "needs": {"en": "needs set-up", "ko": "설정 필요"},
    "aside": {"en": "put aside", "ko": "보내지 않는 중"},
    "broken": {"en": "can't be used", "ko": "쓸 수 없음"},
    "delivered": {"en": "delivered {ago} ago", "ko": "{ago} 전에 전달"},
    "failed": {"en": "failed {ago} ago", "ko": "{ago} 전에 실패"},
    "delivered now": {"en": "delivered just now", "ko": "방금 전달"},
    "failed now": {"en": "failed just now", "ko": "방금 실패"},
    "knocks here": {"en": "knocks here", "ko": "알림 받는 중"},
    "back": {"en": "‹ All channels", "ko": "‹ 모든 채널"},
    "steps": {"en": "How to get what it needs", "ko": "준비하는 방법"},
    "form": {"en": "Settings", "ko": "설정"},
    "required": {"en": "needed", "ko": "필수"},
    "optional": {"en": "Optional.", "ko": "선택이에요."},
    "fill in": {"en": "Please fill this in.", "ko": "이 칸을 채워 주세요."},
    "saved secret": {"en": "saved ••••", "ko": "저장됨 ••••"},
    "taken secret": {"en": "taken ••••", "ko": "입력됨 ••••"},
    "type to replace": {"en": "Type to replace it.", "ko": "새로 입력하면 바뀌어요."},
    "not saved yet": {
        "en": "Taken, and hidden at once. Saved when the test has arrived; a space instead takes it back.",
        "ko": "받아서 바로 가렸어요. 테스트가 도착하면 저장해요. 취소하려면 빈칸 하나를 입력해 주세요.",
    },
    "leave it": {
        "en": "Press Tab after typing, before you save the notebook.",
        "ko": "입력한 뒤에는 Tab을 누르고 나서 노트북을 저장해 주세요.",
    },
    "set by": {"en": "Set by {where}.", "ko": "{where}에서 설정됨."},
    "test": {"en": "Test and save", "ko": "테스트하고 저장"},
    "save": {"en": "Save", "ko": "저장"},
    "test again": {"en": "Test again", "ko": "다시 테스트"},
    "save anyway": {"en": "Save all the same", "ko": "그래도 저장"},
    "forget": {"en": "Remove its settings", "ko": "설정 지우기"},
    "forget sure": {"en": "Really remove them?", "ko": "정말 지울까요?"},
    "use it": {"en": "Knock here", "ko": "이 채널로 알림 받기"},
    "before test": {"en": "The test sends a real knock.", "ko": "테스트를 누르면 알림이 하나 도착해요."},
    "look at fields": {
        "en": "Nothing was sent: look at the marked fields.",
        "ko": "보내지 않았어요. 표시된 칸을 확인해 주세요.",
    },
    "sending": {"en": "Knocking …", "ko": "보내는 중 …"},
    "still sending": {"en": "Knocking … {seconds} s", "ko": "보내는 중 … {seconds}초"},
    "arrived": {"en": "Arrived in {span}.", "ko": "{span} 만에 도착했어요."},
    "look there": {
        "en": "Check {label}: a knock is there.",
        "ko": "{label}에서 알림을 확인해 보세요.",
    },
    "not arrived": {"en": "It did not arrive.", "ko": "도착하지 않았어요."},
    "no answer": {
        "en": "No answer within half a minute. It is tried again by itself; %knock shows what becomes of it.",
        "ko": "30초 안에 응답이 없었어요. 자동으로 다시 보내고, 결과는 %knock으로 볼 수 있어요.",
    },
    "look here": {"en": "Look at this one.", "ko": "이 값을 확인해 주세요."},
    "next step": {"en": "Correct it above, and test again.", "ko": "위에서 고친 뒤 다시 테스트해 주세요."},
    "later": {"en": "Try again in a while.", "ko": "잠시 뒤 다시 테스트해 주세요."},
    "onward": {"en": "Next: {step} ›", "ko": "다음: {step} ›"},
    "needed": {"en": "* has to be filled in.", "ko": "* 표시는 꼭 채워야 해요."},
    "saved in": {"en": "Saved in {where}.", "ko": "{where}에 저장했어요."},
    "stronger": {
        "en": "But it is overruled by {names}.",
        "ko": "다만 {names} 값이 우선해요.",
    },
    "saved unready": {
        "en": "Saved in {where}, though it does not work yet.",
        "ko": "{where}에 저장했어요. 아직 동작하지 않아요.",
    },
    "forgotten": {"en": "Its settings were removed from {where}.", "ko": "{where}에서 설정을 지웠어요."},
    "nothing to set": {"en": "There is nothing to set up here.", "ko": "설정할 것이 없어요."},
    # Kakao's login.
    "kakao title": {"en": "Log in to Kakao", "ko": "카카오 로그인"},
    "kakao step": {
        "en": "Press Begin the login below.",
        "ko": "아래 [로그인 시작]을 눌러 주세요.",
    },
    "kakao start": {"en": "Begin the login", "ko": "로그인 시작"},
    "kakao again": {"en": "Log in again", "ko": "다시 로그인"},
    "kakao in": {"en": "You are logged in.", "ko": "로그인되어 있어요."},
    "kakao out": {
        "en": "Not logged in yet. Fill in the key above, then begin.",
        "ko": "아직 로그인하지 않았어요. 위에 키를 넣고 시작해 주세요.",
    },
    "kakao open": {
        "en": "1. Open this link and agree.\n2. The browser ends at a page that may not load; that is fine.\n"
        "3. Copy its whole address from the address bar, and paste it below.\n"
        "If Kakao shows an error instead, paste its code, such as KOE006, to learn what to click.",
        "ko": "1. 링크를 열고 동의해 주세요.\n2. 마지막에 페이지가 열리지 않아도 괜찮아요.\n"
        "3. 주소창의 주소를 전부 복사해 아래에 붙여 넣어 주세요.\n"
        "카카오 오류 화면이 나오면 KOE006 같은 코드를 붙여 넣어 주세요. 무엇을 눌러야 하는지 알려 드려요.",
    },
    "kakao link": {"en": "Open the login of Kakao", "ko": "카카오 로그인 열기"},
    "kakao paste": {
        "en": "The address where the browser ended, or the KOE code",
        "ko": "브라우저가 마지막에 도착한 주소나 KOE 코드",
    },
    "kakao wait": {"en": "The link works for five minutes, once.", "ko": "링크는 5분 동안, 한 번만 쓸 수 있어요."},
    "kakao late": {
        "en": "Five minutes are over. Begin the login again.",
        "ko": "5분이 지났어요. 로그인을 다시 시작해 주세요.",
    },
    "kakao asking": {"en": "Asking Kakao …", "ko": "카카오에 확인하는 중 …"},
    "kakao test": {"en": "Now press Test and save.", "ko": "이제 테스트하고 저장을 눌러 주세요."},
    "kakao first": {
        "en": "Nothing was sent: log in to Kakao first.",
        "ko": "보내지 않았어요. 카카오 로그인을 먼저 해 주세요.",
    },
    # Colab and Kaggle.
    "place title": {"en": "How it survives {service}", "ko": "{service}에서 설정을 계속 쓰려면"},
    "place secrets": {"en": "{service} Secrets", "ko": "{service} 보안 비밀"},
    "place drive": {"en": "Google Drive", "ko": "Google Drive"},
    "place runtime": {"en": "This runtime only", "ko": "이번 런타임에만"},
    "place rest": {"en": "Choose where your settings live.", "ko": "설정을 둘 곳을 골라 주세요."},
    "place read": {"en": "Read the secrets", "ko": "보안 비밀 읽기"},
    "place runtime about": {
        "en": "Saved in {where} on {service}'s machine: gone when it takes the machine away.",
        "ko": "{service} 기계의 {where}에 저장해요. 런타임이 끝나면 함께 사라져요.",
    },
    "place secrets Colab": {
        "en": "Create these under the key on the left, switch their notebook access on, then press the button. "
        "They are read by themselves in every later runtime.",
        "ko": "왼쪽 열쇠 메뉴에서 아래 이름으로 만들고 노트북 액세스를 켠 뒤 버튼을 눌러 주세요. "
        "다음 런타임부터는 자동으로 읽어요.",
    },
    "place secrets Kaggle": {
        "en": "Create these under Add-ons > Secrets, attach them to this notebook, then press the button. "
        "They are read by themselves in every later session.",
        "ko": "Add-ons > Secrets에서 아래 이름으로 만들고 이 노트북에 연결한 뒤 버튼을 눌러 주세요. "
        "다음 세션부터는 자동으로 읽어요.",
    },
    "place found": {"en": "read", "ko": "읽음"},
    "place to": {"en": "e.g. {names}", "ko": "예: {names}"},
    "place read them": {"en": "{count} read.", "ko": "{count}개를 읽었어요."},
    "place none": {
        "en": "None of these is among the secrets of {service} yet.",
        "ko": "{service} 보안 비밀에 아직 이런 이름이 없어요.",
    },
    "place denied": {"en": "They could not be read.", "ko": "읽지 못했어요."},
    "place mount": {
        "en": "Run this in a cell, then press Google Drive once more.",
        "ko": "이 줄을 셀에서 실행한 뒤 Google Drive를 다시 눌러 주세요.",
    },
    "place mount then": {"en": "No Drive is mounted yet.", "ko": "아직 드라이브가 연결되지 않았어요."},
    "place drive about": {
        "en": "Only you can read the file in your Drive. In the next runtime, begin with this:",
        "ko": "내 드라이브에 있는 파일이라 나만 읽을 수 있어요. 다음 런타임은 이렇게 시작해 주세요.",
    },
    # Message.
    "message title": {"en": "What should it say?", "ko": "어떻게 알려 드릴까요?"},
    "message lead": {
        "en": "This is how a knock looks, on each of your channels.",
        "ko": "고른 채널마다 알림이 이렇게 보여요.",
    },
    "template": {"en": "Template", "ko": "템플릿"},
    "language": {"en": "Language", "ko": "언어"},
    "outcomes": {"en": "Outcomes that knock", "ko": "알림을 보낼 결과"},
    "one stays": {"en": "At least one has to stay.", "ko": "하나는 남겨 두어야 해요."},
    "preview of": {"en": "Show a knock of", "ko": "미리 볼 결과"},
    "of limit": {"en": "{used} of {limit} {unit}", "ko": "{limit}{unit} 중 {used}{unit}"},
    "cut": {"en": "cut to fit", "ko": "길이에 맞춰 줄임"},
    "characters": {"en": "characters", "ko": "자"},
    "utf16": {"en": "characters", "ko": "자"},
    "bytes": {"en": "bytes", "ko": "바이트"},
    "own template": {"en": "Write your own", "ko": "직접 쓰기"},
    "own name": {"en": "Its name", "ko": "이름"},
    "own for": {"en": "Text for", "ko": "쓸 결과"},
    "own text": {"en": "Text; a click below adds a name at its end", "ko": "내용(아래를 누르면 끝에 들어가요)"},
    "every outcome": {"en": "every outcome", "ko": "모든 결과"},
    "save own": {"en": "Save and use it", "ko": "저장하고 쓰기"},
    "own saved": {"en": "Saved, and in use.", "ko": "저장했고, 이제 이 템플릿을 써요."},
    "own needs name": {"en": "Give it a name first.", "ko": "먼저 이름을 정해 주세요."},
    "own taken": {
        "en": "{name} is taken. Choose another name.",
        "ko": "{name}은(는) 이미 있는 이름이에요. 다른 이름을 써 주세요.",
    },
    "own needs text": {"en": "Write a text first.", "ko": "먼저 내용을 써 주세요."},
    "finished": {"en": "finished", "ko": "끝남"},
    "failed run": {"en": "failed", "ko": "실패"},
    "interrupted": {"en": "interrupted", "ko": "중단"},
    "died": {"en": "died", "ko": "커널 종료"},
    "stalled": {"en": "stalled", "ko": "멈춤"},
    "progress": {"en": "progress", "ko": "진행 상황"},
    "started": {"en": "started", "ko": "시작"},
    # When.
    "when title": {"en": "When should it knock?", "ko": "언제 알려 드릴까요?"},
    "when lead": {
        "en": "Cells with %%knock always knock. These are for all the others.",
        "ko": "%%knock을 쓴 셀은 항상 알려요. 나머지 셀은 여기서 정해요.",
    },
    "auto on": {"en": "Knock for every long cell", "ko": "오래 걸린 셀은 자동으로 알리기"},
    "auto": {"en": "A cell is long when it runs at least", "ko": "자동으로 알릴 최소 시간"},
    "every": {"en": "Send progress every", "ko": "진행 상황을 알릴 간격"},
    "stall": {"en": "Tell me when nothing has happened for", "ko": "이만큼 아무 일도 없으면 알리기"},
    "span hint": {"en": "For example 60s, 15m, 1h30m; or off.", "ko": "예: 60s, 15m, 1h30m. 끄려면 off"},
    "span fault": {
        "en": "Write a time such as 60s, 15m or 1h30m, or off.",
        "ko": "60s, 15m, 1h30m처럼 쓰거나 off로 꺼 주세요.",
    },
    "stall hint": {
        "en": "For example 15m; off: judged by the run's own pace.",
        "ko": "예: 15m. off면 학습 속도에 맞춰 판단해요.",
    },
    "kept": {"en": "Saved.", "ko": "저장했어요."},
    "mute": {"en": "Silence for a while", "ko": "잠시 알림 끄기"},
    "mute off": {"en": "Unmute", "ko": "다시 켜기"},
    "mute 1h": {"en": "1 hour", "ko": "1시간"},
    "mute 8h": {"en": "8 hours", "ko": "8시간"},
    "mute 2d": {"en": "2 days", "ko": "2일"},
    # Done.
    "done title": {"en": "That is all.", "ko": "준비 끝이에요."},
    "done not yet": {
        "en": "No channel yet. Choose one in step 1.",
        "ko": "아직 채널이 없어요. 1단계에서 골라 주세요.",
    },
    "done lead": {"en": "This is how it is set up now.", "ko": "이제부터 이렇게 알려 드려요."},
    "paste": {
        "en": "For the next notebook: one click selects it, then copy.",
        "ko": "다음 노트북 첫 셀에 붙여 넣어 주세요. 한 번 누르면 전체가 선택돼요.",
    },
    "autoload": {
        "en": "Load it by itself in every later notebook",
        "ko": "다음 노트북부터 자동으로 불러오기",
    },
    "where": {"en": "Where the settings went", "ko": "설정을 둔 곳"},
    "no channel yet": {
        "en": "No channel yet: knocks show under the cell.",
        "ko": "아직 채널이 없어서 셀 아래에만 보여요.",
    },
    "row channels": {"en": "Knocks on", "ko": "알림 채널"},
    "row message": {"en": "Message", "ko": "메시지"},
    "row when": {"en": "When", "ko": "시점"},
    "row progress": {"en": "Progress", "ko": "진행 상황"},
    "row stall": {"en": "Stalled", "ko": "멈춤"},
    "row mute": {"en": "Muted", "ko": "알림 끄기"},
    "after silence": {"en": "after {span} without news", "ko": "{span} 동안 아무 일도 없으면"},
    "row outcomes": {"en": "Outcomes", "ko": "결과"},
}


def say(key: str, **values: Any) -> str:
    """The words `key` in the reader's language."""
    return pick(WORDS[key]).format(**values) if values else pick(WORDS[key])
