using System.Security.Cryptography.X509Certificates;
using Scissorhands.Cli.Tests.Runs;
using Scissorhands.Testing;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>A coordinator that serves HTTPS, and the commands that call it.</summary>
public sealed class EncryptedHttpTests : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);
    private readonly TestCertificates _certificates = new();
    private readonly TestCertificates _strangers = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Https_rightAuthority_isAnsweredAnotherIsRefusedAndAChangedCertificateIsTaken()
    {
        var (certificate, key) = _certificates.Issue("localhost");
        var ports = Ports.Free(4);
        var address = $"https://localhost:{ports[0]}";
        await using var coordinator = new ChildProcess(
            Drill.Cluster.Executable.Path,
            ["coordinator", "--http", address, "--http-cert", certificate, "--http-key", key, "--silo-port", $"{ports[1]}", "--gateway-port", $"{ports[2]}"],
            new Dictionary<string, string>
            {
                // HTTP is served before the broker is there.
                ["SCISSORHANDS_RABBITMQ"] = $"amqp://guest:guest@127.0.0.1:{ports[3]}/",
                ["SCISSORHANDS_STORE"] = "sqlite:" + Path.Combine(_certificates.Folder, "store.db"),
                ["SCISSORHANDS_INTAKE"] = "",
            });
        await coordinator.SaysAsync("waiting for the broker", anywhere: true).WaitAsync(Deadline, Ct);

        var trusted = await CommandAsync(address, _certificates.Authority);
        Assert.True(trusted.ExitCode == 0, trusted.Describe() + coordinator.Output);
        foreach (var authority in (string[])[_strangers.Authority, ""])
        {
            var refused = await CommandAsync(address, authority);
            Assert.Equal(1, refused.ExitCode);
            Assert.Contains("SCISSORHANDS_COORDINATOR_CA names", Assert.Single(refused.Errors), StringComparison.Ordinal);
        }

        var plain = await CommandAsync(address.Replace("https", "http", StringComparison.Ordinal), _certificates.Authority);
        Assert.Equal(2, plain.ExitCode);
        Assert.Contains($"speaks https, not http; name it as {address}/", Assert.Single(plain.Errors), StringComparison.Ordinal);

        using var before = X509Certificate2.CreateFromPem(await File.ReadAllTextAsync(certificate, Ct));
        _certificates.Issue("localhost");
        File.SetLastWriteTimeUtc(certificate, DateTime.UtcNow.AddSeconds(5));
        using var after = X509Certificate2.CreateFromPem(await File.ReadAllTextAsync(certificate, Ct));
        Assert.NotEqual(before.SerialNumber, after.SerialNumber);
        Assert.Equal(after.SerialNumber, await ServedAsync(address));

        await File.WriteAllTextAsync(certificate, "", Ct);
        Assert.Equal(after.SerialNumber, await ServedAsync(address));
        Assert.Contains("the certificate from before", coordinator.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https needs --http-cert", "--http", "https://localhost:1")]
    [InlineData("http takes none", "--http", "http://localhost:1", "--http-cert", "GOOD")]
    [InlineData("--http-cert nowhere.pem: no certificate", "--http", "https://localhost:1", "--http-cert", "nowhere.pem")]
    [InlineData("--http-cert GOOD: no certificate with its key in OTHER", "--http", "https://localhost:1", "--http-cert", "GOOD", "--http-key", "OTHER")]
    public async Task Coordinator_certificateThatIsNotInOrder_endsItWithOneLine(string expected, params string[] arguments)
    {
        var (good, key) = _certificates.Issue("localhost");
        var other = _strangers.Issue("localhost").Key;
        await File.AppendAllTextAsync(good, arguments.Contains("--http-key") ? "" : "\n" + await File.ReadAllTextAsync(key, Ct), Ct);
        string Named(string text) => text.Replace("GOOD", good, StringComparison.Ordinal).Replace("OTHER", other, StringComparison.Ordinal);
        await using var process = CliProcess.Start(["coordinator", .. arguments.Select(Named)], environment: [("SCISSORHANDS_RABBITMQ", "amqp://localhost"), ("SCISSORHANDS_INTAKE", "")]);
        var result = await process.FinishAsync();

        Assert.Equal(2, result.ExitCode);
        Assert.Contains(Named(expected), Assert.Single(result.Errors), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("amqp://localhost?cacertfile=/x", "cacertfile: is for amqps:// alone")]
    [InlineData("amqps://localhost?verify=hush7", "a setting after '?' is none of")]
    [InlineData("amqps://localhost?cacertfile=/nowhere.pem", "cacertfile /nowhere.pem: cannot be read")]
    [InlineData("amqps://localhost?keyfile=/nowhere.pem", "keyfile: its certificate is missing")]
    public async Task Worker_brokerAddressThatIsNotInOrder_endsItWithOneLine(string address, string expected)
    {
        await using var process = CliProcess.Start(["worker"], environment: [("SCISSORHANDS_RABBITMQ", address)]);
        var result = await process.FinishAsync();

        Assert.Equal(2, result.ExitCode);
        Assert.StartsWith("SCISSORHANDS_RABBITMQ, " + expected, Assert.Single(result.Errors), StringComparison.Ordinal);
        Assert.DoesNotContain("hush7", result.Errors[0], StringComparison.Ordinal);
    }

    public void Dispose()
    {
        _certificates.Dispose();
        _strangers.Dispose();
    }

    private static async Task<CliResult> CommandAsync(string address, string authority)
    {
        await using var process = CliProcess.Start(["status", "--coordinator", address], environment: [("SCISSORHANDS_COORDINATOR_CA", authority)]);
        return await process.FinishAsync();
    }

    private static async Task<string?> ServedAsync(string address)
    {
        string? serial = null;
        using var handler = new SocketsHttpHandler();
        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, _) =>
        {
            serial = (certificate as X509Certificate2)?.SerialNumber;
            return serial is not null;
        };
        using var http = new HttpClient(handler);
        Assert.Equal("ok", await http.GetStringAsync($"{address}/healthz", Ct));
        return serial;
    }
}
