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
# # What is a mask?
#
# A masked autoencoder learns to see by filling in what was hidden from it. What it can learn
# depends on *what* is hidden: the mask. This notebook takes one from its definition to a painted
# one, with a trained model filling it in beside you. It needs no GPU, no network and about a
# minute of computing.
#
# Questions come before answers. Guess first; the three dots `...` in an exercise are yours to
# replace.

# %%
from workbench.data import photo
from workbench.masks import MASKS, Grid
from workbench.notebook import check, reconstruct_widget, show, show_metrics, show_scene, sized
from workbench.scenes import SceneSpec, compose, leak

# %% [markdown]
# ## A grid of patches
#
# A vision transformer cuts a photo into square patches. Ours has 12 rows and 12 columns of
# patches, each 12 x 12 pixels.

# %%
grid = Grid(12, 12, patch=12)
show(photo=photo("astronaut"))

# %% [markdown]
# A mask says for each patch whether it is hidden. `random(ratio=0.75)` is the choice of the
# masked autoencoder (MAE): hide three quarters of the patches, every set of that size equally
# likely.
#
# **Question 1.** How many patches does it hide on this grid?

# %%
check(..., "1b97f97830f4", hint="The grid has 12 x 12 patches.")

# %%
mask = MASKS.parse("random(ratio=0.75)").sample(grid, seed=0)
show(mask=mask, visible=~mask, recipe="random(ratio=0.75)", seed=0)

# %% [markdown]
# Dark is hidden. In this project `hidden` is always True where the encoder may *not* see; papers
# and code bases disagree on that, so a mask here is a type of its own and never a bare array.

# %%
mask, mask.counts, mask.ratio

# %% [markdown]
# 0.6 of 14 x 14 patches is 117.6, which is no count. One rule settles it everywhere here: round
# to the nearest, halves up.
#
# **Question 2.** How many patches does `random(ratio=0.6)` hide on a grid of 14 x 14?

# %%
check(..., "7874f4cd802d", hint="floor(0.6 * 14 * 14 + 0.5)")

# %%
MASKS.parse("random(ratio=0.6)").sample(Grid(14, 14)).counts

# %% [markdown]
# ## Seeds
#
# **Question 3.** Draw twice with the same seed: the same mask? And with another seed: how many
# patches do you expect to be hidden in *both* masks, on average?

# %%
check(..., "6cb49f3f4555", hint="Each patch is hidden with chance 0.75 in each mask.", digits=0)

# %%
first = MASKS.parse("random(ratio=0.75)").sample(grid, count=sized(1000, 50), seed=0)
other = MASKS.parse("random(ratio=0.75)").sample(grid, count=sized(1000, 50), seed=1)
first[0] == mask, (first & other).counts.mean()

# %% [markdown]
# The first mask of a batch equals the mask drawn alone, whatever the size of the batch: noise
# here is a function of the seed and the picture's number, so what you see is what a training run
# saw.
#
# ## Masks combine
#
# `a & b` hides what both hide, `a | b` what either hides, `~a` swaps hidden and visible.
#
# **Question 4.** Which expression hides what `a` hides and `b` shows?

# %%
check(..., "901169091f0c", hint='An answer is text, such as "a | b".')

# %%
a = MASKS.parse("random(ratio=0.5)").sample(grid, seed=1)
b = MASKS.parse("block(ratio=0.5)").sample(grid, seed=1)
show(a=a, b=b, both=a & b, either=a | b, a_without_b=a - b)

# %% [markdown]
# ## Filling in
#
# The model sees the visible patches only. From them it predicts all pixels; pasting its guesses
# into the photo's holes gives the last but one picture, and the last shows where it is wrong.

# %%
scene = compose(SceneSpec(photo="astronaut", mask="random(ratio=0.75)", seed=0))
show_scene(scene)

# %% [markdown]
# The numbers count hidden pixels only: what was given away for free should not earn praise. MSE
# is the mean squared error of colours in [0, 1]; PSNR is the same in decibels (higher is better).
#
# **Question 5.** Hide half of the photo, once patch by patch (`random`) and once in large blocks
# (`block`). Which is harder to fill in?

# %%
check(..., "7354a46504b5", hint="How far is a hidden patch from the next visible one?")

# %%
show_scene(compose(SceneSpec(mask="random(ratio=0.5)")))

# %%
show_scene(compose(SceneSpec(mask="block(ratio=0.5)")))

# %% [markdown]
# **Question 6.** And how does the error grow from a quarter hidden to nine tenths: evenly, or
# faster near the end?

# %%
ratios = (0.25, 0.5, 0.75, 0.9)
scenes = [compose(SceneSpec(mask=f"random(ratio={ratio})")) for ratio in ratios]
show_metrics((f"{scene.card.hidden} of 144 hidden", scene.metrics) for scene in scenes)

# %% [markdown]
# ## How much leaks?
#
# Neighbouring pixels are alike, so a hidden patch can be guessed without knowing what an
# astronaut is. Plain interpolation measures how much of the task is that easy.
#
# **Question 7.** Does the model beat filling in by smooth (harmonic) interpolation on this photo?

# %%
show_metrics(leak(SceneSpec(mask="random(ratio=0.75)")).rows)

# %% [markdown]
# If it does not: a mask of scattered single patches is close to a puzzle of colours. Ask the same
# of a block.

# %%
show_metrics(leak(SceneSpec(mask="block(ratio=0.5)")).rows)

# %% [markdown]
# ## Paint your own
#
# Now you are the strategy. Drag over the picture to hide patches, take the eraser to show them,
# and watch the reconstruction follow. A patch counts once your strokes cover the share of it that
# the slider says. By keyboard: arrows move, space hides or shows.
#
# Try to find the *fewest* patches that make the model lose the face, and then the fewest visible
# ones that let it keep the face.

# %%
painter = reconstruct_widget("astronaut", "random(ratio=0.5)")
painter

# %% [markdown]
# What you painted is again a recipe: one line of text that draws the same mask in a script, on
# the command line and in the app's address bar.

# %%
painter.recipe

# %%
print(painter.spec.command())

# %% [markdown]
# **Question 8.** Write a mask that hides exactly the two top rows of the grid, and nothing else.
# Patches are numbered row by row from 0.

# %%
check(..., "0b3579fd1db7", hint="painted(hide='3-7') hides five patches; parse and sample it.")

# %% [markdown]
# ## What to take away
#
# - A mask says *where* to hide, apart from *what* stands there instead and from the model.
# - A recipe and a seed say all of it; the realised count is always shown.
# - Errors count on hidden pixels only, and beside what interpolation reaches without any learning.
# - Scattered holes are easy, large ones are not: the strategy sets what there is to learn.
