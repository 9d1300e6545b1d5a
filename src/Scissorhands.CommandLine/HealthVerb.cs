using System.CommandLine;
using Scissorhands.Planning;

namespace Scissorhands.CommandLine;

/// <summary><c>health</c>: asks a coordinator or worker how it is, for supervisors whose images hold no other client.</summary>
public static class HealthVerb
{
    private static readonly string[] Questions = ["startup", "ready", "live"];

    /// <summary>Makes the command.</summary>
    /// <param name="time">The clock.</param>
    /// <returns>The command.</returns>
    public static Command Create(TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(time);
        var question = new Argument<string>("QUESTION") { Description = $"What is asked: {string.Join(", ", Questions)}", DefaultValueFactory = static _ => "ready" };
        var host = new Option<string>("--host") { Description = "Where the process is", HelpName = "HOST", DefaultValueFactory = static _ => "localhost" };
        var port = new Option<int>("--metrics-port") { Description = "Its --metrics-port", HelpName = "PORT", DefaultValueFactory = static _ => 9464 };
        var deadline = new Option<double>("--deadline") { Description = "Seconds to wait for an answer", HelpName = "SECONDS", DefaultValueFactory = static _ => 3 };
        var command = new Command("health", "Ask how a coordinator or worker is: exit code 0 where it is well, 1 where it is not or does not answer") { question, host, port, deadline };
        command.SetAction((parsed, cancellationToken) =>
        {
            if (!Questions.Contains(parsed.GetRequiredValue(question), StringComparer.Ordinal))
            {
                throw new InputException($"QUESTION {parsed.GetValue(question)}: must be one of {string.Join(", ", Questions)}");
            }

            if (parsed.GetValue(deadline) is not (>= 0.1 and <= 60 and var seconds))
            {
                throw new InputException($"--deadline {parsed.GetValue(deadline)}: must be between 0.1 and 60");
            }

            if (!Uri.TryCreate($"http://{parsed.GetValue(host)}:{parsed.GetValue(port)}/health/{parsed.GetValue(question)}", UriKind.Absolute, out var address))
            {
                throw new InputException($"--host {parsed.GetValue(host)} --metrics-port {parsed.GetValue(port)}: do not make an address");
            }

            return AskAsync(address, TimeSpan.FromSeconds(seconds), time, cancellationToken);
        });
        return command;
    }

    private static async Task<int> AskAsync(Uri address, TimeSpan deadline, TimeProvider time, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(deadline, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        using var client = new HttpClient();
        try
        {
            using var answer = await client.GetAsync(address, both.Token).ConfigureAwait(false);
            Console.WriteLine((await answer.Content.ReadAsStringAsync(both.Token).ConfigureAwait(false)).Trim());
            return answer.IsSuccessStatusCode ? ExitCodes.Done : ExitCodes.Failed;
        }
        catch (HttpRequestException e)
        {
            throw new RunFailedException($"{address}: {e.Message}", e);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            throw new RunFailedException($"{address}: no answer within {deadline.TotalSeconds} seconds");
        }
    }
}
