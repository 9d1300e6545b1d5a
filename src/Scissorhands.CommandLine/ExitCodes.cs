namespace Scissorhands.CommandLine;

/// <summary>What the process says to scripts.</summary>
public static class ExitCodes
{
    /// <summary>Done.</summary>
    public const int Done = 0;

    /// <summary>The run failed.</summary>
    public const int Failed = 1;

    /// <summary>Bad usage or input.</summary>
    public const int BadInput = 2;

    /// <summary>Interrupted, resumable.</summary>
    public const int Interrupted = 130;
}
