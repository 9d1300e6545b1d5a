using System.Net.Sockets;
using Scissorhands.Planning;

namespace Scissorhands.CommandLine;

/// <summary>From an exception to one line and an exit code.</summary>
public static class Failure
{
    /// <summary>Set to anything to see stack traces.</summary>
    private const string TraceVariable = "SCISSORHANDS_TRACE";

    /// <summary>Says in a line what went wrong, and where a trace is asked for, all of it.</summary>
    /// <param name="exception">What was thrown.</param>
    /// <returns>The exit code.</returns>
    public static int Explain(Exception exception)
    {
        var (code, line) = Describe(exception);
        Console.Error.WriteLine(line.ReplaceLineEndings(" "));
        if (Environment.GetEnvironmentVariable(TraceVariable) is { Length: > 0 })
        {
            Console.Error.WriteLine(exception);
        }

        return code;
    }

    private static (int Code, string Line) Describe(Exception exception) => exception switch
    {
        InputException e => (ExitCodes.BadInput, e.Message),
        RunFailedException e => (ExitCodes.Failed, e.Message),
        OperationCanceledException => (ExitCodes.Interrupted, "interrupted"),
        IOException e when IsAddressInUse(e) => (ExitCodes.BadInput, $"{e.Message}; name another with --http"),
        IOException e => (ExitCodes.Failed, $"{e.Message} (disk full, or not readable or writable?)"),
        UnauthorizedAccessException e => (ExitCodes.BadInput, e.Message),
        AggregateException { InnerExceptions: [var first, ..] } => Describe(first),
        TypeInitializationException or DllNotFoundException => (ExitCodes.Failed, $"{(exception.InnerException ?? exception).Message.Split('\n')[0]}; see scissorhands doctor"),
        _ => (ExitCodes.Failed, $"{exception.GetType().Name}: {exception.Message.Split('\n')[0]} (set {TraceVariable}=1 for details)"),
    };

    private static bool IsAddressInUse(Exception? exception) =>
        exception is not null && (exception is SocketException { SocketErrorCode: SocketError.AddressAlreadyInUse } || IsAddressInUse(exception.InnerException));
}
