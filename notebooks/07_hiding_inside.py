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
# # Hiding inside
#
# So far the picture lost its parts. Now the network does: heads, MLPs and blocks of the bundled
# autoencoder are switched off while it paints. Then two small classifiers show what it means that
# a part of a picture is *missing*, and why grey paint is not the same. The notebook trains both, in
# about a minute; it needs no GPU and no network.
#
# Questions come before answers. Guess first; the three dots `...` in an exercise are yours to
# replace.

# %%
from workbench.interventions import intervene
from workbench.lessons.hiding import (
    show_blocks,
    show_heads_off,
    show_order,
    show_skipping,
    try_inside,
)
from workbench.lessons.missing import (
    largest_changes,
    measured,
    show_answers,
    show_pull,
    show_task,
    train,
    try_missing,
)
from workbench.models import load_network
from workbench.notebook import check, sized

# %% [markdown]
# ## A head less
#
# The encoder has 12 blocks of width 192 with three heads each. A block adds to what comes in:
# first what its heads found, then what its MLP makes of it.
#
# **Question 1.** How many numbers does one head add for every token, before they are mixed?

# %%
check(..., "062696bd93d6", hint="The heads share the width.")

# %% [markdown]
# **Question 2.** A block that is skipped adds nothing. What goes on to the next one, its `input` or
# `zeros`?

# %%
check(..., "5cb80ebe4b2e", hint="Look at the word *adds*.")

# %% [markdown]
# An intervention is a recipe, as a mask is, and holds for one `with`. Afterwards the network is
# what it was.

# %%
network = load_network("default")
with intervene(network, "heads_off(layer=0, heads=[0, 1, 2]) ; skip_blocks(layers=[7])") as changed:
    print(changed.name, changed.depth, "blocks")

# %% [markdown]
# Three quarters of the photo are hidden. Switch something off and look at the painting.
#
# **Question 3.** Where will it do the most harm, in the `first` layers, the `middle` or the `last`?

# %%
check(..., "de39ad6682e6", hint="Try the whole block at both ends of the slider below.")

# %%
try_inside("astronaut")

# %% [markdown]
# A single picture can mislead. Here are four photos with a mask each, and every head alone: 1.00
# stands for an error that stays as it was.

# %%
names = ["astronaut", "chelsea", "coffee", "rocket"][: sized(4, 1)]
show_heads_off(names)

# %% [markdown]
# Hardly any head is missed. That does not mean that all can go: each is spared as long as the
# others are there. So switch off more and more. Which ones first? The *gradient* tells in one pass
# how much the features change with each head. *Trying* takes the numbers of the table above. The
# third order is random.
#
# **Question 4.** Which order will keep the painting longest, `gradient`, `trying` or `random`?

# %%
check(..., "012e89b03b26", hint="Which of them has seen the painting?")

# %%
show_order(names, (0, 4, 8, 12, 18, 24)[:: sized(1, 3)])

# %% [markdown]
# With two thirds of the heads gone the gradient does no better than lots. It is no wrong number: it
# says what matters to the *features of the whole photo*, and nobody asked it about the painting of
# a hidden patch. An importance is always an importance for something; say for what. (Trying had
# the help of seeing these very photos first. Give it others, and it has less.)
#
# ## A block less

# %%
show_blocks(names)

# %% [markdown]
# Without the first MLP the error doubles, and the last ten blocks are hardly missed one by one. To
# save time one skips several. *Unified skipping* keeps ceil(12 / speed) of them, evenly spread,
# the first and the last among them.
#
# **Question 5.** How many blocks are left at a speed of 1.25?

# %%
check(..., "a12a4176b358", hint="12 / 1.25 is 9.6; ceil rounds up.")

# %%
show_skipping(names, (1.25, 1.5, 2, 3)[:: sized(1, 3)])

# %% [markdown]
# For large language models even spreading was found to be best. Here it is not: at half of the
# blocks the plain first ones do better. The method is honest about it, and this is a small model:
# measure on yours.
#
# ## What is missing, really?
#
# Now the picture again. To find out what a classifier needs, one takes parts of a photo away and
# asks again. But what stands there then? Grey paint is a thing, too: the network has seen grey
# walls.
#
# Sixteen bundled photos are the classes here. A network gets a square cut from one of them and says
# from which.

# %%
steps, batch = sized(80, 6), sized(32, 8)
networks = {kind: train(kind, steps, batch) for kind in ("convnet", "vit")}
show_task(networks)

# %% [markdown]
# A transformer can leave a patch away: its token is dropped. A convnet has no tokens. *Layer
# masking* carries along which places are visible, fills the others from their neighbours before
# every convolution, and takes the mean over visible places at the end. A place is visible after a
# convolution if any place under its window was.
#
# **Question 6.** Of a large picture one single pixel is visible. How many places are visible after
# four convolutions of 3 x 3?

# %%
check(..., "9b908d88a16c", hint="Each adds one place on every side: 3 x 3, then 5 x 5.")

# %% [markdown]
# What is really hidden must not matter. Put noise into every hidden pixel; by how much does a score
# change at most?

# %%
largest_changes(networks)

# %% [markdown]
# That is rounding, so hidden is hidden. Now compare. Half of the network's answers will be wrong if
# little is left, and that is fine. The question is *how* they are wrong.
#
# **Question 7.** A network that says all 16 classes equally often: what is the entropy of its
# answers, in bits?

# %%
check(..., "a62fa8615232", hint="log2 of the number of classes.")

# %% [markdown]
# **Question 8.** Three quarters of each crop are painted black. Which photo will the networks name
# too often: `chelsea`, `hubble` or `brick`?

# %%
check(..., "0ae5fccd479a", hint="One of them is a picture of the night sky.")

# %%
shares, count = (0, 0.25, 0.5, 0.75)[:: sized(1, 3)], sized(150, 16)
found = {kind: measured(each, shares, count) for kind, each in networks.items()}
show_pull(found["convnet"], 0.75)

# %% [markdown]
# This is the *missingness bias*: paint pulls the answers to the few classes that look like paint.
# Who explains a prediction by blackening parts of the picture explains, to a good part, the black.
#
# **Question 9.** And the transformer: will it be right more often with grey paint, or with tokens
# left `away`? Answer `grey` or `away`.

# %%
check(..., "de614a6816f5", hint="Which of the two does it see more often, photos or grey squares?")

# %%
show_pull(found["vit"], 0.75)

# %%
show_answers(found["vit"])

# %% [markdown]
# With a quarter of the patches it still knows most photos, if nothing stands in for the rest.
# Filling from the neighbours does as well here: it is paint, but of a harmless kind. See for
# yourself:

# %%
try_missing(networks)

# %% [markdown]
# ## Yours now
#
# - In the first widget, find a block whose MLP you can take away and nobody sees it.
# - In the last one, find a crop that both networks know with 87.5% gone.
# - With your own checkpoint: `python -m workbench missingness --model FOLDER --data
#   "folder(path='photos')"`.
#
# ## How far this carries
#
# The crops for testing come from the same sixteen photos as those for training, and the networks
# are tiny and trained for seconds: the numbers are about these. Photos differ in colour and
# texture, so any quarter of a crop tells much; for objects it does not. The order in which parts
# go is random here. And a network that was trained with grey squares does not fear them.
#
# ## What to take away
#
# - Switching something off is a recipe for one `with`; several compose.
# - One head alone is hardly missed; that says little about many.
# - Importance is importance for something. Measure what you care about.
# - Grey and black are contents. Look at which classes win before you trust an answer.
# - Leave it away, where the network allows it: tokens in a transformer, layer masking in a convnet.
