using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using MassTransit;
using MassTransit.Monitoring;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;
using Orleans.Hosting;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Certificates.Signing;
using Scissorhands.Coordinator.Access;
using Scissorhands.Coordinator.Api;
using Scissorhands.Coordinator.Cluster;
using Scissorhands.Coordinator.Deletion;
using Scissorhands.Coordinator.Hooks;
using Scissorhands.Coordinator.Intake;
using Scissorhands.Coordinator.Pages;
using Scissorhands.Coordinator.Telemetry;
using Scissorhands.Grains.Cluster;
using Scissorhands.Grains.Deletion;
using Scissorhands.Grains.Store;
using Scissorhands.Grains.Telemetry;
using Scissorhands.Hosting.Logs;
using Scissorhands.Hosting.Operations;
using Scissorhands.Hosting.Telemetry;
using Scissorhands.Messaging.Control;
using Scissorhands.Planning;
using StackExchange.Redis;

namespace Scissorhands.Coordinator.Hosting;

/// <summary>How a coordinator process is reached and what it stands on.</summary>
public sealed record ClusterCoordinatorOptions
{
    /// <summary>Where HTTP is served. Default: http://localhost:8080.</summary>
    public Uri Http { get; init; } = new("http://localhost:8080");

    /// <summary>What HTTPS is served with; null where <see cref="Http"/> is not https.</summary>
    public HttpsCertificate? HttpsCertificate { get; init; }

    /// <summary>The broker, with credentials.</summary>
    public required Uri Broker { get; init; }

    /// <summary>The installation whose virtual hosts are taken from it, for as long as they are that one's. Default: null, for none.</summary>
    public string? TakesOverBrokerFrom { get; init; }

    /// <summary>The store of truth.</summary>
    public required StoreOptions Store { get; init; }

    /// <summary>Redis, where several coordinators share the load; null for a single one.</summary>
    public string? Redis { get; init; }

    /// <summary>The authorities (PEM) that the certificate of an encrypted Redis must come from; null for those that the machine trusts.</summary>
    public string? RedisAuthorities { get; init; }

    /// <summary>What coordinators know each other by; null where they talk in the clear. Default: null.</summary>
    public SiloCertificate? SiloCertificate { get; init; }

    /// <summary>Address that other coordinators reach this one at. Default: 127.0.0.1.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>Port of traffic between coordinators. Default: 11111.</summary>
    public int SiloPort { get; init; } = 11111;

    /// <summary>Port of clients of the cluster. Default: 30000.</summary>
    public int GatewayPort { get; init; } = 30000;

    /// <summary>Coordinators of another cluster are strangers. Default: scissorhands.</summary>
    public string ClusterId { get; init; } = "scissorhands";

    /// <summary>Folders that deletion requests and models may name paths in. Default: none, so that no deletion requests are served.</summary>
    public IReadOnlyList<string> Roots { get; init; } = [];

    /// <summary>The virtual host of the broker that deletion requests arrive in; null for none.</summary>
    public Uri? Intake { get; init; }

    /// <summary>Who is told of published versions. Default: nobody.</summary>
    public IReadOnlyList<HookOptions> Hooks { get; init; } = [];

    /// <summary>The callers' keys; null for none. With neither keys nor <see cref="Oidc"/> everybody who reaches the service may do everything: it then listens on this machine only.</summary>
    public ApiKeyFile? Keys { get; init; }

    /// <summary>The issuer whose tokens are taken beside keys; null for none.</summary>
    public OidcOptions? Oidc { get; init; }

    /// <summary>The key that signs certificates and audit heads; null for one made for this process alone, which its certificates say, and no signed heads.</summary>
    public SigningKey? SigningKey { get; init; }

