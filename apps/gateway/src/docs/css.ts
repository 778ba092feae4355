export const css = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; --line: #8884; --soft: #8882; }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { margin-bottom: 0; } h2 { border-bottom: 1px solid var(--line); }
details { border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; }
summary { cursor: pointer; padding: .5rem .75rem; display: flex; gap: .75rem; align-items: baseline; flex-wrap: wrap; }
summary code { font-weight: 600; } summary .method { min-width: 4rem; font: 600 .8rem ui-monospace, monospace; }
form, .description { padding: 0 .75rem .75rem; } .description { white-space: pre-line; margin: 0; }
label { display: grid; grid-template-columns: minmax(9rem, 1fr) 3fr; gap: .75rem; margin: .35rem 0; align-items: baseline; }
label small { grid-column: 2; opacity: .75; }
input, select, textarea, button { font: inherit; padding: .3rem .5rem; border: 1px solid var(--line); border-radius: 4px; background: transparent; color: inherit; }
textarea { font: .875rem/1.4 ui-monospace, monospace; min-height: 8rem; }
button { cursor: pointer; background: var(--soft); margin-right: .5rem; }
pre { background: var(--soft); padding: .75rem; border-radius: 4px; overflow: auto; max-height: 30rem; white-space: pre-wrap; overflow-wrap: anywhere; }
output img { display: block; max-width: 100%; background: #fff; border: 1px solid var(--line); }
`;
