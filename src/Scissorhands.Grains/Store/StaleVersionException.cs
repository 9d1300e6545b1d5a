namespace Scissorhands.Grains.Store;

/// <summary>A run, or a model, was to be written by somebody who does not know its newest version.</summary>
public sealed class StaleVersionException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="runId">The run or the model.</param>
    /// <param name="expected">The version the writer knew.</param>
    /// <param name="found">The stored one; 0 where the run does not exist.</param>
    public StaleVersionException(string runId, long expected, long found)
        : base($"{runId} was to be written over version {expected}, but " + (found == 0 ? "is not stored" : $"version {found} is stored"))
    {
        RunId = runId;
        Expected = expected;
        Found = found;
    }

    /// <summary>The run.</summary>
    public string RunId { get; }

    /// <summary>The version the writer knew.</summary>
    public long Expected { get; }

    /// <summary>The stored one; 0 where the run does not exist.</summary>
    public long Found { get; }
}