    /// <summary>Longest time that a row of the audit is under no signed head. Default: 1 hour.</summary>
    public TimeSpan HeadInterval { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Largest body of a request, in bytes. Default: 16 MiB.</summary>
    public long MaxBodyBytes { get; init; } = 16 << 20;

    /// <summary>What the coordinator tells of itself, and where. Default: what the environment says.</summary>
    public TelemetryOptions Telemetry { get; init; } = new();

    /// <summary>Whether Orleans' dashboard is served, to callers with the scope <see cref="AccessScopes.Operate"/>. All coordinators of a cluster need it alike: any of them may be asked for its figures. Default: false.</summary>
    public bool OrleansDashboard { get; init; }

    /// <summary>How much a caller may ask.</summary>
    public CallLimitOptions Limits { get; init; } = new();

    /// <summary>How patient it is.</summary>
    public LivenessOptions Liveness { get; init; } = new();
}

/// <summary>Wires a coordinator process: silo, bus, store, HTTP.</summary>
public static partial class ClusterCoordinator
{
    private static readonly TimeSpan StoreRetryInterval = TimeSpan.FromSeconds(2);
    private const string ServiceId = "scissorhands";

    /// <summary>Builds the process.</summary>
    /// <param name="options">How it is reached and what it stands on.</param>
    /// <returns>The application, not yet started.</returns>
    public static WebApplication Build(ClusterCoordinatorOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Liveness.Validate();
        options.Limits.Validate();
        if (options.Keys is null && options.Oidc is null && !options.Http.IsLoopback)
        {
            throw new InputException($"--http {options.Http}: is reachable from other machines, so --keys must name the callers' keys (scissorhands key makes them), or --oidc-authority the issuer of their tokens");
        }

        if (options.Http.AbsolutePath != "/")
        {
            throw new InputException($"--http {options.Http}: takes no path; a proxy in front of it may have one");
        }

        if (options.Http.Scheme == Uri.UriSchemeHttps != options.HttpsCertificate is not null)
        {
            throw new InputException($"--http {options.Http}: https needs --http-cert, its certificate, and http takes none");
        }

        var builder = WebApplication.CreateSlimBuilder();
        if (options.HttpsCertificate is { } certificate)
        {
            ServeHttps(builder, certificate);
        }

        // The bus warns of each attempt to reach a broker that is away, with its stack; the watch says it once.
        builder.Logging.AddConsoleLogs().AddFilter("MassTransit", LogLevel.Error).AddFilter("Microsoft.AspNetCore", LogLevel.Warning).AddFilter("Orleans", LogLevel.Warning).AddFilter("Polly", LogLevel.Warning).AddFilter("Microsoft.EntityFrameworkCore", LogLevel.Warning);

        // At every start: that the process does not use the collector for servers, and that a machine which has been up for
        // long was slow to check something; with every call without a key: that it had none. None of it asks for anything.
        builder.Logging.AddFilter("Orleans.Runtime.Silo", LogLevel.Error).AddFilter("Orleans.Runtime.Watchdog", LogLevel.Error).AddFilter(typeof(ApiKeyHandler).FullName, LogLevel.Warning);
        builder.WebHost.UseUrls(Listening(options.Http));
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton(options.Liveness);
        builder.Services.AddSingleton(BuildVersion.Own());
        builder.Services.AddRunStore(options.Store);
        builder.Services.AddSingleton<WorkerCommandSink>();
        builder.Services.AddSingleton<IWorkerCommandSink>(static services => services.GetRequiredService<WorkerCommandSink>());
        builder.Services.AddHostedService(static services => services.GetRequiredService<WorkerCommandSink>());
        AddDeletion(builder, options);
        builder.Services.AddDescription();
        builder.Services.AddSingleton<RunListing>();
        builder.Services.AddSingleton<RunResults>();
        builder.Services.AddPages();
        AddTelemetry(builder.Services, options);
        AddSilo(builder, options);
        AddBus(builder.Services, options.Broker);
        builder.Services.AddSingleton<BrokerClaims>();
        builder.Services.AddSingleton<BrokerWatch>();
        builder.Services.AddHostedService(static services => services.GetRequiredService<BrokerWatch>());

        // Last: it calls grains as soon as it starts.
        builder.Services.AddHostedService<RunKeeper>();
        builder.Services.AddHostedService<DeletionKeeper>();
        var app = builder.Build();
        options.Keys?.LogTo(app.Services.GetRequiredService<ILogger<ApiKeyFile>>());
        app.MapGet("/healthz", static () => Results.Text("ok")).Produces<string>(StatusCodes.Status200OK, "text/plain").WithTags("health").WithName("getHealth").WithSummary("Whether the process answers.");

        // What no endpoint has answered, an unknown path or a content type that none takes, has the form of the other errors.
        app.UseStatusCodePages(static context => BareStatus.WriteAsync(context.HttpContext));
        if (options.OrleansDashboard)
        {
            app.UseDashboardFolder();
        }

        CallLimits.UseRefusalLimit(app);
        app.UseAuthentication();
        app.UseRateLimiter();
        app.UseAuthorization();
        app.MapRuns();
        app.MapDeletion();
        app.MapDescription();
        app.MapPages();
        if (options.OrleansDashboard)
        {
            app.MapDashboard();
        }

        return app;
    }

