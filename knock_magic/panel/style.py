"""How the panel looks: one sheet for every front end, in light and dark, and small pieces of HTML.

The widgets of ipywidgets 7.7.1 (Colab, classic Notebook) and 8 bear the same class names where we touch them.
Colours come from JupyterLab's variables where there are any, so that the panel follows its theme; VS Code and
Colab say "dark" in ways of their own.
"""

from __future__ import annotations

import html
import re
from typing import Any, List

_FONT = (
    "-apple-system,BlinkMacSystemFont,'Segoe UI',Pretendard,'Apple SD Gothic Neo','Malgun Gothic','Noto Sans KR',"
    "'Noto Sans CJK KR',Roboto,'Helvetica Neue',Arial,sans-serif"
)
_MONO = "ui-monospace,SFMono-Regular,Menlo,Consolas,'D2Coding','Noto Sans Mono CJK KR',monospace"

# Grey, so that it is seen in the light and in the dark.
_ARROW = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 12 12'%3E%3Cpath d='M2 4l4 4 4-4' "
    "fill='none' stroke='%23888896' stroke-width='1.8' stroke-linecap='round'/%3E%3C/svg%3E"
)

_DARK = "body[data-jp-theme-light='false'] .knock-panel,html[theme=dark] .knock-panel,body.vscode-dark .knock-panel"

