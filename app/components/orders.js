// What the views of runs share: orders to the server, and how numbers are said.

const ORDERS_CSS = `
  .act { background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); border-radius: 8px; padding: 5px 12px;
    text-decoration: none; color: inherit; display: inline-block; }
  .act:hover { border-color: var(--st-primary-color); }
  .act.main { background: var(--st-primary-color); color: var(--st-background-color); border-color: transparent; font-weight: 600; }
  .act.grave { border-color: var(--st-red-text-color, #b3261e); color: var(--st-red-text-color, #b3261e); }
  .act:disabled { opacity: 0.45; cursor: default; border-color: var(--st-border-color); }
  .sure { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; padding: 8px 12px; border-radius: 10px; margin-bottom: 10px;
    border: 1px solid var(--st-red-text-color, #b3261e); }
  .chip { display: inline-block; padding: 1px 9px; border-radius: 99px; font-size: 0.76rem; font-weight: 600; white-space: nowrap;
    background: rgba(128, 140, 135, 0.18); }
  .chip[data-state="running"], .chip[data-state="starting"] { background: color-mix(in srgb, var(--st-primary-color) 22%, transparent); }
  .chip[data-state="failed"], .chip[data-state="crashed"] { background: rgba(200, 50, 40, 0.2); }
  .chip[data-state="stopping"], .chip[data-state="queued"] { background: rgba(210, 140, 20, 0.22); }
`;
const HEADERS = { "x-workbench": "runs", "content-type": "application/json" };

// Ask the server to do something; its sentence where it refuses.
async function order(path, body = {}, of = "runs") {
  const answer = await fetch(`/api/${of}${path}`, { method: "POST", headers: HEADERS, body: JSON.stringify(body) }).catch(() => null);
  if (answer === null) throw new Error("The server does not answer; runs go on without it. Start it again and reload this page.");
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return answer.json();
}

// A number with three digits that matter.
function brief(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1e9) return `${(value / 1e9).toPrecision(3)} G`;
  if (size >= 1e6) return `${(value / 1e6).toPrecision(3)} M`;
  if (size >= 1000) return Math.round(value).toLocaleString("en").replaceAll(",", "\u202f");
  if (size > 0 && size < 1e-3) return value.toExponential(1);
  return String(Number(value.toPrecision(3)));
}

// A time as a person says it, unknown ones too.
function span(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function megabytes(bytes) {
  return bytes ? `${Math.round(bytes / 2 ** 20).toLocaleString("en").replaceAll(",", "\u202f")} MB` : "–";
}

function percent(share) {
  return `${(100 * share).toFixed(1)}%`;
}

function scored(score, key) {  // a share of hits, or the value of a measure in units of its own
  return (score.value ?? null) === null ? percent(score[key ?? "accuracy"]) : score[key ?? "value"].toPrecision(3);
}

// Put what a person looks at into the address, so that a reload or a link shows it again.
function remember(part) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(part)) value ? query.set(name, value) : query.delete(name);
  history.replaceState(history.state, "", query.size ? `${location.pathname}?${query}` : location.pathname);
}

const isOver = (state) => ["done", "cancelled", "failed", "crashed"].includes(state);
