// How the views of runs call what is measured and swept.

const PROTOCOLS = {
  knn: ["k-NN", "The 20 most similar training pictures vote; nothing is trained"],
  linear_probe: ["linear probe", "A linear classifier on the frozen features"],
  finetune: ["fine-tuning", "Encoder and classifier are trained on the labels"],
  metric: ["its own measure", "What the objective brings itself"],
};

// How a protocol is called, its knobs behind it; the name of a measure stays as it is.
function protocolName(recipe) {
  const [name, knobs = ""] = recipe.replace("()", "").split(/(?=\()/);
  return `${PROTOCOLS[name]?.[0] ?? name}${knobs ? ` ${knobs}` : ""}`;
}

// How a number of a comparison is called: a protocol or what the objective calls it, first weights, other data.
function metricName(name) {
  const [, protocol, weights, rest] = name.match(/^([^@:]*?)(@\w+)?((?: on |: ).*)?$/s) ?? [name, name];
  return `${protocolName(protocol).replaceAll("_", " ")}${weights ? `, ${weights.slice(1)} weights` : ""}${rest ?? ""}`;
}

// A sweep beside other things; the names that are made up say already what they are.
function sweepName(name) {
  return name.startsWith("sweep") ? name : `sweep ${name}`;
}
