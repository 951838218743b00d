# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Twelve ways to hide
#
# Two strategies can hide the same *number* of patches and ask for very different things. Here you
# look at twelve of them, learn four numbers that tell them apart, and find out where published
# code does not do what its paper says. It needs no GPU, no network and about a minute of
# computing.
#
# Questions come before answers. Guess first; the three dots `...` in an exercise are yours to
# replace.

# %%
from workbench.lessons.boards import table
from workbench.lessons.strategies import (
    mask_lab,
    measured,
    show_context,
    show_difficulty,
    show_measures,
    show_occupancy,
    show_spectra,
    show_strategies,
    show_target_reach,
    show_targets,
)
from workbench.masks import MASKS, Grid
from workbench.notebook import check, reconstruct_widget, sized

# %% [markdown]
# ## Twelve drawings
#
# A grid of 14 x 14 patches, as a vision transformer sees a photo of 224 x 224 pixels. Below each
# drawing stands how many of the 196 patches are hidden.

# %%
grid = Grid(14, 14, patch=16)
scattered = ["random(ratio=0.6)", "units(ratio=0.6)", "grid(ratio=0.6)", "checker()"]
broad = ["stripes(ratio=0.6)", "bernoulli_blocks(ratio=0.6)", "block(ratio=0.6)"]
broad += ["inverse_block(ratio=0.6)", "multi_block()", "scribble(ratio=0.6)"]
noisy = ["color_noise(ratio=0.6)", "random_field(ratio=0.6)"]

# %%
twelve = scattered + broad + noisy
show_strategies(twelve, grid, "chelsea", seed=0)

# %% [markdown]
# ## What a ratio promises
#
# All that take a ratio were asked for 0.6, yet the counts differ. `units` hides whole squares of
# 2 x 2 patches: it rounds the number of *squares* to the nearest, halves up, and 14 x 14 patches
# make 49 of them.
#
# **Question 1.** How many patches does `units(ratio=0.6)` hide?

# %%
check(..., "40a66dfd300a", hint="Round 0.6 x 49 to whole squares; each has 4 patches.")

# %%
found = measured(twelve, grid, sized(4000, 200))
show_measures(found)

# %% [markdown]
# Look at the first column of numbers, the smallest and the largest ratio over many draws. There
# are three promises, and each strategy says which one it gives:
#
# - *exact*: the same count in every mask, as a training batch needs it (`random`, `block`);
# - *units*: exact in squares, rows or the like (`units`, `grid`, `stripes`);
# - *free*: the count falls out of the drawing (`bernoulli_blocks`, `multi_block`, `checker`).

# %%
table(("strategy", "promise"), [(MASKS.parse(r).name, MASKS.parse(r).promise) for r in twelve])

# %% [markdown]
# ## Where it hides
#
# The next maps count how often each patch is hidden. For `random` every patch has the same
# chance.
#
# **Question 2.** `block` throws rectangles onto the grid until enough is hidden. Which patches
# does it hide most rarely: those at the `centre`, along an `edge`, or in a `corner`?

# %%
check(..., "1bff32be1fe6", hint="Count the positions of a rectangle that cover each of them.")

# %%
show_occupancy(found)

# %% [markdown]
# The rectangles lie inside the grid, and that alone makes the centre bright. Take a rectangle of
# 4 x 4 on 14 x 14 patches: it has 11 positions from top to bottom. One of them covers the top
# row; four of them cover a row in the middle. The same holds from left to right.
#
# **Question 3.** How many times as often does it cover a patch in the middle as the patch in the
# corner?

# %%
check(..., "b78ec66ae84c", hint="Rows and columns multiply.")

# %% [markdown]
# Is that a fault? A model trained with `block` is asked about corners much less often than about
# the middle, where photographers put things. Whoever compares strategies should know that they
# differ in *where* too, and not in the shape of the holes alone.
#
# ## Who stands together
#
# The second number, *neighbours alike*, is the share of neighbouring pairs that are both hidden
# or both visible.
#
# **Question 4.** Hide half of 196 patches at random. What share of neighbouring pairs is alike?
# Two digits are enough.

# %%
check(..., "7d411f6373f6", hint="Given one patch, 97 of the 195 others are like it.", digits=2)

# %% [markdown]
# **Question 5.** And in which of the twelve are two neighbours *never* alike? The table above
# tells.

# %%
check(..., "a2b3f921dfc0", hint="Its drawing is a game board.")

# %% [markdown]
# What is alike lies together: few pieces, long ways. The last number is the distance from a
# hidden patch to the nearest visible one, centre to centre. A hidden patch with a visible
# neighbour (distance 1) can be guessed by continuing the neighbour.
#
# **Question 6.** `block` and `inverse_block` have nearly the same distance, but the first hides
# the middle and the second the rim. Which of the two is harder to fill in, on usual photos?

# %%
check(..., "7354a46504b5", hint="Where is the detail in a portrait?")

