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
# # Reconstruct
#
# What happens between the masked photo and the filled-in one? This notebook takes the bundled
# masked autoencoder apart: what goes in, what comes out, why hidden things turn grey, what
# "norm-pix" means, and how the error grows with what is hidden. It needs no GPU, no network and
# about a minute of computing.
#
# Questions come before answers. Guess first; the three dots `...` in an exercise are yours to
# replace.

# %%
import numpy as np

from workbench.lessons.boards import Chart
from workbench.lessons.models import (
    show_average,
    show_contrast,
    show_curve,
    show_model,
    show_normalised,
    show_perfect_norm_pix,
    show_spread,
)
from workbench.models import load_reconstructor
from workbench.notebook import check, reconstruct_widget, show, show_scene, sized
from workbench.scenes import SceneSpec, compose

# %% [markdown]
# ## The model on one page
#
# The photo is cut into patches, and every patch becomes a list of numbers: three colours for each
# of its pixels.
#
# **Question 1.** The model reads 144 x 144 pixels in 12 x 12 patches. How many numbers make one
# patch?

# %%
check(..., "39831c4b9c1d", hint="12 x 12 pixels with three colours each.")

# %%
show_model("default")

# %% [markdown]
# The *encoder* is the large part and sees the visible patches alone. The *decoder* is small: it
# gets the encoder's answers, puts one and the same stand-in (the mask token) at every hidden
# place, tells all of them where they are, and says what the pixels are.
#
# **Question 2.** Hide 75% of the patches. How many go into the encoder?

# %%
check(..., "22c397a33f01", hint="A quarter of 12 x 12.")

# %%
scene = compose(SceneSpec(photo="chelsea", mask="random(ratio=0.75)"))
images = scene.photo.transpose(2, 0, 1)[None].astype("float32") / 255
model = load_reconstructor("default", precision="fp32")
result = model(images, scene.mask)

# %%
{name: tuple(numbers.shape) for name, numbers in result.activations.items()}

# %% [markdown]
# The *latent* is what the encoder says: the visible patches and one more token that stands for
# the picture as a whole (the class token), 192 numbers each. The *prediction* has all 144 patches
# again.
#
# Attention compares every token with every token, so what is hidden need not be computed.
#
# **Question 3.** With its class token the encoder has 37 tokens in place of 145. How many times
# fewer pairs does it compare? One digit after the point.

# %%
check(..., "5d0843b38729", hint="Pairs grow with the square.", digits=1)

# %% [markdown]
# ## It never saw what it paints
#
# Put something else where the patches are hidden: the photo's own negative.
#
# **Question 4.** Does the prediction change, `yes` or `no`?

# %%
check(..., "f3efb5428cc2", hint="What goes into the encoder?")

# %%
negative = np.where(scene.mask.to_pixels()[:, None], 1 - images, images)
other = model(negative, scene.mask)
given = {"photo": images, "masked": scene.masked, "swapped": negative}
show(**given, predicted=result.pixels, of_swapped=other.pixels)

# %%
float((other.pixels - result.pixels).abs().max())

# %% [markdown]
# Not one number differs. Whatever you see in a hole was inferred from around it, or learnt before
# from other photos.

# %%
show_scene(scene)

# %% [markdown]
# ## Why pictures are grey
#
# The model is trained to make the squared error small. Think of a patch that is black (0) or
# white (1), each with the same chance, and nothing around it tells which.
#
# **Question 5.** Which single grey value, from 0 to 1, has the smallest squared error on average?

# %%
check(..., "ea72656d050d", hint="Add the errors of both cases, g x g and (1 - g) x (1 - g).")

# %%
guesses = np.linspace(0, 1, 21)
errors = (guesses**2 + (1 - guesses) ** 2) / 2
Chart({"error": (guesses, errors)}, "grey value of the guess", "mean squared error")

# %% [markdown]
# The best guess is the mean of what is possible, even where the mean itself is impossible: the
# patch was black or white and never grey. Ask for a whole photo that nobody has seen, and the
# best guess is the mean of all photos.

# %%
show_average()

