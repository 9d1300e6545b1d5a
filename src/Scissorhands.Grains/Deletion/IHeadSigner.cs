using Scissorhands.Deletion.Audit;

namespace Scissorhands.Grains.Deletion;

/// <summary>Signs where audit chains stand.</summary>
public interface IHeadSigner
{
    /// <summary>Id of the key; null where the service has none that outlives it: nobody could check its word.</summary>
    string? KeyId { get; }

    /// <summary>Signs a head.</summary>
    /// <param name="head">The head.</param>
    /// <returns>An envelope.</returns>
    string Sign(AuditHead head);

    /// <summary>Opens an envelope.</summary>
    /// <param name="envelope">The envelope.</param>
    /// <returns>The head; null where it is not this key that signed it.</returns>
    AuditHead? Open(string envelope);
}

/// <summary>How often heads are signed.</summary>
/// <param name="Interval">Longest time that a new row is under no signed head. Default of the coordinator: an hour.</param>
public sealed record AuditHeadOptions(TimeSpan Interval);
