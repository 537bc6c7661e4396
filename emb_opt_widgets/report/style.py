"""Colours and rules of a report. Every rule lives under `.eow-report`."""

from __future__ import annotations

__all__ = ["NOTEBOOK", "PAGE", "SHADES"]

_VIRIDIS = (
    "#440154", "#482173", "#433e85", "#38588c", "#2d708e", "#25858e",
    "#1e9b8a", "#2ab07f", "#52c569", "#86d549", "#c2df23", "#fde725",
)  # fmt: skip
_ON_DARK = (
    "#7a4fd0", "#735fd9", "#6a6be0", "#5c7edd", "#4f8fd8", "#409dcd",
    "#35a8c4", "#2fb8ad", "#35c38f", "#62d178", "#b2df4a", "#fde725",
)  # fmt: skip
SHADES = len(_VIRIDIS)
"""Steps of the colour scale."""

_LIGHT = {
    "bg": "#fff", "panel": "#fff", "line": "#e3e6ea", "ink": "#1c2733", "soft": "#5d6b7a", "accent": "#2463eb",
    "ok": "#0a7d4f", "warn": "#a65300", "bad": "#b3261e", "fill": "#f5f7f9", "sel": "#ff8a00", "ghost": "#c3cad2",
}  # fmt: skip
_DARK = {
    "bg": "#111418", "panel": "#171b21", "line": "#2b323b", "ink": "#e6eaef", "soft": "#a2aebb", "accent": "#6ea0ff",
    "ok": "#4ecb98", "warn": "#f0a550", "bad": "#ff8a80", "fill": "#1e242b", "sel": "#ffad42", "ghost": "#48525e",
}  # fmt: skip


def _tokens(colours: dict[str, str], shades: tuple[str, ...], scheme: str) -> str:
    named = "".join(f"--eow-{name}:{value};" for name, value in colours.items())
    return f"color-scheme:{scheme};" + named + "".join(f"--eow-s{i}:{value};" for i, value in enumerate(shades))


