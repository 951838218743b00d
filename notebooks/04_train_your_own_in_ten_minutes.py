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
# # Train your own in ten minutes
#
# Start a training, watch it learn, stop it, go on with it, and find out what it is worth. It is a
# real run on real pictures: scikit-learn's 1,797 handwritten digits, which are on your machine
# already. It needs no GPU and no network. All runs of this notebook together take about five
# minutes on two quiet cores.
#
# Questions come before answers. Guess first; the three dots `...` in an exercise are yours to
# replace.

# %%
from workbench import runs
from workbench.lessons.training import (
    go_on,
    show_comparison,
    show_curves,
    show_growth,
    show_plan,
    show_scores,
)
from workbench.lessons.watching import watch
from workbench.notebook import check, sized
from workbench.runs.queue import Queue

# %% [markdown]
# ## Before it starts
#
# A run is a set-up with a name and the knobs that you change. This one is a masked autoencoder: a
# picture has 8 x 8 pixels in patches of 2 x 2, three quarters of the patches are hidden, and the
# model paints them from the rest.
#
# **Question 1.** How many patches of a digit does the encoder see?

# %%
check(..., "a62fa8615232", hint="A quarter of the patches is visible.")

# %% [markdown]
# **Question 2.** A step takes 128 pictures, there are 800 steps and 1,438 pictures for training.
# How often does the model meet each picture? One digit after the point.

# %%
check(..., "5c3908122b14", hint="Pictures taken in all, over pictures there are.", digits=1)

# %%
settings = {
    "objective": "mae(norm_pix=False, decoder_dim=48, decoder_depth=1)",
    **{"optimiser": "muon", "steps": sized(800, 20), "batch": sized(128, 8)},
    **{"picture_every": sized(25, 10), "save_every": 400, "name": "my first run"},
}
show_plan("digits_mae_tiny", settings)

# %% [markdown]
# Some steps were made and timed just now, and thrown away. On a busy machine the run takes longer
# than that.
#
# ## Start it
#
# `launch` puts the run into a queue and returns at once. The run works in a process of its own: it
# needs neither this notebook nor your browser. `watch` shows it. With the slider you go back to
# earlier pictures.

# %%
run = runs.launch("digits_mae_tiny", overrides=settings)
watch(run, until=sized(400, 20))

# %% [markdown]
# The cell has ended and the run goes on. Its folder is all there is of it: settings, numbers,
# pictures, weights, log.

# %%
sorted(path.name for path in run.path.iterdir() if path.suffix)

# %% [markdown]
# ## Stop it, and ask what it knows
#
# `cancel` asks it to write a checkpoint and end.

# %%
run.cancel()
run.wait()["state"]

# %% [markdown]
# The loss has fallen. But nobody needs a machine that paints digits; we want features in which
# like stands beside like. *k-NN* takes a digit that was not used in training, finds the 20
# training digits with the most similar features, and lets them vote. The *linear probe* fits one
# plane a class. Both use labels; the training never saw one.
#
# **Question 3.** The ten digits are equally frequent. What share does somebody get right who
# guesses?

# %%
check(..., "ae09c2ffac0a", hint="One of ten.")

# %% [markdown]
# **Question 4.** Take the network *before* training, its weights random. Does it do better than
# guessing, `yes` or `no`?

# %%
check(..., "6f873166d7a1", hint="Does a random projection of a picture forget the picture?")

# %%
show_scores(run, "initial", None)

# %% [markdown]
# The row of random weights is the zero of every scale: only what lies above it was learnt.
# A number without that row says little.
#
# ## Go on
#
# `go_on` calls `run.resume()`, unless your machine was so fast that the run was done already. It
# goes on from the checkpoint. On a CPU the result equals that of a run that was never
# stopped, to the last bit. On another machine the digits after the point will differ.

# %%
run = go_on(run)
watch(run)

# %%
show_growth(run)