# %% [markdown]
# So a flat, greyish hole does not mean that the model has failed: it says "many things are
# possible here". The less it sees, the more is possible.
#
# *Texture* below is the standard deviation of a colour inside a patch.
#
# **Question 6.** When 90% is hidden, does the reconstruction keep `more` or `less` of the
# texture than when 25% is hidden?

# %%
check(..., "74a0836d3ea4", hint="Of what is it more certain?")

# %%
show_contrast("chelsea", (0.1, 0.25, 0.5, 0.75, 0.9), sized(8, 2))

# %% [markdown]
# The hidden patches of the photo have about the same texture in every row; those of the
# reconstruction lose it step by step. A sharper picture would have to choose one of the possible
# textures. It would rarely be the right one, and its squared error would be larger.
#
# ## Norm-pix: the task without brightness
#
# Much of the squared error is brightness and contrast of a whole patch. MAE has a second kind of
# target: take from each patch its mean, divide by its spread, and ask for what is left.
#
# **Question 7.** Take a patch of the five numbers 1, 2, 3, 4 and 5. Their mean is 3 and their
# spread 1.581. What does the 5 become? Two digits.

# %%
check(..., "50dc84a2285c", hint="Subtract the mean, then divide by the spread.", digits=2)

# %%
show_normalised("chelsea")

# %% [markdown]
# In the second picture a dim patch counts as much as a bright one, and a smooth one as much as a
# busy one; on the right you see what was taken away. Such a model learns structure. But it cannot
# paint: nobody tells it how bright the hidden patch was.
#
# Suppose a norm-pix model that makes *no* mistake. Its patches still need a mean and a spread
# before they can be pasted back. Here they come from the visible patches around (third picture)
# or from the hidden patches themselves (fourth picture).

# %%
show_perfect_norm_pix(SceneSpec(photo="chelsea"))

# %% [markdown]
# The fourth picture has no error, and it is a fraud: it was told what it should have guessed. It
# is an easy mistake to make when such a model is shown. When you load one here, means and spreads
# are estimated from visible patches, and the note beside the picture says so.
#
# The third picture shows the price of honesty: perfect structure, and yet its error is far from
# zero. Numbers of norm-pix models and of pixel models do not compare without that in mind.
#
# ## Error against ratio
#
# The bundled model was trained with several masks; `random(ratio=0.75)` came up most often.
#
# **Question 8.** Is its error smallest at the ratio it was trained with, `yes` or `no`?

# %%
check(..., "f3efb5428cc2", hint="Training does not make a hard question an easy one.")

# %%
ratios = (0.1, 0.25, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
spec = SceneSpec(photo="astronaut")
show_curve(spec, ["random", "units", "block"], ratios, sized(16, 2))

# %% [markdown]
# The more is hidden, the larger the error. For scattered patches it rises fastest at the end:
# each visible patch counts for more, the fewer there are. Blocks are hard from the start, because
# a patch in the middle of a block has no visible neighbour, whatever the ratio.
#
# ## One mask is one sample
#
# A number from one mask is a throw of dice. Here is the same ratio under 16 seeds.
#
# **Question 9.** Each mask hides each of the 144 patches with chance 0.75. How many patches do
# you expect to be hidden in *all* 16? Two digits.

# %%
check(..., "9e12490f7383", hint="0.75 multiplied by itself 16 times, then times 144.", digits=2)

# %%
show_spread(spec, 16)

# %% [markdown]
# Each seed shows other patches, so their mean is more complete than any single picture. The right
# one tells where guesses disagree: along edges, where light meets dark, and hardly at all on plain
# ground. Below stands how far the error of one mask can lie from that of another: quote a mean
# over seeds.
#
# ## Ask it yourself
#
# Hide the mouth, then an eye, then both eyes. What does the model need to see before it paints an
# eye again? Then leave one small island of fur in a black sea, and look how far its texture goes.

# %%
painter = reconstruct_widget("chelsea", "block(ratio=0.3)")
painter

# %%
painter.spec.command()

# %% [markdown]
# ## What to take away
#
# - The encoder sees visible patches alone; what stands in a hole cannot leak.
# - Squared error asks for the mean of what is possible, and means are flat and grey.
# - Norm-pix models say structure without brightness; ask where the brightness of a picture came
#   from.
# - Errors depend on ratio, strategy and seed: state all three.
