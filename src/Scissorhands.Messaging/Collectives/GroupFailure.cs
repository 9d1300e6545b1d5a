namespace Scissorhands.Messaging.Collectives;

/// <summary>Why a group ended.</summary>
/// <param name="Rank">The rank at fault, or -1 where no single one is.</param>
/// <param name="Key">The operation at fault, if one is.</param>
/// <param name="Problem">What happened.</param>
/// <param name="Inner">The reason given, if any.</param>
internal sealed record GroupFailure(int Rank, OperationKey? Key, string Problem, Exception? Inner = null)
{
    /// <summary>The exception of an operation that ended with the group.</summary>
    internal CollectiveException Describe(string runId, long generation, OperationKey key)
    {
        var rank = Rank < 0 ? "" : $"rank {Rank}: ";
        var place = Key is { } at && at != key ? $" (in operation {at.Purpose}/{at.Step})" : "";
        return new CollectiveException($"Run {runId}, generation {generation}, operation {key.Purpose}/{key.Step}: {rank}{Problem}{place}", Inner);
    }
}