# %% [markdown]
# The first weights paint a pattern, the same in every hole. By step 100 the model knows
# the mean digit: ink in the middle, none at the rim. Only then does what it sees decide what it
# paints. Where too little is seen it stays grey: notebook 03 tells why.
#
# ## Is it any good?
#
# One more row before you judge: no network at all. Let k-NN compare the bare 64 pixels.
#
# **Question 5.** Will bare pixels do `better` or `worse` than the trained features?

# %%
check(..., "7674033e8c98", hint="Digits stand in the middle, upright, in one size.")

# %%
show_scores(run, "pixels", "initial", None)

# %% [markdown]
# It learnt: k-NN on its features tells far more than on those of random weights. And it is not
# good: bare pixels, which cost nothing, do better under k-NN, and no worse under the probe. Digits
# are that easy, all upright, in the middle, and of one size. A comparison needs both rows, *random
# weights* and *bare pixels*, or it flatters.
#
# The interval behind each number is what 359 test pictures leave open.
#
# **Question 6.** With 359 pictures and 92% right, half of the 95% interval is about
# 1.96 x sqrt(0.92 x 0.08 / 359). How much is that? Three digits.

# %%
check(..., "fe896b50a76e", hint="sqrt(0.0736 / 359) is 0.0143.")

# %% [markdown]
# ## Change one knob
#
# What if less is hidden, or more? A *sweep* queues a run for every combination.
#
# **Question 7.** Three ratios and three seeds: how many runs?

# %%
check(..., "55b7571464d5", hint="Every ratio with every seed.")

# %%
Queue(run.path.parent).set(slots=2)
over = {"ratio": (0.5, 0.75, 0.9)[: sized(3, 1)], "seed": range(sized(3, 1))}
shorter = {**settings, "steps": sized(800, 20), "name": "", "picture_every": 0}
swept = runs.sweep("digits_mae_tiny", over, overrides=shorter)

# %% [markdown]
# **Question 8.** Hide 50%, 75% or 90%: which ratio will end with the smallest loss? Answer
# with its percentage.

# %%
check(..., "7688328b1d4b", hint="Which holes are the easiest to fill?")

# %%
watch(*swept[:: sized(3, 1)])

# %%
for each in swept:
    each.wait()

show_curves(swept[:: sized(3, 1)], ["50%", "75%", "90%"][: sized(3, 1)])

# %% [markdown]
# **Question 9.** The loss at 50% ends at about half of that at 90%. Does that tell that its
# features are better, `yes` or `no`?

# %%
check(..., "f3efb5428cc2", hint="Is an easier exercise the better lesson?")

# %%
show_comparison(swept)

# %% [markdown]
# Losses of different ratios are errors on different exercises and do not compare. Scores do. Read
# them with their intervals, which here come from three seeds (Student's t). 90% seems to be too
# much for pictures of 16 patches: two are left. Between 50% and 75% the intervals overlap, and
# three seeds cannot tell. Most comparisons of small runs end like this one, with less to say than
# one lucky run seemed to promise.
#
# ## Yours now
#
# - Hide blocks instead of scattered patches: `runs.launch(..., overrides={**settings, "mask":
#   "block(ratio=0.6)"})`.
# - Train longer: with `"steps": 2000` one run reached 97.8% by k-NN and 96.7% by the probe. Is
#   that more than bare pixels, given the intervals?
# - Your own pictures: `"data": "folder(path='...')", "size": 32, "patch": 4`, without scores where
#   folders name no classes.
# - Real photos of ten kinds of things: fetch CIFAR-10, set `WORKBENCH_DATA` to its folder, and take
#   the preset `cifar10_mae_tiny`. Ask for the row of bare pixels there, too.
#
# The same runs are seen from the command line, and in the app:

# %%
print(f"python -m workbench runs show {run.path.name[:20]}...")

# %% [markdown]
# ## What to take away
#
# - A run is a folder and a process: it outlives the notebook, can be stopped, gone on with, and
#   compared.
# - Loss says how the exercise goes; k-NN and probe say what was learnt.
# - Compare with random weights and with bare pixels before you call features good.
# - Change one knob at a time, over several seeds, and look at the intervals.
