// Follows long work on the server: asks how it stands, draws a bar with a button, and hands on what came.

const JOB_CSS = `
  .job { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 12px; min-height: 34px; margin-bottom: 8px; }
  .job progress { flex: 1 1 140px; min-width: 100px; max-width: 420px; height: 8px; accent-color: var(--st-primary-color); }
  .job .told { font-size: 0.8rem; font-variant-numeric: tabular-nums; }
  .job button { background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); border-radius: 8px;
    padding: 4px 12px; }
  .job button:hover { border-color: var(--st-primary-color); }
`;
const QUICK = 120;
const CALM = 350;

// A time as a person says it.
function spoken(seconds) {
  if (seconds < 1.5) return "1 s";
  return seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

class JobBar {
  // `heard(report)` is called with every answer of the server; its events come once each.
  constructor(unit, heard) {
    Object.assign(this, { unit, heard, mark: "", since: 0, timer: 0, asked: 0 });
    this.bar = make("progress", { max: 1, value: 0, "aria-label": "Progress" });
    this.told = make("span", { class: "told soft", role: "status" });
    this.button = make("button", { type: "button", text: "Cancel", class: "hidden", onclick: () => this.cancel() });
    this.node = make("div", { class: "job" }, this.bar, this.told, this.button);
    this.show(null);
  }
  follow(mark) {
    if (mark === this.mark) return;
    this.stop();
    Object.assign(this, { mark, since: 0, asked: 0 });
    this.show(null);
    if (mark) this.ask();
  }
  async ask() {
    const mark = this.mark;
    const answer = await fetch(`/api/job/${mark}?since=${this.since}`).catch(() => null);
    const report = answer?.ok ? await answer.json() : null;
    if (mark !== this.mark) return;
    if (answer?.status === 404) return this.show({ state: "failed", problem: await answer.text(), done: 0, total: 0 });
    if (report) {
      this.since = report.next;
      this.show(report);
      this.heard(report);
    }
    this.asked += 1;
    if (!report || ["waiting", "running"].includes(report.state))
      this.timer = setTimeout(() => this.ask(), !report ? 2000 : this.asked < 25 ? QUICK : CALM);
  }
  async cancel() {
    setText(this.told, "Ends after this step …");
    await fetch(`/api/job/${this.mark}/cancel`, { method: "POST", headers: { "x-workbench": "job" } }).catch(() => null);
  }
  stop() {
    clearTimeout(this.timer);
    this.mark = "";
  }
  show(report) {
    const state = report?.state ?? "";
    this.node.dataset.state = state;
    const busy = state === "waiting" || state === "running";
    this.button.classList.toggle("hidden", !busy);
    this.bar.classList.toggle("hidden", !busy);
    if (report?.total && state !== "waiting") this.bar.value = Math.min(report.done / report.total, 1);
    else this.bar.removeAttribute("value");
    this.told.classList.toggle("problem", state === "failed");
    setText(this.told, report ? this.sentence(report) : "");
  }
  sentence({ state, place, done, total, rate, remaining, seconds, problem }) {
    const { unit } = this;
    const one = unit.replace(/s$/, "");
    if (state === "failed") return problem;
    if (state === "waiting") return place ? `Waits for ${place} other${place > 1 ? "s" : ""} to finish …` : "Starts …";
    const count = `${done.toLocaleString("en").replaceAll(",", "\u202f")} ${done === 1 ? one : unit}`;
    const pace = rate >= 1 ? `${Math.round(rate)} ${unit} a second` : `${(1 / rate).toFixed(1)} s a ${one}`;
    const speed = rate && done > 1 ? `, ${pace}` : "";
    if (state === "running") return `${count} of ${total}${speed}${remaining ? `, about ${spoken(remaining)} to go` : ""}`;
    const ended = state === "cancelled" ? "Cancelled after" : "Done:";
    return `${ended} ${count} in ${seconds.toFixed(1)} s${speed}`;
  }
}
