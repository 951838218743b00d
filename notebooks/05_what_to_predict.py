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
# # What to predict
#
# A masked model predicts *something* about what it does not see: pixels, or frequencies, or what
# another network says there, or where a patch belongs. What you ask for decides what has to be
# learnt, and what may be forgotten. This notebook shows one picture as each target has it,
# measures what each of them notices, and trains a small model on every one. It needs no GPU, no
# network, and about five minutes on two quiet cores.
#
# Questions come before answers. Guess first; the three dots `...` in an exercise are yours to
# replace.

# %%
from workbench import runs
from workbench.lessons.targets import (
    show_changes,
    show_directions,
    show_features,
    show_frequencies,
    show_noticed,
    show_objectives,
    show_pixels,
    show_places,
    show_worth,
)
from workbench.lessons.training import show_growth
from workbench.lessons.watching import watch
from workbench.notebook import check, sized
from workbench.runs.queue import Queue

# %% [markdown]
# ## Pixels
#
# The plainest target: the hidden patch itself (SimMIM, MAE). Nothing has to be designed, and the
# answer is a picture that you can look at.
#
# **Question 1.** How many numbers does the model have to predict for one patch of 16 x 16 pixels?

# %%
check(..., "5b453f2876da", hint="Three colours a pixel.")

# %%
show_pixels("chelsea")

# %% [markdown]
# On the right each patch has lost its mean and its spread, the target that MAE recommends. A dark
# patch now counts as much as a bright one.
#
# ## Directions of edges
#
# MaskFeat predicts a *histogram of oriented gradients* (HOG): for every cell of 8 x 8 pixels, how
# much edge there is in each of nine directions, for each colour, scaled to length 1.
#
# **Question 2.** How many numbers is that for a patch of 16 x 16 pixels?

# %%
check(..., "1b97f97830f4", hint="2 x 2 cells, nine directions, three colours.")

# %% [markdown]
# **Question 3.** Make the photo darker, every value times 0.6. Does its HOG change, `yes` or `no`?

# %%
check(..., "f3efb5428cc2", hint="Everything shrinks alike, and the length is set to 1.")

# %%
show_directions("chelsea")

# %% [markdown]
# ## Frequencies
#
# A picture is also a sum of waves. MFM takes some of them away, the fine or the coarse ones, and
# asks for those. The encoder sees all patches and no mask token: what is hidden is a disc in the
# spectrum, or all but the disc.
#
# **Question 4.** A disc holds the waves with fewer than 3 cycles a picture: all pairs (across,
# down) of whole numbers, also negative ones, with across² + down² < 9. How many?

# %%
check(..., "ddcd1da4d65f", hint="Count the points of a 5 x 5 square; is its corner inside?")

# %%
show_frequencies("chelsea", 10)

# %% [markdown]
# The small disc holds most of what varies, and looks like a memory of the photo. The rest is thin,
# and yet by the rest you would recognise the cat.
#
# ## Features
#
# Let another network look at the whole picture, and predict what it says of the hidden patches.
# EVA asks a large network that was trained with texts. Ours is the bundled autoencoder.
#
# Only the direction of a feature counts: the loss is 2 - 2 cos, where cos is 1 for the same
# direction, 0 for a right angle.
#
# **Question 5.** The student says exactly the teacher's feature, but three times as long. What is
# the loss?

# %%
check(..., "cba4b6b6203e", hint="The length does not enter.")

# %%
show_features(["chelsea", "astronaut", "coffee", "rocket"])

# %% [markdown]
# Like colours, like features. You see things, the rocket, the cup. You also see something that is
# in no photo: the upper halves are of one kind of colour, the lower halves of another. This
# teacher says *where* a patch is as loudly as *what* it is. A student will learn both, and a
# student can only be as good as what it copies.
#
# ## Places
#
# Last, a target without any value of a pixel: tell a patch's place from its content (MP3, DropPos,
# and the jigsaw puzzles before them).
#
# **Question 6.** With 16 places, somebody who knows nothing gives each the chance 1/16. The loss is
# -ln(1/16). How much is that? Two digits.

# %%
check(..., "80d1601ccae0", hint="ln 16 is four times ln 2.", digits=2)

# %%
show_places("chelsea")

