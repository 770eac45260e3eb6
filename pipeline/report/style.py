"""How a report looks, by day and by night, on screen and on paper: as the page of an audit."""

from pipeline.audit.page_style import STYLE

REPORT_STYLE = (
    STYLE
    + """
main { max-width: 72rem; }
h2 { scroll-margin-top: 1rem; }
:focus-visible { outline: 2px solid var(--fill); outline-offset: 2px; border-radius: .2rem; }
.skip { position: absolute; left: -100rem; } .skip:focus { left: 1rem; top: .5rem; }
.tiles { grid-template-columns: repeat(auto-fit, minmax(7.8rem, 1fr)); }
.tiles a { padding: .8rem .9rem; } .tiles b { font-size: 1.5rem; overflow-wrap: normal; }
.tiles span { display: block; line-height: 1.35; }
.warning { border-left: .25rem solid var(--against); padding: .1rem 0 .1rem .8rem; }
.charts { display: grid; gap: 1.5rem 2rem; margin: 0 0 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(19rem, 100%), 1fr)); }
figure { margin: 0; min-width: 0; }
figure svg { display: block; width: 100%; max-width: 27rem; height: auto; margin: .3rem 0; }
figcaption { font-weight: 600; font-size: .9rem; }
figcaption small { display: block; font-weight: 400; color: var(--soft); }
figure details { border: 0; padding: 0; }
figure summary { font-weight: 400; color: var(--soft); font-size: .8rem; }
.key { font-weight: 400; font-size: .82rem; margin-left: .9rem; white-space: nowrap; }
.key::before { content: ""; display: inline-block; width: .7rem; height: .7rem;
  border-radius: .15rem; margin-right: .3rem; background: currentColor; vertical-align: -.05rem;
  print-color-adjust: exact; }
.key.fill::before { background: var(--fill); } .key.against::before { background: var(--against); }
.key.soft::before { background: var(--soft); }
h3 { font-size: .95rem; margin: 1.2rem 0 .3rem; }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
table.numbers td, table.numbers thead th:not(:first-child) { text-align: right; }
table + table, table + h3 { margin-top: 1.2rem; }
table.narrow { max-width: 32rem; align-self: start; }
table.narrow td, table.narrow thead th:last-child { text-align: right; }
table.wide td:last-child, table.wide th:last-child { width: 48%; }
.quote { display: block; white-space: pre-wrap; unicode-bidi: isolate; font-size: .88rem;
  border-left: 2px solid var(--line); padding-left: .7rem; margin: .2rem 0; }
section section, .pf-browser section:not([class]) { background: none; border: 0; padding: 0;
  margin: 0; }
.pf-browser nav { margin: 0; }
.audits { display: grid; gap: 1.8rem 3rem; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(27rem, 100%), 1fr)); }
.audits section { min-width: 0; } .audits h3 { margin: 0 0 .2rem; font-size: 1rem; }
.audits .meaning { font-size: .82rem; line-height: 1.4; } .audits table { font-size: .85rem; }
.audits th, .audits td { padding-right: .5rem; }
pre { overflow-x: auto; white-space: pre-wrap; font-size: .82rem; line-height: 1.45; }
.clusters { display: grid; gap: 1rem 2rem; padding: 0; margin: 0; list-style: none;
  grid-template-columns: repeat(auto-fill, minmax(min(21rem, 100%), 1fr)); }
.clusters h3 { margin-top: 0; } .clusters b { color: var(--fill); }
.paper { display: none; }
@media (max-width: 46rem) {
  table[class] td::before { margin-right: .6rem; }
  table.narrow td::before { content: none; }
  table.numbers td, table.narrow tr { display: flex; justify-content: space-between; gap: 1rem; }
  table.wide td:last-child { width: auto; } }
@page { margin: 14mm; }
@media print { :root, .pf-browser { --ink: #000; --soft: #444; --paper: #fff; --card: #fff;
    --line: #ccc; --fill: #3f6fb5; --against: #b0602c; --track: #eee;
    --edge: #888; --good: #dbe8fa; --bad: #fbe4d5; --good-ink: #24508f; --bad-ink: #8f4416;
    color-scheme: light; }
  main { max-width: none; padding: 0; }
  figure, .tiles a, li, .audits section { break-inside: avoid; }
  section { border: 0; padding: 1rem 0; border-top: 1px solid var(--line); border-radius: 0; }
  h2, h3, .meaning { break-after: avoid; } .paper { display: block; }
  .charts { grid-template-columns: repeat(2, 1fr); } figure details { display: none; }
  details:not(figure details)::details-content { content-visibility: visible; display: block;
    height: auto; } }
"""
)
