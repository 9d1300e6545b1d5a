using System.CommandLine;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Hosting;
using Scissorhands.Certificates.Signing;
using Scissorhands.CommandLine;
using Scissorhands.CommandLine.Configuration;
using Scissorhands.Coordinator.Access;
using Scissorhands.Coordinator.Hooks;
using Scissorhands.Coordinator.Hosting;
using Scissorhands.Grains.Cluster;
using Scissorhands.Grains.Store;
using Scissorhands.Hosting.Telemetry;
using Scissorhands.Messaging.Control;
using Scissorhands.Planning;

namespace Scissorhands.Coordinator.Commands;

/// <summary><c>scissorhands coordinator</c>: decides what the workers of a cluster do.</summary>
public static class CoordinatorVerb
{
    private const string OwnHost = "host";
    private const string StoreVariable = "SCISSORHANDS_STORE";
    private const string RedisVariable = "SCISSORHANDS_REDIS";
    private const string RedisAuthoritiesVariable = "SCISSORHANDS_REDIS_CA";

    /// <summary>Makes the command.</summary>
    /// <param name="name">What it is called: a verb of the program of all verbs, or a program of its own.</param>
    /// <returns>The command.</returns>
    public static Command Create(string name = "coordinator")
    {
        var http = new Option<string>("--http") { Description = "Where HTTP is served", HelpName = "URL", DefaultValueFactory = static _ => "http://localhost:8080" };
        var certificate = new Option<string?>("--http-cert") { Description = "Certificate (PEM) that https is served with, with those between it and its authority; read anew when it changes", HelpName = "FILE" };
        var key = new Option<string?>("--http-key") { Description = "Its private key (PEM); default: in the same file", HelpName = "FILE" };
        var address = new Option<string>("--address") { Description = $"Address that other coordinators reach this one at; {OwnHost}: the one that this machine's name stands for, as in a container", HelpName = "IP", DefaultValueFactory = static _ => "127.0.0.1" };
        var silo = new Option<int>("--silo-port") { Description = "Port of traffic between coordinators", HelpName = "PORT", DefaultValueFactory = static _ => 11111 };
        var gateway = new Option<int>("--gateway-port") { Description = "Port of clients of the cluster", HelpName = "PORT", DefaultValueFactory = static _ => 30000 };
        var siloAuthority = new Option<string?>(SiloCertificate.AuthoritySetting) { Description = "Authority (PEM) of the coordinators' certificates, which must give none to others: with it their traffic is encrypted, and each must show a certificate", HelpName = "FILE" };
        var siloCertificate = new Option<string?>(SiloCertificate.CertificateSetting) { Description = "Certificate (PEM) that this coordinator shows the others", HelpName = "FILE" };
        var siloKey = new Option<string?>(SiloCertificate.KeySetting) { Description = "Its private key (PEM); default: in the same file", HelpName = "FILE" };
        var cluster = new Option<string>("--cluster") { Description = "Name of the cluster", HelpName = "NAME", DefaultValueFactory = static _ => "scissorhands" };
        var roots = new Option<string[]>("--root") { Description = "Folder on shared storage that models and deletion requests may name paths in; may be given more than once. None: no deletion requests are served", HelpName = "DIR" };
        var keys = new Option<string?>("--keys") { Description = "File of the callers' keys, as `scissorhands key` makes them, read anew when it changes; these or --oidc-authority are needed where other machines can reach --http", HelpName = "FILE" };
        var authority = new Option<string?>("--oidc-authority") { Description = "Issuer (OpenID Connect) whose tokens are taken beside keys, with their scopes submit, operate and audit; https, or http on this machine", HelpName = "URL" };
        var audience = new Option<string?>("--oidc-audience") { Description = "What tokens for this service name as their audience", HelpName = "NAME" };
        var tenantClaim = new Option<string?>("--oidc-tenant-claim") { Description = "Claim of a token that names the caller's tenant; without this option all are of the tenant \"default\"", HelpName = "CLAIM" };
        var sign = new Option<string?>("--sign-key") { Description = $"Private key that signs certificates and heads of the audit (PEM, ECDSA on P-256); default: the file named in {SigningKey.FileVariable}, or a key made for this process, which its certificates say, and no signed heads", HelpName = "FILE" };
        var head = new Option<double>("--head-interval") { Description = "Minutes after which a row of the audit is under a signed head at the latest; one is signed at the end of each deletion batch, too", HelpName = "MINUTES", DefaultValueFactory = static _ => 60 };
        var hooks = new Option<string?>("--hooks") { Description = "File (YAML or JSON) of those who are told of published versions: webhooks, the broker, MLflow registries", HelpName = "FILE" };
        var defaults = new CallLimitOptions();
        var submissions = new Option<int>("--limit-submissions") { Description = "Submissions over HTTP that a caller may send a second; 0: no limit", HelpName = "N", DefaultValueFactory = _ => defaults.SubmissionsPerSecond };
        var limitNames = new Option<int>("--limit-names") { Description = "Names in these that a caller may send a second; 0: no limit", HelpName = "N", DefaultValueFactory = _ => defaults.NamesPerSecond };
        var refusals = new Option<int>("--limit-refusals") { Description = "Wrong keys and tokens a minute after which an address has to wait; 0: no limit", HelpName = "N", DefaultValueFactory = _ => defaults.RefusalsPerMinute };
        var takeOver = new Option<string?>("--take-over-broker") { Description = $"Take the virtual hosts in {ControlBus.BrokerVariable} and {ControlBus.IntakeVariable} from this installation, which the refusal names, for a store that is lost for good; stop its coordinators first. What waits there comes to this store. Needed once, at one start; where the virtual hosts are not that installation's it does nothing", HelpName = "INSTALLATION" };
        var dashboard = new Option<bool>("--orleans-dashboard") { Description = "Serve Orleans' own dashboard at /orleans, to callers with the scope operate: a browser asks for a password, which is the key. It shows the whole cluster and counts each call of a grain while it is looked at. The same for all coordinators of a cluster" };
        var beat = ClusterOptions.Beat();
        var metrics = ClusterOptions.MetricsPort();
        var command = new Command(
            name,
            $"Decide what the workers of a cluster do. Broker, store and Redis are named in {ControlBus.BrokerVariable}, {StoreVariable} (sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE; default sqlite:scissorhands.db) and {RedisVariable} (only where several coordinators share the load); {ControlBus.IntakeVariable} names the virtual host that deletion requests arrive in over the broker (none by default). Each of them may be in a file that VARIABLE_FILE names")
        {
            http, certificate, key, address, silo, gateway, siloAuthority, siloCertificate, siloKey, cluster, roots, keys, authority, audience, tenantClaim, sign, head, hooks, submissions, limitNames, refusals, takeOver, dashboard, beat, metrics,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            if (!Uri.TryCreate(parsed.GetRequiredValue(http), UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
            {
                throw new InputException($"--http {parsed.GetValue(http)}: must be an address such as http://localhost:8080");
            }

            var ip = AddressOf(parsed.GetRequiredValue(address));
            if (parsed.GetValue(head) is not (>= 0.01 and <= 10_080 and var minutes))
            {
                throw new InputException($"--head-interval {parsed.GetValue(head)}: must be between 0.01 and 10080");
            }

            var interval = ClusterOptions.Interval(parsed.GetValue(beat));
            var app = ClusterCoordinator.Build(new ClusterCoordinatorOptions
            {
                Http = url,
                HttpsCertificate = parsed.GetValue(certificate) is { } pem ? new HttpsCertificate(pem, parsed.GetValue(key)) : null,
                Address = ip,
                SiloCertificate = SiloCertificate.Read(parsed.GetValue(siloAuthority), parsed.GetValue(siloCertificate), parsed.GetValue(siloKey)),
                SiloPort = parsed.GetValue(silo),
                GatewayPort = parsed.GetValue(gateway),
                ClusterId = parsed.GetRequiredValue(cluster),
                Broker = ControlBus.BrokerFromEnvironment(),
                TakesOverBrokerFrom = InstallationOf(takeOver.Name, parsed.GetValue(takeOver)),
                Store = StoreOptions.Parse(EnvironmentSetting.Read(StoreVariable) ?? "sqlite:scissorhands.db", StoreVariable),
                Redis = EnvironmentSetting.Read(RedisVariable),
                RedisAuthorities = RedisAuthorities(),
                Roots = parsed.GetValue(roots) ?? [],
                Intake = ControlBus.IntakeFromEnvironment(),
                Hooks = parsed.GetValue(hooks) is { } hookFile ? ReadHooks(hookFile) : [],
                Keys = parsed.GetValue(keys) is { } file ? new ApiKeyFile(file) : null,
                Oidc = OidcOptions.Parse(parsed.GetValue(authority), parsed.GetValue(audience), parsed.GetValue(tenantClaim)),
                SigningKey = SigningKey.Find(parsed.GetValue(sign)),
                HeadInterval = TimeSpan.FromMinutes(minutes),
                Telemetry = new TelemetryOptions { MetricsPort = parsed.GetValue(metrics) },
                OrleansDashboard = parsed.GetValue(dashboard),
                Limits = new CallLimitOptions { SubmissionsPerSecond = parsed.GetValue(submissions), NamesPerSecond = parsed.GetValue(limitNames), RefusalsPerMinute = parsed.GetValue(refusals) },
                Liveness = new LivenessOptions { BeatInterval = interval, LostAfter = interval * 3, SettleTime = interval * 1.5, WakeInterval = interval * 1.5 },
            });
            await using (app)
            {
                await ClusterCoordinator.StartAsync(app, cancellationToken);
                if (!app.Lifetime.ApplicationStopping.IsCancellationRequested)
                {
                    Console.WriteLine($"coordinator ready at {url}");
                }

                await ClusterCoordinator.WaitForEndAsync(app, cancellationToken);
            }

            return ExitCodes.Done;
        });
        return command;
    }

    private static string? InstallationOf(string option, string? given) =>
        given is null || (given.Length is >= BrokerClaim.NameLength and <= 32 && given.All(char.IsAsciiHexDigitLower))
            ? given
            : throw new InputException($"{option} {given}: must be the installation that the refusal names, {BrokerClaim.NameLength} digits or the letters a to f");

    private static IPAddress AddressOf(string text)
    {
        if (text != OwnHost)
        {
            return IPAddress.TryParse(text, out var given) ? given : throw new InputException($"--address {text}: must be an IP address, or {OwnHost}");
        }

        var name = Dns.GetHostName();
        try
        {
            var reachable = Dns.GetHostAddresses(name).Where(static a => !IPAddress.IsLoopback(a) && !a.IsIPv6LinkLocal).ToArray();
            return reachable.FirstOrDefault(static a => a.AddressFamily == AddressFamily.InterNetwork) ?? reachable.FirstOrDefault()
                ?? throw new InputException($"--address {OwnHost}: {name} stands for no address that others can reach; name the address");
        }
        catch (SocketException e)
        {
            throw new InputException($"--address {OwnHost}: {name} stands for no address ({e.Message}); name the address", e);
        }
    }

    private static string? RedisAuthorities()
    {
        if (Environment.GetEnvironmentVariable(RedisAuthoritiesVariable) is not { Length: > 0 } file)
        {
            return null;
        }

        PemFiles.ReadAuthorities(RedisAuthoritiesVariable, file);
        return file;
    }

    private static IReadOnlyList<HookOptions> ReadHooks(string path)
    {
        var (source, tree) = YamlLayers.ReadFile(path);
        return HookOptions.Read(tree, source);
    }
}
