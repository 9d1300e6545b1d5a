namespace Scissorhands.Cli.Progress;

/// <summary>Chooses how progress is shown.</summary>
internal static class ProgressFactory
{
    /// <summary>JSON where asked for, bars on a terminal, plain lines otherwise.</summary>
    public static IRunProgress Create(bool json, TimeProvider time) =>
        json ? new JsonProgress(Console.Out)
        : Console.IsOutputRedirected ? new PlainProgress(Console.Out, time)
        : new TerminalProgress(time);
}