_RULES = """
.eow-report{box-sizing:border-box;max-width:1100px;border:1px solid var(--eow-line);border-radius:8px;
background:var(--eow-panel);color:var(--eow-ink);overflow:hidden;
font:13px/1.4 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;text-align:left}
.eow-report *{box-sizing:border-box}
.eow-report .head{display:grid;
grid-template-columns:auto 1fr auto;gap:4px 16px;padding:12px 14px;align-items:baseline}
.eow-report .pill{color:var(--eow-ok);font-weight:600;margin-right:10px;white-space:nowrap}
.eow-report .pill::before{content:"";display:inline-block;width:8px;height:8px;border-radius:50%;
background:currentColor;margin-right:6px}
.eow-report .paused,.eow-report .stopped{color:var(--eow-warn)}
.eow-report .failed{color:var(--eow-bad)}
.eow-report .ready{color:var(--eow-soft)}
.eow-report .name{font-weight:600;font-size:14px;margin:0;display:inline;overflow-wrap:anywhere}
.eow-report .facts{color:var(--eow-soft)}
.eow-report .facts b,.eow-report .cap b{color:var(--eow-ink);font-weight:600}
.eow-report .top{text-align:right;white-space:nowrap}
.eow-report .top b{font-size:18px;font-weight:650}
.eow-report .top span{color:var(--eow-soft);margin-left:6px;display:inline-block;max-width:16em;overflow:hidden;
text-overflow:ellipsis;vertical-align:bottom}
.eow-report .why{grid-column:1/-1;color:var(--eow-soft);overflow-wrap:anywhere}
.eow-report .meter{grid-column:1/-1;height:4px;border-radius:2px;
background:var(--eow-fill);overflow:hidden;margin-top:4px}
.eow-report .meter i{display:block;height:100%;background:var(--eow-accent)}
.eow-report .main{display:grid;grid-template-columns:minmax(0,1fr) 300px;border-top:1px solid var(--eow-line)}
.eow-report .map{padding:8px 0 6px;border-right:1px solid var(--eow-line);display:flex;flex-direction:column}
.eow-report .map svg{margin:auto 0}
.eow-report .cap{display:flex;justify-content:space-between;gap:12px;padding:0 14px 4px;color:var(--eow-soft);
font-size:12px}
.eow-report .legend{display:inline-flex;gap:6px;align-items:center;font-size:11px}
.eow-report .legend i{width:70px;height:7px;border-radius:4px;background:linear-gradient(90deg,var(--eow-s0),
var(--eow-s3),var(--eow-s6),var(--eow-s9),var(--eow-s11))}
.eow-report .side>div{padding:8px 0 4px}
.eow-report .side>div+div{border-top:1px solid var(--eow-line)}
.eow-report svg{width:100%;height:auto;display:block}
.eow-report text{fill:var(--eow-soft);font-size:10.5px;font-family:inherit}
.eow-report .mid{text-anchor:middle}.eow-report .end{text-anchor:end}
.eow-report path{fill:none}
.eow-report .edge{stroke:var(--eow-ghost);stroke-width:1}
.eow-report .route{stroke:var(--eow-sel);stroke-width:1.9}
.eow-report .best{fill:none;stroke:var(--eow-sel);stroke-width:2}
.eow-report circle.off{fill:var(--eow-panel);stroke:var(--eow-ghost);stroke-width:1.3}
.eow-report circle.wait{fill:var(--eow-ghost);stroke:none}
.eow-report .grid{stroke:var(--eow-line)}
.eow-report .faint{stroke:var(--eow-ghost);stroke-width:1.3}
.eow-report .curve{stroke:var(--eow-accent);stroke-width:2}
.eow-report .mark{stroke:var(--eow-sel);stroke-dasharray:2 3}
.eow-report .bar{fill:var(--eow-ghost)}.eow-report .late{fill:var(--eow-sel)}
.eow-report section{border-top:1px solid var(--eow-line);overflow-x:auto}
.eow-report h2{font-size:13px;font-weight:600;margin:0;padding:8px 14px}
.eow-report h2 span{font-weight:400;color:var(--eow-soft);margin-left:6px}
.eow-report table{width:100%;border-collapse:collapse;font-size:12.5px;margin:0;border:0;color:inherit}
.eow-report th{font-weight:500;color:var(--eow-soft);text-align:left;padding:4px 8px;background:var(--eow-fill);
white-space:nowrap}
.eow-report td{padding:4px 8px;border-top:1px solid var(--eow-line);text-align:left;white-space:nowrap;overflow:hidden;
text-overflow:ellipsis;max-width:330px;unicode-bidi:isolate;background:none}
.eow-report td:first-child,.eow-report th:first-child{padding-left:14px}
.eow-report th.r:first-child{width:56px}
.eow-report td.r,.eow-report th.r{text-align:right}
.eow-report td.wrap{white-space:normal;overflow-wrap:anywhere}
.eow-report td.item{font:12px ui-monospace,monospace}
.eow-report td.id{max-width:180px}
.eow-report tr.you td{background:color-mix(in srgb,var(--eow-sel) 10%,transparent)}
.eow-report .num,.eow-report td,.eow-report text{font-variant-numeric:tabular-nums}
.eow-report dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 14px;margin:0;padding:0 14px 12px}
.eow-report dt{color:var(--eow-soft)}.eow-report dd{margin:0;overflow-wrap:anywhere}
.eow-report .none{color:var(--eow-soft);padding:0 14px 12px;margin:0}
@media (max-width:720px){.eow-report .main{grid-template-columns:minmax(0,1fr)}
.eow-report .map{border-right:0;border-bottom:1px solid var(--eow-line)}
.eow-report .head{grid-template-columns:1fr auto}.eow-report .head .facts{grid-row:2;grid-column:1/-1}}
@media print{.eow-report{border:0;max-width:none}}
"""
_RULES += "".join(f".eow-report circle.on.s{i}{{fill:var(--eow-s{i})}}" for i in range(SHADES))

PAGE = (
    f":root{{{_tokens(_LIGHT, _VIRIDIS, 'light')}}}"
    f"@media (prefers-color-scheme:dark){{:root{{{_tokens(_DARK, _ON_DARK, 'dark')}}}}}"
    "html{background:var(--eow-bg)}body{margin:12px}.eow-report{margin:0 auto}" + _RULES
)
"""For a page of its own: light or dark as the system is."""

NOTEBOOK = (
    f".eow-report{{{_tokens(_LIGHT, _VIRIDIS, 'light')}}}"
    f'[data-jp-theme-light="false"] .eow-report{{{_tokens(_DARK, _ON_DARK, "dark")}}}' + _RULES
)
"""Within a notebook: light or dark as JupyterLab is."""
