using System.CommandLine;
using System.CommandLine.Help;

namespace Scissorhands.CommandLine;

/// <summary>A program of the product: parses its arguments, does what they say and explains what went wrong.</summary>
public static class CommandProgram
{
    /// <summary>Runs a program.</summary>
    /// <param name="root">Its command, under the program's name; no RootCommand, whose name in usages is the file's.</param>
    /// <param name="args">Its arguments.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(Command root, IReadOnlyList<string> args)
    {
        ArgumentNullException.ThrowIfNull(root);
        root.Add(new HelpOption());
        root.Add(new VersionOption());
        var parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            // What was mistyped says more than what is missing because of it.
            var mistyped = parsed.UnmatchedTokens is [var first, ..] ? first : null;
            var error = parsed.Errors.FirstOrDefault(e => mistyped is not null && e.Message.Contains($"'{mistyped}'", StringComparison.Ordinal)) ?? parsed.Errors[0];
            await Console.Error.WriteLineAsync($"{error.Message} (see --help)").ConfigureAwait(false);
            return ExitCodes.BadInput;
        }

        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            return Failure.Explain(e);
        }
    }
}