SHEET = f"""<style>
.knock-panel{{--k-paper:#fff;--k-ink:#1d1d24;--k-soft:#5f606d;--k-line:rgba(120,120,140,.26);
--k-well:rgba(120,120,140,.08);--k-accent:#4b45d1;--k-on-accent:#fff;--k-tint:rgba(75,69,209,.09);
--k-good:#1a7f4b;--k-bad:#c62f35;--k-warn:#8a6100;--k-round:10px;
container-type:inline-size;box-sizing:border-box;width:calc(100% - 4px);max-width:760px;margin:6px 2px 12px!important;padding:0!important;
overflow:hidden!important;border:1px solid var(--k-line);border-radius:16px;background:var(--k-paper);
color:var(--k-ink);font:14px/1.6 {_FONT};word-break:keep-all;overflow-wrap:anywhere;
box-shadow:0 1px 2px rgba(0,0,0,.05),0 8px 28px rgba(30,30,60,.06)}}
{_DARK}{{--k-paper:#1b1b21;--k-ink:#ececf1;--k-soft:#a3a4b3;--k-line:rgba(160,160,185,.25);
--k-well:rgba(160,160,185,.09);--k-accent:#a5a1ff;--k-on-accent:#17162b;--k-tint:rgba(165,161,255,.14);
--k-good:#4fc98b;--k-bad:#ff8a85;--k-warn:#e3b04b;box-shadow:none}}
.knock-panel *{{box-sizing:border-box;word-break:keep-all;letter-spacing:normal}}
.knock-panel .widget-box,.knock-panel .widget-html{{margin:0!important;padding:0;width:auto;max-width:100%;overflow:visible!important}}
.knock-panel .widget-html,.knock-panel .widget-html-content{{height:auto!important;line-height:inherit!important;
font-size:inherit!important;color:inherit;white-space:normal;min-width:0}}
.knock-panel .widget-html{{display:block}}
.knock-panel .k-gone.k-gone.k-gone{{display:none!important}}
.knock-panel .widget-html>.widget-label{{display:none!important}}
.knock-panel p,.knock-panel ol,.knock-panel ul,.knock-panel dl,.knock-panel h2,.knock-panel h3{{margin:0;padding:0;color:inherit;font-family:inherit}}
.knock-panel a{{color:var(--k-accent)!important;text-decoration:underline;text-underline-offset:2px}}
.knock-panel code,.knock-panel pre{{font:12.5px/1.6 {_MONO}!important;color:inherit!important;background:var(--k-well)!important;
border:0!important;border-radius:5px!important;padding:1px 5px!important;white-space:pre-wrap!important}}
.knock-panel h2{{font-size:20px;line-height:1.35;font-weight:700;letter-spacing:-.01em}}
.knock-panel h3{{font-size:13px;font-weight:650;color:var(--k-soft)}}
.knock-panel .k-soft{{color:var(--k-soft)}}
.knock-panel .k-hide{{position:absolute!important;width:1px;height:1px;overflow:hidden!important;clip:rect(0 0 0 0)}}

.knock-panel .k-head{{padding:18px 22px 12px!important}}
.knock-panel .k-brand{{display:flex;align-items:center;gap:11px}}
.knock-panel .k-brand svg{{flex:none;color:var(--k-accent)}}
.knock-panel .k-brand b{{font-size:17px;letter-spacing:-.02em;display:block;line-height:1.25}}
.knock-panel .k-nav{{display:grid!important;grid-template-columns:repeat(4,minmax(0,1fr));border-bottom:1px solid var(--k-line);padding:0 14px!important;counter-reset:k}}
.knock-panel .k-page{{padding:22px!important;display:flex;min-height:430px}}
.knock-panel .k-lead{{margin:2px 0 16px!important;color:var(--k-soft)}}

.knock-panel button{{font-family:inherit!important;line-height:1.4!important;text-shadow:none!important;box-shadow:none!important;
cursor:pointer;transition:background-color .12s;opacity:1!important;word-break:keep-all}}
.knock-panel button:focus-visible,.knock-panel input:focus-visible,.knock-panel select:focus-visible,.knock-panel textarea:focus-visible,
.knock-panel a:focus-visible{{outline:2px solid var(--k-accent)!important;outline-offset:1px}}
.knock-panel button:focus:not(:focus-visible),.knock-panel input:focus:not(:focus-visible){{outline:none!important}}
.knock-panel .k-nav button{{counter-increment:k;width:auto!important;height:46px!important;margin:0!important;padding:0 4px!important;
border:0!important;border-bottom:2px solid transparent!important;border-radius:0!important;background:none!important;
color:var(--k-soft)!important;font-size:14px!important;text-align:center;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}}
.knock-panel .k-nav button::before{{content:counter(k);display:inline-block;width:20px;height:20px;margin-right:7px;border-radius:50%;
background:var(--k-well);font-size:12px;line-height:20px;text-align:center;font-weight:600}}
.knock-panel .k-nav button:hover{{color:var(--k-ink)!important;background:var(--k-well)!important}}
.knock-panel .k-nav button.k-on{{color:var(--k-ink)!important;font-weight:650;border-bottom-color:var(--k-accent)!important}}
.knock-panel .k-nav button.k-on::before{{background:var(--k-accent);color:var(--k-on-accent)}}
.knock-panel .k-main,.knock-panel .k-plain,.knock-panel .k-quiet,.knock-panel .k-chip{{height:auto!important;width:auto!important;
min-height:38px;margin:0!important;padding:7px 16px!important;border-radius:var(--k-round)!important;font-size:14px!important;
font-weight:600;white-space:nowrap;align-self:flex-start}}
.knock-panel .k-wrap>button{{align-self:center}}
.knock-panel .k-main{{border:1px solid var(--k-accent)!important;background:var(--k-accent)!important;color:var(--k-on-accent)!important}}
.knock-panel .k-main:hover{{filter:brightness(1.07)}}
.knock-panel .k-main:disabled{{opacity:.55!important;cursor:default}}
.knock-panel .k-plain,.knock-panel .k-chip{{border:1px solid var(--k-line)!important;background:var(--k-paper)!important;color:var(--k-ink)!important}}
.knock-panel .k-plain:hover,.knock-panel .k-chip:hover{{background:var(--k-well)!important}}
.knock-panel .k-quiet{{border:0!important;background:none!important;color:var(--k-soft)!important;font-weight:500;padding:7px 8px!important}}
.knock-panel .k-quiet:hover{{color:var(--k-ink)!important;text-decoration:underline}}
.knock-panel .k-chip{{min-height:32px;padding:3px 12px!important;border-radius:999px!important;font-size:13px!important;font-weight:500}}
.knock-panel .k-chip.k-on{{border-color:var(--k-accent)!important;background:var(--k-tint)!important;color:var(--k-accent)!important;font-weight:650}}
.knock-panel .k-chip code{{background:none!important}}
.knock-panel .k-wrap{{display:flex!important;flex-flow:row wrap!important;gap:8px 8px;align-items:center}}
.knock-panel .k-ticks{{gap:8px 20px}}
.knock-panel .k-gap{{margin-top:18px!important}}
.knock-panel .k-small.k-small{{margin-top:10px!important}}

.knock-panel .k-group{{padding:14px 2px 6px!important}}
.knock-panel .k-scroll.k-scroll{{max-height:580px;overflow-x:hidden!important;overflow-y:auto!important}}
.knock-panel .k-scroll>*{{flex:none}}
.knock-panel .k-rows{{border:1px solid var(--k-line);border-radius:12px;overflow:hidden!important}}
.knock-panel .k-row{{position:relative;min-height:52px;display:block!important;border-top:1px solid var(--k-line)}}
.knock-panel .k-rows .k-row:first-child{{border-top:0}}
.knock-panel .k-row .k-face{{display:flex;align-items:center;gap:12px;min-height:52px;padding:7px 14px}}
.knock-panel .k-row .widget-html{{position:relative;pointer-events:none;z-index:1}}
.knock-panel .k-row button{{position:absolute!important;inset:0;width:100%!important;height:100%!important;margin:0!important;
border:0!important;border-radius:0!important;background:none!important;color:transparent!important;font-size:1px!important}}
.knock-panel .k-row button:hover{{background:var(--k-well)!important}}
.knock-panel .k-row button:focus-visible{{outline-offset:-3px!important;border-radius:12px!important}}
.knock-panel .k-mark{{flex:none;display:grid;place-items:center;width:32px;height:32px;border-radius:9px;background:var(--k-tint);
color:var(--k-accent);font-weight:700;font-size:14px}}
.knock-panel .k-name{{flex:1;min-width:0;overflow-wrap:break-word;font-weight:600;line-height:1.35}}
.knock-panel .k-name small{{display:block;font-weight:400;font-size:12.5px;color:var(--k-soft);overflow:hidden;text-overflow:ellipsis;white-space:nowrap}}
.knock-panel .k-state{{flex:none;font-size:12.5px;color:var(--k-soft);white-space:nowrap}}
.knock-panel .k-state::before{{content:'';display:inline-block;width:8px;height:8px;margin-right:7px;border-radius:50%;background:currentColor;opacity:.45}}
.knock-panel .k-state.good{{color:var(--k-good)}} .knock-panel .k-state.bad{{color:var(--k-bad)}} .knock-panel .k-state.warn{{color:var(--k-warn)}}
.knock-panel .k-state.good::before,.knock-panel .k-state.bad::before,.knock-panel .k-state.warn::before{{opacity:1}}
.knock-panel .k-more{{flex:none;color:var(--k-soft);font-size:18px;line-height:1}}
.knock-panel .k-title{{display:flex;align-items:center;gap:13px;margin:2px 0 14px}}
.knock-panel .k-title .k-mark{{width:42px;height:42px;border-radius:12px;font-size:18px}}

.knock-panel .k-steps{{padding:14px 18px 14px;border-radius:12px;background:var(--k-well)}}
.knock-panel ol{{margin:6px 0 0 1.35em;list-style:decimal}}
.knock-panel li{{padding:2px 0 2px 3px}} .knock-panel li::marker{{color:var(--k-soft);font-weight:600}}
.knock-panel .k-steps ul{{margin:8px 0 0 1.2em;list-style:disc}}
.knock-panel a.k-go{{display:inline-block;padding:8px 16px;border-radius:var(--k-round);background:#fee500;color:#191600!important;font-weight:650;text-decoration:none}}
.knock-panel .k-steps p{{margin:6px 0 0}}

.knock-panel .k-field{{display:flex!important;flex-flow:column!important;align-items:stretch!important;width:100%!important;height:auto!important;margin:14px 0 0!important}}
.knock-panel .k-field>.widget-label,.knock-panel .k-field>label{{display:block!important;width:auto!important;max-width:none!important;height:auto!important;margin:0 0 5px!important;
padding:0!important;text-align:left!important;font-size:14px!important;line-height:1.45!important;font-weight:600;color:var(--k-ink)!important;white-space:normal!important;overflow:visible!important}}
.knock-panel .k-field input:not([type=checkbox]),.knock-panel .k-field select,.knock-panel .k-field textarea{{width:100%!important;max-width:none!important;height:40px!important;
margin:0!important;padding:8px 12px!important;border:1px solid var(--k-line)!important;border-radius:var(--k-round)!important;background-color:var(--k-paper)!important;
color:var(--k-ink)!important;font:14px/1.5 {_FONT}!important;box-shadow:none!important;flex:none!important}}
.knock-panel .k-field select{{padding-right:32px!important;appearance:none!important;-webkit-appearance:none!important;background-image:url("{_ARROW}")!important;
background-repeat:no-repeat!important;background-size:12px!important;background-position:right 12px center!important}}
.knock-panel .k-field textarea{{height:118px!important;font-family:{_MONO}!important;font-size:13px!important;resize:vertical}}
.knock-panel .k-field input::placeholder,.knock-panel .k-field textarea::placeholder{{color:var(--k-soft);opacity:1}}
.knock-panel .k-narrow{{max-width:300px!important}}
.knock-panel .k-field.k-fault input:not([type=checkbox]),.knock-panel .k-field.k-fault textarea{{border-color:var(--k-bad)!important;border-width:2px!important}}
.knock-panel .k-hint{{min-height:22px;padding-top:3px;font-size:12.5px;color:var(--k-soft)}}
.knock-panel .k-hint b{{color:var(--k-bad);font-weight:600}} .knock-panel .k-hint i{{color:var(--k-good);font-style:normal}}
.knock-panel .k-tick{{width:auto!important;height:auto!important;margin:0!important}}
.knock-panel .k-tick label{{display:flex!important;align-items:center;gap:8px;width:auto!important;max-width:none!important;padding:0!important;margin:0!important;
font-size:14px!important;line-height:1.5!important;font-weight:500;color:var(--k-ink)!important;white-space:normal!important;cursor:pointer}}
.knock-panel .k-tick input{{width:17px;height:17px;margin:0!important;accent-color:var(--k-accent);flex:none}}
.knock-panel .k-tick .widget-label:not(.widget-label-basic){{display:none!important}}

.knock-panel .k-answer{{display:flex;gap:11px;align-items:flex-start;min-height:74px;margin-top:14px;padding:12px 16px;border-radius:12px;background:var(--k-well)}}
.knock-panel .k-answer>span{{flex:none;width:20px;text-align:center;font-weight:700;line-height:1.6}}
.knock-panel .k-answer.good{{background:rgba(31,146,84,.11)}} .knock-panel .k-answer.good>span,.knock-panel .k-answer.good b{{color:var(--k-good)}}
.knock-panel .k-answer.bad{{background:rgba(209,59,59,.1)}} .knock-panel .k-answer.bad>span,.knock-panel .k-answer.bad b{{color:var(--k-bad)}}
.knock-panel .k-answer.warn{{background:rgba(200,140,0,.13)}} .knock-panel .k-answer.warn>span,.knock-panel .k-answer.warn b{{color:var(--k-warn)}}
.knock-panel .k-busy{{display:inline-block;width:14px;height:14px;margin-top:4px;border:2px solid var(--k-line);border-top-color:var(--k-accent);border-radius:50%;animation:k-turn .8s linear infinite}}
@keyframes k-turn{{to{{transform:rotate(360deg)}}}}
@media (prefers-reduced-motion:reduce){{.knock-panel .k-busy{{animation-duration:3s}}}}

.knock-panel .k-shots{{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(270px,100%),1fr));gap:14px;align-items:start}}
.knock-panel .k-shot{{min-width:0}}
.knock-panel .k-shot>p{{display:flex;justify-content:space-between;gap:8px;font-size:12.5px;color:var(--k-soft);margin:0 2px 6px}}
.knock-panel .k-shot>p b{{color:var(--k-ink);font-weight:600}}
.knock-panel dl{{display:grid;grid-template-columns:auto 1fr;gap:9px 18px;margin:0}}
.knock-panel dt{{white-space:nowrap;color:var(--k-soft);font-weight:500}} .knock-panel dd{{margin:0;font-weight:600}}
.knock-panel pre.k-copy{{margin:6px 0 0!important;padding:12px 14px!important;border-radius:12px!important;user-select:all;-webkit-user-select:all;cursor:copy}}
/* The classic Notebook puts a tall output into a low box with a scroll bar. */
.output_scroll:has(.knock-panel){{height:auto!important;max-height:none!important;overflow:visible!important;box-shadow:none!important}}
@container (max-width:520px){{.knock-panel .k-head,.knock-panel .k-page{{padding-left:16px!important;padding-right:16px!important}}
.knock-panel .k-nav{{padding:0 4px!important}} .knock-panel .k-nav button::before{{display:none}}
.knock-panel .k-row .k-face{{display:grid;grid-template-columns:32px minmax(0,1fr) auto;gap:0 12px}}
.knock-panel .k-row .k-mark,.knock-panel .k-row .k-more{{grid-row:1/3}} .knock-panel .k-row .k-state{{grid-column:2;grid-row:2;white-space:normal}}
.knock-panel .k-row .k-more{{grid-column:3}}
.knock-panel .k-title{{flex-wrap:wrap}} .knock-panel dl{{grid-template-columns:1fr;gap:1px}} .knock-panel dd{{margin-bottom:8px}}}}
</style>"""

