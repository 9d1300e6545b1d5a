namespace Scissorhands.Messaging.Collectives;

/// <summary>Why a group ended.</summary>
/// <param name="Rank">The rank at fault, or -1 where no single one is.</param>
/// <param name="Key">The operation at fault, if one is.</param>
/// <param name="Problem">What happened.</param>
/// <param name="Inner">The reason given, if any.</param>
internal sealed record GroupFailure(int Rank, OperationKey? Key, string Problem, Exception? Inner = null);
