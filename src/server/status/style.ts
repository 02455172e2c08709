/** The style of the status page. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --bg: #f6f7f9; --card: #ffffff; --line: #e3e6eb; --text: #171a21; --quiet: #5b6472;
  --accent: #2457d6; --good: #157347; --warn: #9a5b00; --bad: #bb2124;
  --good-bg: #e5f5ec; --warn-bg: #fdf0d9; --bad-bg: #fce8e8;
  --s1: #2457d6; --s2: #0f8f7e; --s3: #b4570b; --s4: #bb2124; --fill: #2457d61f; --grid: #e9ebef;
}
@media (prefers-color-scheme: dark) {
  :root {
    --bg: #0e1116; --card: #171b22; --line: #2a303a; --text: #e8ebf0; --quiet: #9aa4b2;
    --accent: #84a9ff; --good: #5fd39a; --warn: #f2b661; --bad: #ff8583;
    --good-bg: #12301f; --warn-bg: #38280d; --bad-bg: #3b1719;
    --s1: #84a9ff; --s2: #4fd1bd; --s3: #f2a35e; --s4: #ff8583; --fill: #84a9ff26; --grid: #222833;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--text);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums; }
.top, main, footer { max-width: 1240px; margin: 0 auto; padding: 0 20px; }
.top { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 14px; padding-top: 18px; padding-bottom: 14px; }
h1 { font-size: 21px; margin: 0; letter-spacing: -.01em; }
h2 { font-size: 15px; margin: 0; font-weight: 650; }
p { margin: 0; }
.quiet { color: var(--quiet); font-size: 13px; }
.clock { margin-left: auto; }
.pill { border-radius: 99px; padding: 2px 11px; font-size: 13px; font-weight: 600; background: var(--line); }
.good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); }
.pill.good { background: var(--good-bg); } .pill.warn { background: var(--warn-bg); } .pill.bad { background: var(--bad-bg); }
.banner { max-width: 1200px; margin: 0 auto 14px; padding: 10px 14px; border-radius: 8px; background: var(--bad-bg); color: var(--bad); white-space: pre-line; overflow-wrap: anywhere; }
#lost { position: sticky; top: 8px; z-index: 2; }
@media (max-width: 1240px) { .banner { margin-left: 20px; margin-right: 20px; } }
section { margin-bottom: 22px; }
.jump { max-width: 1240px; margin: -6px auto 12px; padding: 0 20px; display: flex; flex-wrap: wrap; gap: 4px 16px; font-size: 13px; }
.attention { border-radius: 10px; padding: 12px 16px; border: 1px solid; }
.attention.bad { background: var(--bad-bg); border-color: var(--bad); } .attention.warn { background: var(--warn-bg); border-color: var(--warn); }
.attention ul { margin: 6px 0 0; padding: 0; list-style: none; display: grid; gap: 5px; }
.attention li { padding-left: 18px; position: relative; overflow-wrap: anywhere; color: var(--text); }
.attention li::before { content: ""; position: absolute; left: 1px; top: .48em; width: 9px; height: 9px; border-radius: 9px; background: currentColor; }
.attention li.bad::before { background: var(--bad); } .attention li.warn::before { background: var(--warn); border-radius: 2px; }
.attention li a { font-size: 13px; white-space: nowrap; }
.tools { display: flex; flex-wrap: wrap; gap: 4px 14px; margin-left: auto; font-size: 13px; color: var(--quiet); }
.tools[hidden] { display: none; }
.tools :is(input, select) { font: inherit; color: var(--text); background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 2px 6px; }
[id^=h-] { scroll-margin-top: 12px; }
.head { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 12px; margin-bottom: 8px; min-height: 26px; }
.columns h2 { margin-bottom: 8px; }
.tiles { display: grid; grid-template-columns: repeat(5, minmax(0, 1fr)); gap: 12px; }
.tile, figure, .scroll, .list, #config { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.tile { padding: 12px 14px 10px; }
.tile dt { color: var(--quiet); font-size: 13px; }
.tile dd { margin: 2px 0 6px; font-size: 25px; font-weight: 620; letter-spacing: -.015em; white-space: nowrap; min-height: 36px; }
.tile dd small { font-size: 14px; font-weight: 500; color: var(--quiet); letter-spacing: 0; }
.tile dl { margin: 0; }
svg.spark { display: block; width: 100%; height: 28px; overflow: visible; }
svg.spark path.line { fill: none; stroke: var(--s1); stroke-width: 1.5; vector-effect: non-scaling-stroke; stroke-linejoin: round; stroke-linecap: round; }
svg.spark path.area { fill: var(--fill); stroke: none; }
.charts { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 12px; }
figure { margin: 0; padding: 12px 12px 6px; min-width: 0; }
figcaption { font-size: 13px; font-weight: 600; margin: 0 2px 4px; }
.chart { height: 200px; overflow: hidden; }
.chart .u-legend { font-size: 12.5px; color: var(--quiet); text-align: left; line-height: 24px; padding-left: 6px; white-space: nowrap; }
.chart .u-legend .u-series:first-child { display: none; }
.chart .u-legend th { font-weight: 500; } .chart .u-legend .u-marker { border-radius: 3px; }
.chart .u-legend .u-value { min-width: 5.4em; display: inline-block; color: var(--text); }
.scope { font-size: 13px; color: var(--quiet); }
button { font: inherit; font-size: 13px; color: var(--accent); background: none; border: 1px solid var(--line); border-radius: 6px; padding: 1px 8px; cursor: pointer; }
button.name { border: 0; padding: 0; font-size: 15px; font-weight: 600; text-align: left; color: var(--text); text-decoration: underline; text-decoration-color: var(--line); text-underline-offset: 3px; overflow-wrap: anywhere; }
button.name:hover { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
a { color: var(--accent); }
.scroll { overflow-x: auto; }
.cards, .events { border-collapse: collapse; width: 100%; }
.cards th, .events th { text-align: left; font-size: 12px; font-weight: 550; color: var(--quiet); padding: 8px 12px; white-space: nowrap; }
.cards td, .events td { border-top: 1px solid var(--line); padding: 8px 12px; vertical-align: top; }
td.num, th.num { text-align: right; white-space: nowrap; }
td.graph { width: 170px; min-width: 120px; padding-top: 6px; padding-bottom: 6px; }
tr:has([aria-pressed=true]) td { background: var(--fill); }
.sub { display: block; color: var(--quiet); font-size: 13px; overflow-wrap: anywhere; }
.columns { columns: 2; column-gap: 16px; margin-bottom: 22px; } .columns section { break-inside: avoid; }
.list { list-style: none; margin: 0; padding: 0; }
.list li { padding: 9px 14px; border-top: 1px solid var(--line); display: flex; flex-wrap: wrap; gap: 2px 12px; align-items: baseline; }
.list li:first-child { border-top: 0; }
.list .main { font-weight: 600; overflow-wrap: anywhere; }
.list .state { margin-left: auto; text-align: right; font-size: 14px; }
.list .sub { flex-basis: 100%; }
.chips { flex-basis: 100%; display: flex; flex-wrap: wrap; gap: 5px; margin-top: 3px; }
.chip { font-size: 12.5px; border: 1px solid var(--line); border-radius: 6px; padding: 1px 7px; }
.chip.bad { background: var(--bad-bg); border-color: transparent; } .chip.good::before { content: ""; display: inline-block; width: 7px; height: 7px; border-radius: 9px; background: currentColor; margin-right: 6px; vertical-align: 1px; }
.bar { flex-basis: 100%; height: 6px; border-radius: 6px; background: var(--line); overflow: hidden; margin-top: 4px; }
.bar progress { appearance: none; -webkit-appearance: none; display: block; width: 100%; height: 6px; border: 0; background: none; }
.bar progress::-webkit-progress-bar { background: none; }
.bar progress::-webkit-progress-value { background: var(--good); } .bar.warn progress::-webkit-progress-value { background: var(--warn); } .bar.bad progress::-webkit-progress-value { background: var(--bad); }
.bar progress::-moz-progress-bar { background: var(--good); } .bar.warn progress::-moz-progress-bar { background: var(--warn); } .bar.bad progress::-moz-progress-bar { background: var(--bad); }
#config { padding: 10px 14px; }
#config dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 16px; margin: 0; }
#config dt { color: var(--quiet); } #config dd { margin: 0; overflow-wrap: anywhere; }
#config pre { margin: 8px 0 0; white-space: pre-wrap; overflow-wrap: anywhere; font: 12.5px/1.45 ui-monospace, "DejaVu Sans Mono", monospace; color: var(--bad); }
.events td { font-size: 14px; }
.events .when { white-space: nowrap; }
.mono { font: 12.5px/1.5 ui-monospace, SFMono-Regular, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
.code { font-weight: 600; } .code + .sub { overflow-wrap: normal; white-space: nowrap; font-size: 12px; }
.more { margin-top: 8px; }
.more:has([hidden]) { display: none; }
.empty { padding: 4px 2px; }
footer { padding-top: 4px; padding-bottom: 28px; } footer a { margin-left: 6px; }
.is-lost main { opacity: .45; }
@media (max-width: 900px) {
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); } .tile:first-child { grid-column: 1 / -1; }
  .charts { grid-template-columns: minmax(0, 1fr); } .columns { columns: 1; }
}
@media (max-width: 640px) {
  .top, main, footer { padding-left: 12px; padding-right: 12px; }
  .banner { margin-left: 12px; margin-right: 12px; }
  .clock { margin-left: 0; }
  .jump { padding-left: 12px; padding-right: 12px; } .tools { margin-left: 0; }
  .tile dd { font-size: 22px; }
  .chart .u-legend { font-size: 12px; padding-left: 0; } .chart .u-legend tr { margin-right: 3px; }
  .chart .u-legend :is(th, td) { padding: 2px 2px 2px 1px; } .chart .u-legend .u-value { min-width: 3.7em; }
  .chart .u-legend .u-marker { width: .8em; height: .8em; margin-right: 2px; }
  .cards thead, .events thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  :is(.cards, .events), :is(.cards, .events) :is(tbody, tr, td) { display: block; width: 100%; }
  .cards tr { border-top: 1px solid var(--line); padding: 10px 14px; display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 6px 10px; }
  .cards tr:first-child, .events tr:first-child { border-top: 0; }
  .cards td { border: 0; padding: 0; } .cards td.num { text-align: left; }
  .cards td[data-label]::before { content: attr(data-label); display: block; font-size: 12px; color: var(--quiet); }
  .cards td.wide { grid-column: 1 / -1; } .cards td.graph { grid-column: 1 / -1; }
  .cards tr:has([aria-pressed=true]) { background: var(--fill); } .cards tr:has([aria-pressed=true]) td { background: none; }
  .events tr { border-top: 1px solid var(--line); padding: 10px 14px; display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1.4fr); gap: 4px 10px; }
  .events td:nth-child(n + 3) { grid-column: 1 / -1; }
  .events td:nth-child(3) { display: flex; align-items: baseline; gap: 8px; }
  .events td { border: 0; padding: 0; }
}
@media (prefers-reduced-motion: no-preference) { .is-lost main { transition: opacity .3s; } }
`;
