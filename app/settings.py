"""Streamlit's settings for the dashboard: private, quiet, and calm in light and dark."""

from typing import Any, Literal

_SERVER: dict[str, Any] = {
    "browser.gatherUsageStats": False,
    "server.headless": True,
    "server.showEmailPrompt": False,
    "server.enableCORS": True,
    "server.enableXsrfProtection": True,
    "server.enableStaticServing": False,
    "server.enableAgentApi": False,
    "server.fileWatcherType": "none",
    "server.maxUploadSize": 1,  # uploads take our own route
    "server.maxWidgetStateSize": 4,
    "global.developmentMode": False,
    "client.allowedOrigins": [],
    "client.showErrorDetails": "none",
    "client.showErrorLinks": False,
    "client.toolbarMode": "minimal",
    "runner.magicEnabled": False,
    # A waiting rerun is replaced by a newer one and never interrupts the running one: with this
    # off, a page has at most one model call running and one waiting, and the last is always drawn.
    "runner.fastReruns": False,
    # A full collection after every run would cost more than the picture (`app.warm` freezes).
    "runner.postScriptGC": False,
    # Live pictures differ every time, so a cache of past messages would only grow.
    "global.minCachedMessageSize": 1e12,
    "logger.hideWelcomeMessage": True,
    "logger.level": "warning",
}

_THEME: dict[str, Any] = {
    "theme.light.primaryColor": "#0f766e",
    "theme.light.backgroundColor": "#fbfbfa",
    "theme.light.secondaryBackgroundColor": "#f0f1ef",
    "theme.light.textColor": "#1c2423",
    "theme.light.borderColor": "#dcdfdc",
    "theme.dark.primaryColor": "#2dd4bf",
    "theme.dark.backgroundColor": "#121615",
    "theme.dark.secondaryBackgroundColor": "#1c2220",
    "theme.dark.textColor": "#e6ebe9",
    "theme.dark.borderColor": "#323a37",
    "theme.baseFontSize": 15,
    "theme.baseRadius": "8px",
    "theme.showWidgetBorder": True,
}


def colours(mode: Literal["light", "dark"]) -> dict[str, str]:
    """The colours of one mode by their name in Streamlit's theme, `backgroundColor` say."""
    start = f"theme.{mode}."
    return {name[len(start) :]: str(_THEME[name]) for name in _THEME if name.startswith(start)}


def apply(port: int) -> None:
    """Set Streamlit's options; they win over any `config.toml` in the user's folders."""
    from streamlit import config

    options = {**_SERVER, **_THEME, "server.address": "127.0.0.1", "server.port": port}
    config.get_config_options(force_reparse=True, options_from_flags=options)
