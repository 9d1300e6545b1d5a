using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Scissorhands.Drill.Cluster;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>Follows deletion requests.</summary>
internal static class RequestStates
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    /// <summary>Asks after a request until its state is one that is waited for, up to a limit.</summary>
    public static async Task<string> UntilAsync(this HttpClient http, string status, Func<string, bool> isWanted, LocalCluster cluster)
    {
        var ct = TestContext.Current.CancellationToken;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(Limit);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(200));
        var state = "";
        try
        {
            do
            {
                state = (await http.GetFromJsonAsync<JsonObject>(status, limit.Token))!["state"]!.GetValue<string>();
            }
            while (!isWanted(state) && await timer.WaitForNextTickAsync(limit.Token));
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            Assert.Fail($"Still {state}.\n{cluster.Describe()}");
        }

        return state;
    }
}