# A door that is knocked on: a dot and two waves.
MARK = (
    '<svg width="34" height="34" viewBox="0 0 34 34" fill="none" aria-hidden="true">'
    '<rect width="34" height="34" rx="10" fill="currentColor"/>'
    '<g stroke="var(--k-on-accent)" stroke-width="2.4" stroke-linecap="round">'
    '<path d="M16.5 11.5a7.8 7.8 0 0 1 0 11"/><path d="M21 8a12.8 12.8 0 0 1 0 18"/></g>'
    '<circle cx="11" cy="17" r="2.7" fill="var(--k-on-accent)"/></svg>'
)

_LINK = re.compile(r"https?://[^\s<>()\"']*[^\s<>()\"'.,;:!?]")


def escaped(text: str) -> str:
    """`text` as HTML that shows it."""
    return html.escape(text)


def sentence(text: str) -> str:
    """`text` with a capital letter at its beginning, unless it begins with the name of a setting."""
    return text if "_" in text.partition(" ")[0] else text[:1].upper() + text[1:]


def linked(text: str) -> str:
    """`text` as HTML, with its addresses as links that open beside the notebook."""
    parts, at = [], 0
    for found in _LINK.finditer(text):
        if text[found.end() :].startswith("<") or found.group(0).startswith("http://localhost"):
            continue  # to be completed, or to be registered somewhere: nobody can open it
        address = html.escape(found.group(0))
        parts += [html.escape(text[at : found.start()])]
        parts += [f'<a href="{address}" target="_blank" rel="noopener noreferrer">{address}</a>']
        at = found.end()
    return "".join([*parts, html.escape(text[at:])])


