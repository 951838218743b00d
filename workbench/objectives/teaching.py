"""The knobs of objectives that learn from a teacher, frozen or following."""

from typing import Annotated

from workbench.params import Knob

TeacherName = Annotated[str, Knob("name or path of the frozen encoder that teaches")]
Momentum = Annotated[float, Knob("share of itself that the teacher keeps a step, at first", 0, 1)]