    // [::] means every address of both families, also where the machine has one of them only. 0.0.0.0 is every one of IPv4.
    private static string Listening(Uri http) => IPAddress.TryParse(http.DnsSafeHost, out var address) && address.Equals(IPAddress.IPv6Any)
        ? string.Create(CultureInfo.InvariantCulture, $"{http.Scheme}://*:{http.Port}")
        : http.ToString();

    private static void AddTelemetry(IServiceCollection services, ClusterCoordinatorOptions options)
    {
        services.AddSingleton<IProcessHealth, CoordinatorHealth>();
        services.AddTelemetry(
            options.Telemetry,
            "coordinator",
            string.Create(CultureInfo.InvariantCulture, $"{options.Address}:{options.SiloPort}"),
            BuildVersion.Own().Text,
            [ServiceMeters.Name, RunMeters.Name, "Microsoft.Orleans", InstrumentationOptions.MeterName, "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "Microsoft.AspNetCore.RateLimiting"],
            [ServiceMeters.Name, RunMeters.Name, "Microsoft.Orleans.Application"]);
        if (options.Telemetry.IsOn)
        {
            services.AddHostedService<ServiceWatch>();
        }
    }

    private static void ServeHttps(WebApplicationBuilder builder, HttpsCertificate certificate) => builder.WebHost.ConfigureKestrel(kestrel =>
    {
        var logger = kestrel.ApplicationServices.GetRequiredService<ILogger<HttpsCertificate>>();
        kestrel.ConfigureEndpointDefaults(endpoint => endpoint.UseHttps(new TlsHandshakeCallbackOptions
        {
            OnConnection = _ => ValueTask.FromResult(new SslServerAuthenticationOptions { ServerCertificateContext = certificate.Current(logger) }),
        }));
    });

    private static void AddDeletion(WebApplicationBuilder builder, ClusterCoordinatorOptions options)
    {
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = options.MaxBodyBytes);
        var authentication = builder.Services.AddAuthentication(options.Oidc is null ? ApiKeyHandler.SchemeName : OidcTokens.SelectorName)
            .AddScheme<ApiKeyOptions, ApiKeyHandler>(ApiKeyHandler.SchemeName, key => (key.Keys, key.IsOpen) = (options.Keys, options.Keys is null && options.Oidc is null));
        if (options.Oidc is { } oidc)
        {
            authentication.AddTokens(oidc);
        }

        var authorization = builder.Services.AddAuthorizationBuilder();
        foreach (var scope in AccessScopes.All)
        {
            authorization.AddPolicy(scope, policy => policy.RequireClaim(ApiKeyHandler.ScopeClaim, scope));
        }

        CallLimits.Add(builder.Services, options.Limits);
        builder.Services.AddSingleton(new StorageRoots(options.Roots));
        builder.Services.AddSingleton<IVersionFolders, VersionFolders>();
        builder.Services.AddSingleton(options.SigningKey ?? SigningKey.CreateEphemeral());
        builder.Services.AddSingleton<ICertifier, Certifier>();
        builder.Services.AddHooks(options.Hooks, options.Intake);
        builder.Services.AddSingleton<IHeadSigner, HeadSigner>();
        builder.Services.AddSingleton(new AuditHeadOptions(options.HeadInterval));
        builder.Services.AddSingleton<ModelCatalogue>();
        builder.Services.AddSingleton<IQuarantine, QuarantineFolder>();
        builder.Services.AddSingleton<RequestWriter>();
        builder.Services.AddHostedService(static services => services.GetRequiredService<RequestWriter>());
        builder.Services.AddSingleton<DeletionIntake>();
        builder.Services.AddSingleton(new CallerDirectory(options.Keys, isOpen: options.Keys is null && options.Oidc is null));
        builder.Services.AddSingleton(new QueueDoorOptions(options.Intake));
        builder.Services.AddHostedService<QueueDoor>();
    }

