/** The one style sheet of the console. Fonts are the system's own; nothing is fetched from elsewhere. */
export const STYLE = `:root {
  color-scheme: light dark;
  --paper: #faf8f3; --card: #fffefb; --ink: #22201c; --soft: #5d584f; --line: #ddd7ca;
  --accent: #0b5a57; --on-accent: #ffffff; --wash: #e6efec; --danger: #9c2419; --danger-wash: #f8e7e3;
  --warn: #7a4d00; --warn-wash: #f7edd7; --good: #1f6138;
  --serif: "Iowan Old Style", Charter, "Bitstream Charter", "Palatino Linotype", "URW Palladio L", "Noto Serif", Georgia, serif;
  --sans: ui-sans-serif, system-ui, "Segoe UI", "Noto Sans", "Liberation Sans", sans-serif;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", "Noto Sans Mono", "Liberation Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #161512; --card: #1e1d19; --ink: #ebe7de; --soft: #aba495; --line: #3a372f;
    --accent: #83cdc3; --on-accent: #0c211f; --wash: #21332f; --danger: #ff9d8f; --danger-wash: #3a1f1b;
    --warn: #edc16f; --warn-wash: #352a14; --good: #8fd3a5;
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { font: 100%/1.55 var(--sans); background: var(--paper); color: var(--ink); -webkit-text-size-adjust: 100%; }
body { margin: 0; display: grid; grid-template: auto 1fr / minmax(0, 1fr); min-height: 100vh; }
a { color: var(--accent); text-underline-offset: .18em; text-decoration-thickness: .06em; }
a:hover { text-decoration-thickness: .13em; }
:focus-visible { outline: .19rem solid var(--accent); outline-offset: .16rem; border-radius: .2rem; }
h1, h2 { font-family: var(--serif); font-weight: 600; line-height: 1.2; text-wrap: balance; overflow-wrap: anywhere; }
h1 { font-size: 2rem; letter-spacing: -.012em; margin: 0 0 .35rem; }
h2 { font-size: 1.3rem; margin: 2.6rem 0 .7rem; }
p { max-width: 64ch; margin: 0 0 .9rem; text-wrap: pretty; overflow-wrap: anywhere; }
code, .mono { font: .89em/1.45 var(--mono); overflow-wrap: anywhere; }
.soft, .lead { color: var(--soft); }
.lead { font-size: 1.06rem; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: .6rem; background: var(--card); padding: .5rem .9rem; z-index: 2; }
.top { border-bottom: 1px solid var(--line); background: var(--card); }
.bar { max-width: 72rem; margin: auto; padding: .9rem 1.5rem 0; display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 1.5rem; }
.brand { font: 600 1.2rem var(--serif); color: var(--ink); text-decoration: none; }
.who { margin-left: auto; display: flex; gap: .9rem; align-items: baseline; font-size: .87rem; color: var(--soft); }
nav { width: 100%; margin-top: .35rem; }
nav ul { list-style: none; margin: 0 -.7rem; padding: 0; display: flex; flex-wrap: wrap; }
nav a { display: block; padding: .55rem .7rem; color: var(--soft); text-decoration: none; border-bottom: .16rem solid transparent; }
nav a:hover { color: var(--ink); }
nav a[aria-current] { color: var(--ink); border-color: var(--accent); font-weight: 600; }
main { width: 100%; max-width: 72rem; margin: 0 auto; padding: 2.3rem 1.5rem 5rem; }
.narrow { max-width: 38rem; }
table { width: 100%; border-collapse: collapse; margin: .4rem 0 1.2rem; font-size: .94rem; }
caption { text-align: left; color: var(--soft); padding-bottom: .4rem; font-size: .87rem; }
th { text-align: left; font-weight: 600; font-size: .8rem; color: var(--soft); padding: .5rem .9rem .5rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
td { padding: .68rem .9rem .68rem 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
td form { margin: 0; }
.tag { display: inline-block; padding: .02rem .5rem; border-radius: 1rem; font-size: .82rem; background: var(--wash); color: var(--accent); white-space: nowrap; }
.tag.bad { background: var(--danger-wash); color: var(--danger); }
.tag.warn { background: var(--warn-wash); color: var(--warn); }
.words { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: .1rem .8rem; }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) minmax(0, 1fr); gap: .5rem 1.6rem; margin: 0 0 1rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.note { border-left: .22rem solid var(--accent); background: var(--wash); padding: .8rem 1.1rem; margin: 0 0 1rem; max-width: 68ch; }
.note.bad { border-color: var(--danger); background: var(--danger-wash); }
.note.warn { border-color: var(--warn); background: var(--warn-wash); }
.note p:last-child { margin: 0; }
.empty { border: 1px dashed var(--line); border-radius: .5rem; padding: 2rem 1.5rem; color: var(--soft); margin: .6rem 0 1.2rem; }
.empty p { margin: 0; }
.filters { display: flex; flex-wrap: wrap; gap: .8rem; align-items: end; margin: 1.2rem 0; }
form > .filters { margin: .7rem 0 .9rem; }
.filters .grow { flex: 1 1 20rem; }
label, .label { display: block; font-size: .84rem; color: var(--soft); margin-bottom: .2rem; }
input, select, button, .button { font: inherit; border-radius: .35rem; min-height: 2.6rem; }
input, select { color: var(--ink); background: var(--card); border: 1px solid #8d877b; padding: .4rem .65rem; max-width: 100%; width: 13rem; }
input.wide { width: 100%; }
button, .button { display: inline-block; cursor: pointer; padding: .45rem 1rem; border: 1px solid var(--accent); background: var(--accent); color: var(--on-accent); font-weight: 600; text-decoration: none; }
button:hover { filter: brightness(1.08); }
button.quiet, .button.quiet { background: transparent; color: var(--accent); }
button.danger { background: transparent; border-color: var(--danger); color: var(--danger); }
button.link { background: none; border: 0; padding: 0; min-height: 0; color: var(--accent); font-weight: 400; text-decoration: underline; text-underline-offset: .18em; }
details { border-top: 1px solid var(--line); max-width: 68ch; }
details:last-of-type { border-bottom: 1px solid var(--line); }
summary { cursor: pointer; padding: .75rem 0; font-weight: 600; }
details > :not(summary) { margin-bottom: 1rem; }
td details, td details:last-of-type { border: 0; } td summary { padding: 0; font-weight: 400; color: var(--accent); } td dl { margin: .6rem 0 0; font-size: .9rem; }
.steps { list-style: none; counter-reset: step; margin: 0 0 1rem; padding: 0; max-width: 68ch; }
.steps > li { counter-increment: step; position: relative; padding: 0 0 1.3rem 3rem; }
.steps > li::before { content: counter(step); position: absolute; left: 0; top: -.15rem; width: 1.9rem; height: 1.9rem; border-radius: 50%; border: 1px solid var(--soft); color: var(--soft); display: grid; place-items: center; font: 600 .95rem var(--serif); background: var(--paper); }
.steps > li:not(:last-child)::after { content: ""; position: absolute; left: .95rem; top: 1.75rem; bottom: .15rem; border-left: 1px solid var(--line); }
.steps > li.now::before { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
.steps > li.done::before { content: "\\2713"; border-color: var(--good); color: var(--good); }
.steps strong { display: block; }
.secret { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: 1.1rem 1.3rem; margin: 1rem 0 1.4rem; }
.secret code { display: block; font-size: 1.02rem; user-select: all; -webkit-user-select: all; }
.chart { display: block; width: 100%; height: auto; margin: .5rem 0 1rem; }
.chart .served { fill: var(--accent); } .chart .refused { fill: var(--danger); }
.chart text { fill: var(--soft); font: 11px var(--sans); } .chart line { stroke: var(--line); }
.key { display: inline-block; width: .7rem; height: .7rem; border-radius: .15rem; background: var(--accent); margin-right: .35rem; } .key.refused { background: var(--danger); }
.del { color: var(--danger); text-decoration: line-through; } .ins { color: var(--good); }
@media (max-width: 44rem) {
  .bar { padding: .8rem 1rem 0; } main { padding: 1.6rem 1rem 4rem; } h1 { font-size: 1.65rem; }
  nav ul { margin: 0 -.5rem; } nav a { padding: .4rem .5rem; }
  .chart text { font-size: 21px; }
  table, tbody, tr, td { display: block; } caption { display: block; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr { border-bottom: 1px solid var(--line); padding: .7rem 0; }
  td { border: 0; padding: .15rem 0; display: grid; grid-template-columns: 6.6rem minmax(0, 1fr); gap: .7rem; }
  td::before { content: attr(data-label); color: var(--soft); font-size: .84rem; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .7rem; }
  .filters > * { flex: 1 1 calc(50% - .8rem); min-width: 0; } .filters input, .filters select { width: 100%; }
}
@media print {
  .top, form, .skip, .noprint { display: none; } html { background: #fff; color: #000; } main { padding: 0; }
  .secret { border: 1.5pt solid #000; break-inside: avoid; }
}
@media (prefers-reduced-motion: no-preference) { a, button { transition: filter .12s; } }
`;

export const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="11" cy="16" r="7" fill="none" stroke="#0b5a57" stroke-width="4"/><path d="M18 16h11v6m-5-6v4" fill="none" stroke="#0b5a57" stroke-width="4"/></svg>`;
