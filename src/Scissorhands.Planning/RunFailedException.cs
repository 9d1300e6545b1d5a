namespace Scissorhands.Planning;

/// <summary>
/// The run cannot go on for a reason that is neither bad input nor a defect: a loss that became NaN, a full disk.
/// Hosts print the message and exit with code 1; the last checkpoint stays.
/// </summary>
public sealed class RunFailedException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">The reason, naming parameter, step or file.</param>
    /// <param name="inner">What was thrown underneath.</param>
    public RunFailedException(string message, Exception? inner = null) : base(message, inner)
    {
    }

    /// <summary>Whether the reason may pass, so that trying again is worth it. Default: false, the same comes again.</summary>
    public bool MayPass { get; init; }
}
