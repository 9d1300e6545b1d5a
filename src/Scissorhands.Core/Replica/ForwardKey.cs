namespace Scissorhands.Core.Replica;

/// <summary>Names a training forward pass, so that whatever is random in it is the same wherever it runs.</summary>
/// <param name="Part">"sensitivity", "retain", "forget", ...</param>
/// <param name="Epoch">Epoch, or 0.</param>
/// <param name="Step">Step of the epoch, or batch index.</param>
/// <param name="Slice">Slice of the step.</param>
public readonly record struct ForwardKey(string Part, long Epoch, long Step, int Slice);
