"""The little style sheet that Streamlit's theme does not cover."""

CSS = """<style>
[data-testid="stMainBlockContainer"] { padding: 3.2rem 1.6rem 1.5rem; max-width: 1700px; }
[data-testid="stMain"] [data-testid="stElementContainer"][data-stale="true"] { opacity: 1; }
.st-key-title h4 { padding: 0; margin: 0; }
.st-key-title [data-testid="stCaptionContainer"] { margin: 0; }
.st-key-controls, .st-key-painting, .st-key-pictures { gap: 0.6rem; }
.mask-card { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 8px; }
.mask-card div { display: grid; padding: 6px 10px; border-radius: 8px;
  background: var(--st-secondary-background-color, rgba(128, 140, 135, 0.12)); }
.mask-card span { font-size: 0.75rem; opacity: 0.75; }
.mask-card b { font-size: 1rem; font-variant-numeric: tabular-nums; }
.mask-card small { font-size: 0.68rem; opacity: 0.7; }
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] { padding: 3rem 0.8rem 1rem; }
  .mask-card { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  [data-testid="stColumn"]:has(.st-key-painting) { order: -2; }
  [data-testid="stColumn"]:has(.st-key-pictures) { order: -1; }
}
</style>"""
