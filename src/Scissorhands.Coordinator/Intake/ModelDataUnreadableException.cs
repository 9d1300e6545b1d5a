namespace Scissorhands.Coordinator.Intake;

/// <summary>
/// A model's training data, or the index of its names, cannot be read at the moment: nobody who asks is at fault, and asking again
/// may help. The message names no path, as callers are told it.
/// </summary>
/// <param name="model">The model.</param>
/// <param name="inner">Why, for the log.</param>
internal sealed class ModelDataUnreadableException(string model, Exception inner)
    : Exception($"model {model}: its training data cannot be looked at at the moment; the coordinator's log says why; ask again", inner);
