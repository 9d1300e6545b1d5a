using System.CommandLine;
using System.Globalization;
using Scissorhands.Drill.Intake;

namespace Scissorhands.Drill.Commands;

/// <summary><c>intake</c>: nothing that was accepted is lost, whatever is killed.</summary>
internal static class IntakeCommand
{
    public static Command Create()
    {
        var requests = new Option<int>("--requests") { Description = "Different deletion requests", DefaultValueFactory = static _ => 10_000 };
        var strikes = new Option<int>("--strikes") { Description = "How often one of coordinator, broker and database is killed", DefaultValueFactory = static _ => 12 };
        var seed = new Option<int>("--seed") { Description = "Chooses requests and moments", DefaultValueFactory = static _ => 1 };
        var minutes = new Option<double>("--minutes") { Description = "For how long it may last", DefaultValueFactory = static _ => 60 };
        var command = new Command("intake", "Kill coordinator, broker and database while deletion requests are sent through both doors, and look for what was lost or done twice; exit code 1 where something was") { requests, strikes, seed, minutes };
        command.SetAction((parsed, cancellationToken) => RunAsync(
            new IntakeDrillOptions { Requests = parsed.GetValue(requests), Strikes = parsed.GetValue(strikes), Seed = parsed.GetValue(seed), Limit = TimeSpan.FromMinutes(parsed.GetValue(minutes)), SettleLimit = TimeSpan.FromMinutes(parsed.GetValue(minutes) / 2) },
            cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(IntakeDrillOptions options, CancellationToken cancellationToken)
    {
        if (options.Requests is < 1 or > 10_000_000 || options.Strikes is < 0 or > 10_000)
        {
            await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"--requests {options.Requests}, --strikes {options.Strikes}: 1 to 10,000,000 requests and 0 to 10,000 strikes"));
            return 2;
        }

        if (await new IntakeDrill(options).RunAsync(Console.Error.WriteLine, cancellationToken) is not { } outcome)
        {
            return 1;
        }

        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{options.Requests} requests: {outcome.Completed} completed in {outcome.Batches} batches, {outcome.Held} held, {outcome.Explained.Values.Sum()} rejected or failed with a reason; struck {string.Join(", ", outcome.Strikes)}; {outcome.Faults.Count} faults"));
        foreach (var (reason, count) in outcome.Explained)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{count,7} x {reason}"));
        }

        foreach (var fault in outcome.Faults)
        {
            await Console.Error.WriteLineAsync(fault);
        }

        return outcome.Faults.Count == 0 ? 0 : 1;
    }
}