    /// <summary>Starts the process: waits for the store, serves HTTP, waits for the broker.</summary>
    /// <param name="app">What <see cref="Build"/> has built.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Completes once store and broker are there, or the process is to end.</returns>
    /// <exception cref="InputException">The store's file is no database, or cannot be made; a port is taken; or the broker belongs to another store's coordinators.</exception>
    public static async Task StartAsync(WebApplication app, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(app);
        ListeningPorts.Check(app.Services.GetRequiredService<ClusterCoordinatorOptions>());
        if (app.Services.GetService<OperationsServer>() is { } operations)
        {
            await operations.ListenAsync(cancellationToken);
        }

        await WaitForStoreAsync(app.Services, cancellationToken);
        var store = await app.Services.GetRequiredService<StoreProbe>().SummaryAsync(cancellationToken);
        Tell(app.Services.GetRequiredService<ILogger<ClusterCoordinatorOptions>>(), store);
        var claims = app.Services.GetRequiredService<BrokerClaims>();
        await claims.BeginAsync(store.Installation, cancellationToken);
        try
        {
            await app.StartAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (claims.Refusal is not null)
        {
            throw claims.Refusal;
        }

        var ending = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = app.Lifetime.ApplicationStopping.Register(ending.SetResult);
        await Task.WhenAny(app.Services.GetRequiredService<BrokerWatch>().Connected, ending.Task).WaitAsync(cancellationToken);
    }

    /// <summary>Waits until the process has been asked to end, and has ended.</summary>
    /// <param name="app">What <see cref="StartAsync"/> has started.</param>
    /// <param name="cancellationToken">Asks it to end.</param>
    /// <returns>Completes once everything is stopped.</returns>
    /// <exception cref="InputException">It has ended by itself: the broker belongs to another store's coordinators.</exception>
    public static async Task WaitForEndAsync(WebApplication app, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(app);
        await app.WaitForShutdownAsync(cancellationToken);
        if (app.Services.GetRequiredService<BrokerClaims>().Refusal is { } refusal)
        {
            throw refusal;
        }
    }

    private static void Tell(ILogger logger, StoreSummary store)
    {
        if (store.IsNew)
        {
            LogNew(logger, store.Name, store.Installation);
        }
        else if (store is { Models: 0, Runs: 0 })
        {
            LogEmpty(logger, store.Name, store.Installation);
        }
        else
        {
            LogStore(logger, store.Name, store.Models, store.Runs, store.Installation);
        }
    }

    private static async Task WaitForStoreAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        var probe = services.GetRequiredService<StoreProbe>();
        using var timer = new PeriodicTimer(StoreRetryInterval, services.GetRequiredService<TimeProvider>());
        string? told = null;
        while (await probe.ReasonAsync(cancellationToken) is { } reason)
        {
            if (reason != told)
            {
                told = reason;
                LogNoStore(services.GetRequiredService<ILogger<ClusterCoordinatorOptions>>(), reason, StoreRetryInterval.TotalSeconds);
            }

            await timer.WaitForNextTickAsync(cancellationToken);
        }
    }

