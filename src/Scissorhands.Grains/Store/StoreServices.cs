using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Scissorhands.Grains.Store;

/// <summary>Registration of the store.</summary>
public static class StoreServices
{
    /// <summary>Adds <see cref="IRunStore"/>, <see cref="IOutbox"/>, <see cref="IDeletionStore"/> and <see cref="IAuditStore"/>; a <see cref="TimeProvider"/> has to be there.</summary>
    /// <param name="services">The host's services.</param>
    /// <param name="options">Where the store is.</param>
    public static IServiceCollection AddRunStore(this IServiceCollection services, StoreOptions options)
    {
        services.AddSingleton(provider => new StoreDatabase(
            options,
            provider.GetRequiredService<TimeProvider>(),
            provider.GetService<ILogger<StoreDatabase>>() ?? NullLogger<StoreDatabase>.Instance));
        services.AddSingleton(static provider => new StoreProbe(provider.GetRequiredService<StoreDatabase>()));
        services.AddSingleton<IRunStore, SqlRunStore>();
        services.AddSingleton<IOutbox, SqlOutbox>();
        services.AddSingleton<IDeletionStore, SqlDeletionStore>();
        services.AddSingleton<IAuditStore, SqlAuditStore>();
        services.AddSingleton<IServiceCensusStore, SqlServiceCensus>();
        return services;
    }
}