# %%
half = ["checker()", "random(ratio=0.5)", "units(ratio=0.5)", "block(ratio=0.5)"]
photos = ["astronaut", "coffee", "chelsea", "flower"]
show_difficulty([*half, "inverse_block(ratio=0.5)"], photos, sized(4, 1), sized(2000, 200))

# %% [markdown]
# From `checker` to `block` distance and error grow together: the same half of the photo is
# hidden, and the error quadruples. The last row shows that distance is not all: what lies there
# counts as well.
#
# ## Noise with a colour
#
# Scattered or in one piece: there is a whole scale between the two. ColorMAE fills the grid with
# random numbers, lets some frequencies through, and keeps the strongest quarter of the patches.
# *White* noise is left as it is and gives the statistics of `random`. *Red* keeps slow changes,
# *blue* takes them away, *green* keeps a band between, *purple* takes that band away.
#
# **Question 7.** Which colour keeps the visible patches together in the largest islands?

# %%
check(..., "94d7631ca15d", hint="Slow changes are large things.")

# %%
names = ["red", "green", "white", "blue", "purple"]
colours = [f'color_noise(ratio=0.75, color="{name}")' for name in names]
show_strategies(colours, grid, "chelsea", seed=1, names=names)

# %%
coloured = measured(colours, grid, sized(4000, 400))
show_spectra(coloured, names)

# %% [markdown]
# The curve is the spectrum of the masks themselves. Left is power in large islands, right power
# in grain as fine as one patch; white noise is a level line at 1. Red towers on the left. Green
# has its hill between, and that is the colour that the paper found best.

# %%
show_measures(coloured)

# %% [markdown]
# All five hide the same count in every mask. A ratio alone does not say what a mask is.
#
# ## Several targets, and a generator with mistakes
#
# I-JEPA does not ask for all that is hidden. It names four *target* blocks and hides them from a
# large *context* block; what lies outside both is hidden and never asked for.

# %%
show_targets("multi_block()", grid, range(4))

# %% [markdown]
# The official generator draws the top edge of a target of height h with `randint(0, H - h)`, and
# `randint` never returns its upper end.
#
# **Question 8.** The rows of the grid are numbered 0 to 13 and a target is 6 rows high. Which is
# the last row that it can ever reach?

# %%
check(..., "4230e485023b", hint="The largest top edge is 14 - 6 - 1.")

# %%
show_target_reach(["multi_block(legacy=True)", "multi_block()"], grid, sized(4000, 300))

# %% [markdown]
# Left the official generator (`legacy=True`): the bottom row and the right column are black, so
# they are never a target. Right the mended one.
#
# There is a second surprise. A batch needs lists of equal length, and the official code cuts all
# lists to the shortest of the batch, from the bottom of the picture.
#
# **Question 9.** Does the context of a picture get `larger` or `smaller` when it is trained in a
# larger batch?

# %%
check(..., "5eb3bafe61be", hint="The shortest of more lists is shorter.")

# %%
show_context((1, 16, 64, 256), grid, 1024)

# %% [markdown]
# The same picture, the same knobs: what the model sees depends on who else is in the batch. Here
# a picture's mask is the same whatever the batch; `legacy=True` is kept so that published runs
# can be repeated.
#
# ## Mask lab
#
# Everything at once for one strategy: two draws, how often each patch is hidden, and how often it
# is hidden *together with* one chosen patch.
#
# **Question 10.** Hide half of 196 patches at random. One patch is hidden: what is the chance
# that its neighbour is hidden too? Three digits.

# %%
check(..., "95b342648364", hint="97 hidden patches are left among 195.")

# %%
mask_lab("random(ratio=0.5)", grid, sized(4000, 300))

# %% [markdown]
# A level map: one patch tells nothing about another. Blocks tell a lot about their surroundings.

# %%
mask_lab("block(ratio=0.5)", grid, sized(4000, 300))

# %% [markdown]
# Put any recipe there. The app has the same in its *Mask lab*, with more measures, and the
# command line as `python -m workbench measure 'block(ratio=0.5)'`.

# %%
mask_lab('color_noise(ratio=0.75, color="red")', grid, sized(4000, 300))

# %% [markdown]
# ## Your own thirteenth way
#
# Start from a block and change it by hand: move it to the rim, break it into crumbs, leave single
# islands inside. Watch the error. Which is the cheapest change that helps the model most?

# %%
painter = reconstruct_widget("coffee", "block(ratio=0.5)")
painter

# %%
painter.recipe

# %% [markdown]
# ## What to take away
#
# - The count is only the first number. Where, in what pieces and how far from the visible decide
#   how hard the task is.
# - Rectangles inside a grid prefer the middle; that is geometry, not a choice that anyone stated.
# - Colours of noise are a scale from crumbs to islands at one exact ratio.
# - Read the code that goes with a paper, and measure what it draws.