def numbered(steps: str, names: List[str]) -> str:
    """A channel's `steps` as lists and paragraphs; the settings' `names` stand out."""
    found: List[str] = []
    is_list = False
    for line in steps.splitlines():
        number, _, rest = line.partition(". ")
        is_step = number.strip().isdigit()
        text = _named(linked(rest if is_step else line), names)
        if is_step != is_list:
            found.append("<ol>" if is_step else "</ol>")
        found.append(f"<li>{text}</li>" if is_step else f"<p>{text}</p>")
        is_list = is_step
    return "".join([*found, "</ol>" if is_list else ""])


def _named(text: str, names: List[str]) -> str:
    if not names:
        return text
    made_up = "|".join(sorted((re.escape(name) for name in names if "_" in name), key=len, reverse=True))
    plain = "|".join(sorted((re.escape(name) for name in names if "_" not in name), key=len, reverse=True))
    # A plain word such as "link" or "channel" is a setting only where one sets it, or where Korean goes on at once.
    said = rf"(?:(?<=into )|(?<=as )|(?<=set )|(?<=with )|(?<=[Ww]ithout )|(?<=</code> and ))({plain})|({plain})(?=[가-힣])"
    # Twice: what follows "and" is known by the first of the two.
    for words in (rf"({made_up})" if made_up else "", *([said, said] if plain else [])):
        if words:  # and never inside a link's address
            text = re.sub(rf"(?<![\w/.@-])(?:{words})(?![A-Za-z0-9_/@-])(?![^<]*>)(?![^<]*</a>)", _as_code, text)
    return text


def _as_code(found: Any) -> str:
    return f"<code>{found.group(0)}</code>"
