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
# # Where to look
#
# A transformer moves what it knows from patch to patch, and its attention maps say from where to
# where. This notebook shows every map of the bundled autoencoder, hides most of the photo and looks
# again, follows the stand-ins of hidden patches in the decoder, and then asks what such pictures
# prove. It needs no GPU, no network, and about a minute of computing.
#
# Questions come before answers. Guess first; the three dots `...` in an exercise are yours to
# replace.

# %%
from workbench.lessons.attention import (
    largest_gap,
    show_deletion,
    show_heads,
    show_measures,
    show_rollout,
    show_steadiness,
)
from workbench.lessons.looking import Looking
from workbench.notebook import check, sized

# %% [markdown]
# ## Everybody asks everybody
#
# In every head, each token asks all tokens, itself among them, and mixes their answers. The weights
# of a mixture are positive and sum to 1: that is one row of the map.
#
# **Question 1.** A photo has 12 x 12 patches, and one class token stands for the whole. How many
# weights has the map of one head?

# %%
check(..., "bbc98c4c285a", hint="145 tokens ask 145 tokens.")

# %% [markdown]
# **Question 2.** A head that looks at everything alike: which weight has each token? Four digits.

# %%
check(..., "2802e3f6c43e", hint="They sum to 1.", digits=4)

# %% [markdown]
# Here are all 36 heads of the encoder. The framed patch asks; bright is where it reads, and the
# brightest colour stands for a weight of 0.1 or more. Click another patch, or move with the arrow
# keys.

# %%
Looking("astronaut", query=40)

# %% [markdown]
# The first layer looks everywhere. Then heads choose a few patches, and each its own: some stay
# near, some jump far. Do not look for an astronaut in every tile.
#
# ## Numbers instead of impressions
#
# *Evenness* is the entropy of a row over its maximum. *Distance* is how far away a head reads, on
# average; looking at all patches alike gives 75 pixels here. *Difference* is 1 minus the cosine
# between the maps of two heads of a layer.
#
# **Question 3.** What is the evenness of a head that always reads a single token?

# %%
check(..., "cba4b6b6203e", hint="No surprise at all.")

# %%
show_measures("astronaut")

# %% [markdown]
# You often read that early layers look near and late ones far. This small model does not do you the
# favour. Its heads share the work inside every layer instead.
#
# ## Most of the photo goes away
#
# Hide 75% at random, as in training. Hidden patches have no token: they are grey in the maps, and
# nobody can read them.
#
# **Question 4.** 36 patches and the class token are left. How many times larger is the mean weight,
# compared with the whole photo? Two digits.

# %%
check(..., "8b2e5d99d66a", hint="1/37 against 1/145.", digits=2)

# %%
show_heads("astronaut", None, "random(ratio=0.75)")

# %% [markdown]
# Does the rest go on as before, or does everything turn around? Take what one visible patch reads
# from the other visible ones, with and without the hidden patches being there.
#
# **Question 5.** With 75% hidden, will the two correlate by `more` or `less` than 0.5?

# %%
check(..., "282a54abf28f", hint="What has the model seen in its whole life?")

# %%
show_steadiness("astronaut", (0.25, 0.5, 0.75, 0.9))

# %% [markdown]
# The model was trained on rests, and hardly notices. What two patches have to say to each other
# depends on these two, and the others only share the weights.
#
# There are two ways to hide a patch from attention: drop its token, or keep it and forbid all
# others to read it (its *key* gets a weight of 0).
#
# **Question 6.** Does it matter for what visible patches read, `yes` or `no`?

# %%
check(..., "f3efb5428cc2", hint="Who could tell whether somebody is there whom nobody can hear?")

# %%
largest_gap("astronaut", "random(ratio=0.75)")

# %% [markdown]
# That is rounding. Dropping is faster, hiding keys leaves all tokens in their places.
#
# ## The stand-in goes looking
#
# In the decoder every hidden patch has a token again, and at first all of these stand-ins are equal
# but for their place. Whatever one paints it has to fetch from others.
#
# **Question 7.** Will it mostly look `near` or `far`?

# %%
check(..., "df637e35acc6", hint="Where would you look for the colour of a cheek?")

# %%
Looking("astronaut", query=40, mask="random(ratio=0.75)", decoder=True)

# %% [markdown]
# These maps one can read: most heads fetch from next door, along the row or the column. A few look
# at something far away, the same for many patches.
#
# ## What do maps prove?
#
# Often one sees a single map of "what the model looks at": the last layer's, or *rollout*, which
# follows the weights through all layers.

# %%
show_rollout(["astronaut", "chelsea"])

# %% [markdown]
# A painter's attention, not a judge's: nobody asked this model what is on the photo, and its class
# token has no task. The bright tiles are no eyes and no rocket. With a classifier they might be,
# and a nice picture would still prove nothing.
#
# A claim about what matters can be tested. Take hidden patches, and hide four more from each:
# those that its stand-in reads most. If they matter, the painting gets worse.
#
# **Question 8.** Four others, taken at random, are the control. Which will do more harm, the
# `attended` or the `random` ones?

# %%
check(..., "bf214e24a588", hint="Here the maps do mean something.")

# %%
names = ["astronaut", "chelsea", "coffee", "rocket"][: sized(4, 1)]
show_deletion(names, ratio=0.75, asked=sized(24, 4))

# %% [markdown]
# The maps pass: what they call important is, and what they call unimportant can go. And they learn
# humility in the row below: *the four nearest* do as much harm, and to know these nobody needs a
# map. An explanation has to beat such a simple guess before it explains anything. Without that
# row the result would have looked better than it is.
#
# ## What to take away
#
# - A map is one head of one layer for one who asks; say which, and on which scale.
# - Heads of a masked autoencoder hardly change when most of the photo goes: they grew up like that.
# - Dropping tokens and hiding keys are the same to those who stay.
# - In the decoder, stand-ins fetch from next door.
# - Test a map by hiding what it points at, beside two controls: anything at random, and what you
#   would have guessed without it.
