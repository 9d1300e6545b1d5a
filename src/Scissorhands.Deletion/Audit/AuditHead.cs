namespace Scissorhands.Deletion.Audit;

/// <summary>Where a chain stood at a moment, as somebody vouches for it.</summary>
/// <param name="Chain">The tenant's chain.</param>
/// <param name="Sequence">Place of its last row.</param>
/// <param name="Hash">That row's hash, and so of all rows before it.</param>
/// <param name="Time">When (UTC).</param>
public sealed record AuditHead(string Chain, long Sequence, string Hash, DateTimeOffset Time);
