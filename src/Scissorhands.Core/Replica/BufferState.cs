namespace Scissorhands.Core.Replica;

/// <summary>Values of a model's buffers.</summary>
/// <param name="Floats">The float32 buffers, flat.</param>
/// <param name="Integers">The int64 buffers, flat.</param>
public sealed record BufferState(float[] Floats, long[] Integers);
