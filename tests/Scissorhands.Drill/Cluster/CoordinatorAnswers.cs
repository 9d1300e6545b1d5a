using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Scissorhands.Drill.Cluster;

/// <summary>Asks a coordinator again and again.</summary>
public static class CoordinatorAnswers
{
    /// <summary>Asks until a key of the answer has a value that is waited for, up to a limit.</summary>
    /// <param name="http">The coordinator.</param>
    /// <param name="path">What is asked.</param>
    /// <param name="key">The key, which holds text.</param>
    /// <param name="isWanted">Whether its value is waited for.</param>
    /// <param name="limit">How long it may take.</param>
    /// <param name="describe">What is said where it takes longer.</param>
    /// <param name="ct">Ends the wait.</param>
    /// <param name="interval">How often it is asked; every 200 ms where not given.</param>
    /// <returns>The value, and the answer it is in.</returns>
    /// <exception cref="TimeoutException">It took longer: holds the last answer.</exception>
    public static async Task<(string Text, JsonObject Answer)> UntilAsync(this HttpClient http, string path, string key, Func<string, bool> isWanted, TimeSpan limit, Func<string> describe, CancellationToken ct, TimeSpan? interval = null)
    {
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct);
        both.CancelAfter(limit);
        using var timer = new PeriodicTimer(interval ?? TimeSpan.FromMilliseconds(200));
        JsonObject? answer = null;
        try
        {
            while (true)
            {
                answer = (await http.GetFromJsonAsync<JsonObject>(path, both.Token))!;
                if (answer[key]!.GetValue<string>() is { } text && isWanted(text))
                {
                    return (text, answer);
                }

                await timer.WaitForNextTickAsync(both.Token);
            }
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new TimeoutException($"Still {answer?[key]}.\n{describe()}");
        }
    }
}