# %% [markdown]
# The answer is the same list of numbers for every picture in the world. Brightness, colour,
# species: nothing has to be known but what helps to find the place.
#
# ## What each of them notices
#
# Change the photo, and see how far each target moves, by the distance that its loss uses. 0%: the
# target cannot tell. 100%: as far as another photo.

# %%
show_changes("astronaut")

# %% [markdown]
# **Question 7.** One of the targets does not notice at all that a photo has become its negative.
# Which, `pixels`, `hog`, `frequencies` or `features`?

# %%
check(..., "b786a76daf7e", hint="Edges from dark to bright and from bright to dark run alike.")

# %% [markdown]
# **Question 8.** Another is upset most when everything moves by a single pixel. Which?

# %%
check(..., "2d27ec0f6323", hint="Which target cares for the phase of fine waves?")

# %%
show_noticed("astronaut")

# %% [markdown]
# Read it by columns. HOG forgives everything that light does, and nothing that blurs. High
# frequencies forgive least: each pixel of a shift, each grain. Features forgive grain, and hardly
# anything else: nobody taught this teacher that a mirrored astronaut is still one. What a target
# does not notice, the model is free to forget.
#
# ## Train one on each
#
# The same encoder, the same digits (enlarged to 16 x 16 pixels, 4 x 4 patches), the same steps.
# Only what is predicted differs, with the kind of mask that its paper has for it.

# %%
objectives = {
    "pixels": "mae(norm_pix=False, decoder_dim=48, decoder_depth=1)",
    "directions": "maskfeat()",
    "frequencies": "mfm()",
    "features": "eva()",
    "places": "droppos(decoder_depth=1)",
}

# %%
same = {"size": 16, "patch": 4, "optimiser": "muon", "mask": "", "steps": sized(800, 4)}
same |= {"picture_every": sized(50, 4), "batch": sized(128, 8)}
asked = dict(list(objectives.items())[: sized(5, 2)])
trained = {
    name: runs.launch("digits_mae_tiny", overrides={**same, "objective": text, "name": name})
    for name, text in asked.items()
}

# %%
show_objectives(trained)

# %% [markdown]
# **Question 9.** Their losses come out in five units. Can you tell from the losses which run is the
# best, `yes` or `no`?

# %%
check(..., "f3efb5428cc2", hint="What would 2.77 nats be in squared pixels?")

# %%
Queue(trained["pixels"].path.parent).set(slots=2)
watch(*trained.values())

# %% [markdown]
# Pixels and waves can be looked at; the others say nothing that is a picture.

# %%
show_growth(trained["pixels"], 4)

# %% [markdown]
# Now the common measure: k-NN and the linear probe of notebook 04, on features of pictures with
# nothing hidden.

# %%
show_worth(trained)

# %% [markdown]
# Every run stands beside its own random weights, because only the difference was learnt. What this
# table says, and what it does not:
#
# - Pixels did best, and just what bare pixels do. Digits *are* their pixels: there is no light, no
#   colour and no background to be forgiven, so nothing is won by targets that forgive.
# - Places came next, without predicting a single value. Where a stroke belongs depends on which
#   digit it is part of.
# - HOG and features taught something and stayed behind. HOG of cells of 4 x 4 pixels is coarse, and
#   our teacher has seen clothes, never a digit.
# - Frequencies paint the best pictures of all, look above, and their features are worse than with
#   no training. Half of the masks leave 25 waves, the other half take these 25, and every patch
#   sees enough of itself to be sharpened without knowing any digit. Its paper trains for 300 epochs
#   on photos. A method can be good, its loss low, its pictures fine, and teach nothing here.
# - One seed each. The intervals hold for the 359 test pictures, not for another seed.
#
# The papers report another order, on photos: there HOG and features beat pixels. Which target
# is best is a question about your pictures, not about targets. On CIFAR-10 you can ask it again:
# every objective has a preset for it, and `python -m workbench objectives` lists them.
#
# ## What to take away
#
# - A target decides what has to be learnt: what it does not notice, the model may forget.
# - Losses of different targets have different units. Compare features, beside random weights.
# - A teacher hands on what it has, its faults too.
# - What wins on one kind of pictures may lose to no training on another. Try it on yours.
