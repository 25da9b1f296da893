/** Colours meet WCAG AA (4.5:1) on their ground in both schemes. */
const source = `
:root {
  color-scheme: light dark;
  --ground: #faf9f5; --raised: #fff; --ink: #191b18; --soft: #5c6159; --line: #e1dfd6; --accent: #0a6b4b; --faint: #d8d7cd;
  --mono: ui-monospace, "SF Mono", "Cascadia Code", "JetBrains Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root { --ground: #0f1211; --raised: #161a18; --ink: #edf0ec; --soft: #9da59f; --line: #272d2a; --accent: #66d6a7; --faint: #343b37; }
}
* { box-sizing: border-box; margin: 0; }
body {
  background: var(--ground); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, Inter, "Helvetica Neue", "Liberation Sans", sans-serif;
  max-width: 62rem; min-height: 100vh; margin: 0 auto; padding: 0 clamp(1.25rem, 5vw, 3rem);
  display: flex; flex-direction: column; -webkit-text-size-adjust: 100%;
}
a { color: inherit; text-decoration-color: var(--accent); text-underline-offset: .2em; }
a:hover { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
header { display: flex; flex-wrap: wrap; gap: .75rem 1.5rem; align-items: center; justify-content: space-between; padding: 1.25rem 0; }
.name { display: flex; gap: .55rem; align-items: center; font-weight: 650; text-decoration: none; letter-spacing: -.01em; }
form { display: flex; flex: 0 1 24rem; }
input, button { font: inherit; color: inherit; }
input {
  flex: 1; min-width: 0; padding: .5rem .85rem; font: .875rem/1.4 var(--mono); background: var(--raised);
  border: 1px solid var(--line); border-right: 0; border-radius: 8px 0 0 8px;
}
input::placeholder { color: var(--soft); opacity: 1; }
button { font-size: .875rem; padding: .4rem .8rem; background: var(--raised); border: 1px solid var(--line); border-radius: 8px; cursor: pointer; }
button:hover { border-color: var(--accent); color: var(--accent); }
form button { border-radius: 0 8px 8px 0; background: var(--accent); border-color: var(--accent); color: var(--ground); font-weight: 600; }
form button:hover { color: var(--ground); filter: brightness(1.1); }
main { flex: 1; }
.hero { padding: clamp(2.5rem, 9vw, 6rem) 0 clamp(2rem, 5vw, 3.5rem); }
.kind { color: var(--soft); display: flex; gap: .75rem; align-items: center; min-height: 2.25rem; }
h1 { font-family: var(--mono); font-weight: 700; letter-spacing: -.035em; line-height: 1.12; margin: .35rem 0 .9rem; overflow-wrap: anywhere; text-wrap: balance; }
h1 i { font-style: normal; color: var(--accent); }
.t { font-size: clamp(2.5rem, 13vw, 6.5rem); }
.s { font-size: clamp(1.9rem, 9.4vw, 5.5rem); }
.m { font-size: clamp(1.6rem, 6.2vw, 3.6rem); }
.l { font-size: clamp(1.45rem, 5vw, 2.35rem); }
.lead { font-size: clamp(1.1rem, 2.6vw, 1.45rem); line-height: 1.4; max-width: 46rem; overflow-wrap: anywhere; text-wrap: pretty; }
.lead span { color: var(--soft); }
.hint { color: var(--soft); margin-top: .75rem; }
figure { margin-top: 2rem; max-width: 30rem; } figure svg { display: block; width: 100%; height: auto; }
figcaption { color: var(--soft); font-size: .8125rem; margin-top: .6rem; }
.b0 { fill: var(--faint); opacity: .55; } .b1 { fill: var(--soft); } .b2 { fill: var(--accent); opacity: .22; } .b3 { fill: var(--accent); }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)); gap: 0 2.5rem; }
dl div { border-top: 1px solid var(--line); padding: .8rem 0 .85rem; }
dt { color: var(--soft); font-size: .8125rem; }
dd { font-weight: 550; overflow-wrap: anywhere; }
.mono { font-family: var(--mono); font-size: .9375em; }
h2 { font-size: 1.125rem; letter-spacing: -.01em; margin: clamp(2.5rem, 6vw, 4rem) 0 1rem; }
ol { list-style: none; padding: 0; background: var(--raised); border: 1px solid var(--line); border-radius: 12px; }
li { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: .1rem 1.25rem; align-items: center; padding: .7rem 1rem; min-height: 3.5rem; }
li + li { border-top: 1px solid var(--line); }
li code { font: .9rem/1.5 var(--mono); user-select: all; overflow-wrap: anywhere; }
li span { color: var(--soft); font-size: .875rem; }
li code { grid-column: 1 / -1; }
@media (min-width: 48rem) { li { grid-template-columns: minmax(0, 3fr) minmax(0, 2fr) auto; } li code { grid-column: auto; } }
time { white-space: nowrap; }
footer { color: var(--soft); font-size: .875rem; padding: clamp(2.5rem, 6vw, 4rem) 0 2rem; }
footer p + p { margin-top: .35rem; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin-bottom: 1.25rem; }
@media (max-width: 34rem) { form { flex-basis: 100%; } }
`;

/** The page's style sheet, without the white space that only its readers here need. */
export const style = source
  .replaceAll(/\s+/g, ' ')
  .replaceAll(/ ?([{};,>]) ?/g, '$1')
  .replaceAll(/: /g, ':')
  .replaceAll(';}', '}')
  .trim();