    [LoggerMessage(LogLevel.Warning, "store {Store} is new: it was created and holds nothing (installation {Installation}); if one with models was meant, SCISSORHANDS_STORE is wrong")]
    private static partial void LogNew(ILogger logger, string store, string installation);

    [LoggerMessage(LogLevel.Warning, "store {Store} is empty: no models and no runs (installation {Installation}); if one with models was meant, SCISSORHANDS_STORE is wrong")]
    private static partial void LogEmpty(ILogger logger, string store, string installation);

    [LoggerMessage(LogLevel.Information, "store {Store} has {Models} models and {Runs} runs (installation {Installation})")]
    private static partial void LogStore(ILogger logger, string store, int models, int runs, string installation);

    [LoggerMessage(LogLevel.Warning, "waiting for the store at {Reason}; retrying every {Seconds} s")]
    private static partial void LogNoStore(ILogger logger, string reason, double seconds);

    private static void AddSilo(WebApplicationBuilder builder, ClusterCoordinatorOptions options) => builder.Host.UseOrleans(silo =>
    {
        if (options.Telemetry.SendsOtlp)
        {
            silo.AddActivityPropagation();
        }

        if (options.Redis is { } redis)
        {
            silo.UseRedisClustering(clustering =>
            {
                clustering.ConfigurationOptions = ConfigurationOptions.Parse(redis);
                clustering.ConfigurationOptions.AbortOnConnectFail = false;
                if (options.RedisAuthorities is { } authorities)
                {
                    clustering.ConfigurationOptions.TrustIssuer(authorities);
                }
            });
            silo.Configure<ClusterOptions>(cluster => (cluster.ClusterId, cluster.ServiceId) = (options.ClusterId, ServiceId));
            silo.ConfigureEndpoints(options.Address, options.SiloPort, options.GatewayPort, listenOnAnyHostAddress: !IPAddress.IsLoopback(options.Address));
            if (options.Address.AddressFamily == AddressFamily.InterNetworkV6 && !IPAddress.IsLoopback(options.Address))
            {
                // What was configured above listens on every address of the other family.
                silo.Configure<EndpointOptions>(endpoints =>
                {
                    endpoints.SiloListeningEndpoint = new IPEndPoint(IPAddress.IPv6Any, options.SiloPort);
                    endpoints.GatewayListeningEndpoint = new IPEndPoint(IPAddress.IPv6Any, options.GatewayPort);
                });
            }

            silo.Configure<ClusterMembershipOptions>(static membership =>
            {
                // A lost coordinator is noticed within about six seconds.
                membership.ProbeTimeout = TimeSpan.FromSeconds(2);
                membership.NumMissedProbesLimit = 3;
                membership.TableRefreshTimeout = TimeSpan.FromSeconds(5);

                // Where all were lost at once, those that start take the entries of the dead for alive until they are this
                // old: by default a minute and a half, in which no coordinator would answer.
                membership.IAmAliveTablePublishTimeout = TimeSpan.FromSeconds(3);
                membership.NumMissedTableIAmAliveLimit = 3;
            });
        }
        else
        {
            silo.UseLocalhostClustering(options.SiloPort, options.GatewayPort, null, ServiceId, options.ClusterId);
        }

        options.SiloCertificate?.ApplyTo(silo);
        if (options.OrleansDashboard)
        {
            silo.AddOwnDashboard();
        }
    });

    private static void AddBus(IServiceCollection services, Uri broker)
    {
        services.AddMassTransit(bus =>
        {
            bus.DisableUsageTelemetry();
            bus.AddConsumer<WorkerReportConsumer>();
            bus.UsingRabbitMq((context, rabbit) => rabbit.UseAsCoordinator(broker, endpoint => endpoint.ConfigureConsumer<WorkerReportConsumer>(context)));
        });

        // The watch starts it, once the virtual host is this store's.
        services.RemoveMassTransitHostedService();
    }
}
