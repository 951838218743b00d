"""Ways of saying what a prediction rests on: one attribution method a file."""

from workbench.explain.methods.method import Asked, Method, Step
from workbench.registry import Registry

__all__ = ["METHODS", "Asked", "Method", "Step"]

METHODS: Registry[Method] = Registry(
    "workbench.explain.methods", Method, "workbench.explain_methods"
)
