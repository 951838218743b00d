"""Masks that are looked for rather than drawn: one search a file, told step by step."""

from workbench.registry import Registry
from workbench.scenes.searches.search import Progress, Search, State, watched

__all__ = ["SEARCHES", "Progress", "Search", "State", "watched"]

SEARCHES: Registry[Search] = Registry("workbench.scenes.searches", Search, "workbench.searches")
