// The stages of a run, in the words of those who did not write it.

export const stages = [
  ["evaluate original", "Measure the model as it came", "What it knows of the samples to forget, of those that stay, and of test data."],
  ["sensitivity", "Score every weight", "How strongly each weight reacts to the samples to forget."],
  ["select", "Choose what to trim", "The few percent of weights that react most, over all layers."],
  ["evaluate trimmed", "Trim and measure", "These weights get fresh values; the model is measured before it is repaired."],
  ["repair", "Repair", "The model is trained on the samples that stay, held back from learning the others again."],
  ["evaluate repaired", "Measure the result", "The same measurements as at the beginning."],
  ["publish", "Write the model", "Model and mask, with their digests."],
  ["report", "Write the report", "For the person who has to answer for it."],
];

export const stageName = stage => stages.find(([name]) => name === stage)?.[1] ?? (stage === "done" ? "Done" : stage);
