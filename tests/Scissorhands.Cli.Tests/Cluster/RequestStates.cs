using Scissorhands.Drill.Cluster;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>Follows deletion requests.</summary>
internal static class RequestStates
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    /// <summary>Asks after a request until its state is one that is waited for, up to a limit.</summary>
    public static async Task<string> UntilAsync(this HttpClient http, string status, Func<string, bool> isWanted, LocalCluster cluster) =>
        (await http.UntilAsync(status, "state", isWanted, Limit, cluster.Describe, TestContext.Current.CancellationToken)).Text;
}
