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
# # Explaining a prediction, and judging the explanation
#
# A network names a class, and a method paints a map of what the answer rests on. The map looks
# convincing; they always do. Here is a task where the right answer to "where?" is known, a dozen
# methods, and four ways of finding out what a map is worth, three of which work where nothing is
# known. It needs no GPU, no network, and about a minute.
#
# Questions come before answers. Guess first; the three dots `...` in an exercise are yours to
# replace.

# %%
from workbench.lessons.judged import (
    show_areas,
    show_deletion,
    show_maps,
    show_mass,
    show_randomised,
    show_task,
    train,
    try_explaining,
)
from workbench.notebook import check, sized

# %% [markdown]
# ## Two blocks, one answer
#
# A digit and a crossed frame stand above each other, and lots decide which is on top. The frame is
# the same in every picture: it tells nothing. A small convnet learns to name the digit.

# %%
network = train(steps=sized(250, 20), batch=sized(32, 16))
show_task(network)

# %% [markdown]
# What the network does with the frame we cannot know for sure. But a map that marks it as a reason
# for "a 4" is wrong: it is there for a 7, too. The idea is BlockMNIST by Shah, Jain and Netrapalli
# (2021), who found that gradients of ordinary networks leak into the frame.
#
# **Question 1.** Each block takes half of the height and half of the width. Which share of an even
# map lies on the frame?

# %%
check(..., "a8e7383faec2", hint="One of four quarters.")

# %% [markdown]
# ## Ask for reasons
#
# Some methods follow the gradient of the score: *saliency* its size, *input_gradient* and
# *integrated_gradients* multiply it with the pixel. *Occlusion* hides one cell after another and
# asks again; what stands in a hidden cell is your choice, as in notebook 07. *Random* and *centre*
# know nothing: one is drawn by lot, the other is a spot in the middle.
#
# Red speaks for the class, blue against it. Try a few.

# %%
try_explaining(network)

# %% [markdown]
# **Question 2.** Integrated gradients multiply the gradient with *pixel minus black*. How large is
# the map on a pixel that is black?

# %%
check(..., "cba4b6b6203e", hint="What is black minus black?")

# %% [markdown]
# So that map lies on the white lines, of the digit and of the frame, and shows them as a drawing
# would. That it looks so sharp says nothing yet.
#
# ## Judge 1: the truth
#
# **Question 3.** Occlusion with black or with grey: which of them will put less on the frame?

# %%
check(..., "b2674819c6dd", hint="Which paint is closer to there being nothing, on this ground?")

# %%
count = sized(24, 2)
gradients = [(each, "black") for each in ("saliency", "input_gradient", "integrated_gradients")]
occlusions = [("occlusion", each) for each in ("black", "grey", "neighbour", "layer_mask")]
ways = [("random", "black"), ("centre", "black"), *gradients, ("grad_cam", "black"), *occlusions]
show_mass(network, ways[:: sized(1, 3)], count)

# %%
show_maps(network, ways[1:], at=3)

# %% [markdown]
# No map keeps off the frame. The two that multiply with the pixel put most on the digit, and, the
# centre aside, most on the frame, too: they never mark black ground. Grey paint makes
# occlusion see reasons where there are none. On another ground another paint would be the bad one.
#
# ## Judge 2: take away what the map names
#
# Mostly nobody knows the truth. Then one takes the highest cells away first and watches the
# probability of the class: the area under this curve is *deletion*. *Insertion* begins with nothing
# and puts the highest back first.
#
# **Question 4.** Is the deletion area of a good map `larger` or `smaller` than that of a random
# one?

# %%
check(..., "5eb3bafe61be", hint="The answer should be lost early.")

# %% [markdown]
# **Question 5.** One judge takes away by painting black, another by painting grey. Will the same
# map win with both? Answer `yes` or `no`.

# %%
check(..., "f3efb5428cc2", hint="Who made the best map for a judge who paints grey?")

# %%
some = [*ways[:3], ways[4], *ways[6:8]][:: sized(1, 3)]
show_deletion(network, some, "black", count)

# %%
show_areas(network, some, ("black", "grey"), count)

# %% [markdown]
# Each paint crowns the map that was made with the same paint. So judge with more than one, and
# with one that the method did not use.
#
# And look at the row *centre*: a spot in the middle, the same for every picture, is about as good
# as saliency. Blocks stand in the middle here, as things do on photos. Who shows only the row
# *random* as a comparison sells that as insight.
#
# ## Judge 3: another network
#
# A map should depend on what the network learnt. Draw the weights of the last layers anew, make
# the map again and compare by rank correlation.
#
# **Question 6.** Take the picture itself as a map, dark to bright. What is its correlation, however
# many layers are drawn anew?

# %%
check(..., "797fcd19d4d1", hint="Does the picture know the weights?")

# %%
show_randomised(network, [ways[2], *ways[4:7]][:: sized(1, 3)], (1, 8, 24)[:: sized(1, 2)], at=0)

# %% [markdown]
# Saliency stays almost what it was while the last layers are noise: where the first layers see
# edges, it is bright, whatever the answer is made of. A method that fails this check can still draw
# edges very well.
#
# ## Judge 4: learn again
#
# All that was taken away leaves holes that the network never saw. *DiffROAR* lets it see them: keep
# only the highest half of every map, in training and in testing, and train anew; then the same with
# the lowest half. The difference of both accuracies is what the order of the map was worth.
#
# **Question 7.** Trained on the highest half a network finds 90% of the digits, on the lowest half
# 62%. What is DiffROAR, as a share?

# %%
check(..., "cb367185107e", hint="The first minus the second.")

# %% [markdown]
# **Question 8.** And of a random map, in the long run?

# %%
check(..., "cba4b6b6203e", hint="Both halves are halves.")

# %% [markdown]
# That takes two trainings for every map and seed, so no cell of this notebook does it: for a run of
# yours `python -m workbench retrain start RUN` queues them, and `retrain show` has the table. A
# difference below the spread over seeds is none.
#
# ## Yours now
#
# - Find, in the widget, a picture whose occlusion map lies mostly on the frame. Is the network
#   sure?
# - Your own photo and checkpoint: `python -m workbench explain photo.jpg --model FOLDER --method
#   occlusion --remove-with neighbour --out result` writes the map and its curves beside those of
#   *random* and *centre*.
#
# ## How far this carries
#
# One small network, trained for seconds, on digits of 16 x 16 pixels: which method wins here is no
# ranking of methods. That the frame tells nothing is a fact about the data; the network may still
# use it, for instance to know where the digit is not, and then a little weight there is honest. And
# a map that passes all four judges still shows *where* the network looks, not *why*.
#
# ## What to take away
#
# - Say the class, the method, and what "removed" means: each changes the map.
# - Compare with a random map *and* with a spot in the middle.
# - Judge with more than one way of removing; a judge favours his own.
# - A map that stays when the weights go explains the picture, not the network.
# - Where it can be had, build a task whose answer is known.
