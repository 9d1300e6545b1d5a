using System.Data.Common;
using Orleans.Runtime;
using Scissorhands.Grains.Store;

namespace Scissorhands.Coordinator.Cluster;

/// <summary>Failures of what a coordinator stands on, not of what was asked: asking again may help.</summary>
internal static class Outage
{
    /// <summary>Whether another coordinator, or the store, was lost or did not answer in time.</summary>
    public static bool Is(Exception failure)
    {
        for (var e = failure; e is not null; e = e.InnerException)
        {
            if (e is OrleansException or DbException or TimeoutException or StaleVersionException)
            {
                return true;
            }
        }

        return false;
    }
}
