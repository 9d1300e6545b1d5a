using Microsoft.Extensions.Logging;
using Scissorhands.Planning;

namespace Scissorhands.Hosting.Logs;

/// <summary>How processes write their log: a line each for people, or JSON with the fields for machines.</summary>
public static class ConsoleLogs
{
    /// <summary>The variable that says how: <c>text</c> (the default) or <c>json</c>.</summary>
    public const string Variable = "SCISSORHANDS_LOG";

    /// <summary>Adds the log.</summary>
    /// <param name="logging">The host's logging.</param>
    /// <returns>The same.</returns>
    /// <exception cref="InputException">The variable holds something else.</exception>
    public static ILoggingBuilder AddConsoleLogs(this ILoggingBuilder logging)
    {
        ArgumentNullException.ThrowIfNull(logging);
        logging.ClearProviders();
        return Environment.GetEnvironmentVariable(Variable) switch
        {
            null or "" or "text" => logging.AddSimpleConsole(static console => (console.SingleLine, console.TimestampFormat) = (true, "HH:mm:ss ")),
            "json" => logging.AddJsonConsole(static console => (console.UseUtcTimestamp, console.TimestampFormat) = (true, "yyyy-MM-ddTHH:mm:ss.fffZ")),
            var other => throw new InputException($"{Variable}: is {other}, must be text or json"),
        };
    }
}
