"""The little style sheet that Streamlit's theme does not cover."""

MASK_CARD = """
.mask-card { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 8px; }
.mask-card div { display: grid; align-content: start; padding: 5px 10px; border-radius: 8px;
  background: rgba(128, 140, 135, 0.12); }
.mask-card span { font-size: 0.75rem; opacity: 0.75; }
.mask-card b { font-size: 1rem; font-variant-numeric: tabular-nums; }
.mask-card small { font-size: 0.7rem; opacity: 0.7; }
@media (max-width: 640px) {
  .mask-card { grid-template-columns: repeat(2, minmax(0, 1fr)); }
}
"""

CSS = (
    f"<style>{MASK_CARD}"
    """
[data-testid="stMainBlockContainer"] { padding: 1rem 1.6rem 1rem; max-width: 1700px; }
[data-testid="stMainBlockContainer"] { padding-top: 4.2rem; }
[data-testid="stMain"] [data-testid="stElementContainer"][data-stale="true"] { opacity: 1; }
.st-key-title { align-items: baseline; gap: 0.9rem; padding-bottom: 0.6rem; }
.st-key-title h4 { padding: 0; margin: 0; font-size: 1.25rem; }
.st-key-title p { margin: 0; }
.st-key-photo-controls, .st-key-mask-controls, .st-key-more-controls, .st-key-painting,
.st-key-pictures, .st-key-beginning { gap: 0.65rem; }
[data-testid="stAlert"] p { font-size: 0.88rem; line-height: 1.4; }
[data-testid="stAlertContainer"] { padding: 0.6rem 0.8rem; }
@media (max-width: 940px) {
  .st-key-bench > * > [data-testid="stHorizontalBlock"] { flex-direction: column; gap: 1rem; }
  .st-key-bench > * > * > [data-testid="stColumn"],
  .st-key-bench > * > * > [data-testid="stColumn"] > [data-testid="stVerticalBlock"] {
    display: contents; }
  .st-key-bench :has(> .st-key-painting) { order: 1; }
  .st-key-bench :has(> .st-key-mask-controls) { order: 2; }
  .st-key-bench :has(> .st-key-pictures) { order: 3; }
  .st-key-bench :has(> .st-key-photo-controls) { order: 4; }
  .st-key-bench :has(> .st-key-more-controls) { order: 5; }
  .st-key-bench :has(> .st-key-beginning) { order: 6; }
}
@media (min-width: 941px) {
  [data-testid="stColumn"]:has(.st-key-outcome) { position: sticky; top: 4.2rem;
    align-self: flex-start; }
}
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] { padding: 3.6rem 0.8rem 1rem; }
}
</style>"""
)
