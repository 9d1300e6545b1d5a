using System.Globalization;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using k8s.Models;
using Scissorhands.Testing;

namespace Scissorhands.Deploy.Tests;

/// <summary>The programs take the options, variables and files that the chart gives them.</summary>
public sealed partial class ArgumentTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    public static TheoryData<string> Names => ValueSets.Names;

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Options_Any_AreOfThePrograms(string set)
    {
        var release = await Release.RenderAsync(set);
        foreach (var container in release.Programs.Select(static p => p.Spec.Containers[0]))
        {
            var help = await HelpAsync(container.Name);
            Assert.All(container.Args.Where(static a => a.StartsWith("--", StringComparison.Ordinal)), option => Assert.Matches($@"(?m)^\s+{Regex.Escape(option)}(?![\w-])", help));
        }
    }

    /// <summary>What the chart knows of the programs' options, by which it refuses others: all of them, and none that they have not.</summary>
    [Theory]
    [InlineData("coordinator")]
    [InlineData("worker")]
    public async Task Options_ThatTheChartKnows_AreTheProgramsOwn(string program)
    {
        var checks = await File.ReadAllTextAsync(Path.Combine(ChartFiles.Chart, "templates", "_checks.tpl"), TestContext.Current.CancellationToken);
        var section = Regex.Match(checks, $@"define ""scissorhands\.options"".*?^{program}:\n((?:  --[^\n]*\n)+)", RegexOptions.Singleline | RegexOptions.Multiline).Groups[1].Value;
        var known = Regex.Matches(section, @"^  (--[\w-]+): (.*)$", RegexOptions.Multiline).ToDictionary(static m => m.Groups[1].Value, static m => m.Groups[2].Value.Trim('"'), StringComparer.Ordinal);
        var options = Regex.Match(await HelpAsync(program), @"(?ms)^Options:$(.*?)(?=^\S|\z)").Groups[1].Value;
        Assert.Equal(
            Regex.Matches(options, @"^\s+(?:-\w(?:, -\w)*, )?(?:/\w, )?(--[\w-]+)", RegexOptions.Multiline).Select(static m => m.Groups[1].Value).Where(static o => o is not ("--help" or "--version")).Order(StringComparer.Ordinal),
            known.Keys.Order(StringComparer.Ordinal));

        var values = ValuesFile.Described.Select(static v => v.Path).Concat(ValuesFile.Leaves).ToHashSet(StringComparer.Ordinal);
        Assert.All(known.Values.Where(static v => v.Length > 0 && v != "the chart"), value => Assert.True(values.Contains(value) || values.Contains("workerDefaults." + value) || values.Any(v => v.StartsWith(value + ".", StringComparison.Ordinal)), $"there is no value {value}"));

        // What is said to be set is set, by some values at least.
        var given = new HashSet<string>(StringComparer.Ordinal);
        foreach (var set in ValueSets.All)
        {
            given.UnionWith((await Release.RenderAsync(set.Name)).Programs.Select(static p => p.Spec.Containers[0]).Where(c => c.Name == program).SelectMany(static c => c.Args));
        }

        Assert.All(known.Where(static k => k.Value.Length > 0), option => Assert.Contains(option.Key, given));
    }

    [Fact]
    public async Task Limits_OfTheDefaults_AreTheProgramsOwn()
    {
        var arguments = (await Release.RenderAsync("defaults")).Coordinator.Spec.Template.Spec.Containers[0].Args;
        var help = await HelpAsync("coordinator");
        foreach (var option in (string[])["--limit-submissions", "--limit-names", "--limit-refusals", "--head-interval", "--beat", "--silo-port", "--gateway-port"])
        {
            var stated = Regex.Match(help, $@"(?ms)^\s+{option} .*?\[default: (\S+)\]").Groups[1].Value;
            Assert.Equal((option, stated), (option, Release.Option(arguments, option)));
        }
    }

    // Started as the container starts it, with files in the places of its mounts, it comes as far as asking for its store, which
    // is not there: options, variables, keys, certificates and hooks are all read before.
    [Theory]
    [InlineData("defaults")]
    [InlineData("laptop")]
    [InlineData("production")]
    [InlineData("served")]
    [InlineData("tokens")]
    [InlineData("hooked")]
    [InlineData("stored")]
    [InlineData("coordinators")]
    public async Task Coordinator_AsTheChartStartsIt_WaitsForItsStore(string set)
    {
        var release = await Release.RenderAsync(set);
        using var mounts = new Mounts(release.Coordinator.Spec.Template.Spec, release);
        await mounts.WriteKeysAsync();
        await using var process = new ChildProcess(Executable("coordinator"), OnFreePorts(mounts.Arguments), mounts.Environment);
        await process.SaysAsync("waiting for the store", anywhere: true).WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    // A container has all ports for itself; this machine may have given them to others.
    private static string[] OnFreePorts(IEnumerable<string> arguments)
    {
        string[] own = [.. arguments];
        var ports = Ports.Free(4);
        foreach (var (option, port) in ((string[])["--http", "--metrics-port", "--silo-port", "--gateway-port"]).Zip(ports))
        {
            var at = Array.IndexOf(own, option) + 1;
            Assert.True(at > 0, $"{option} is not given");
            own[at] = Regex.Replace(own[at], "[0-9]+$", port.ToString(CultureInfo.InvariantCulture));
        }

        return own;
    }

    [Theory]
    [InlineData("defaults")]
    [InlineData("queued")]
    [InlineData("stored")]
    public async Task Worker_AsTheChartStartsIt_WaitsForItsBroker(string set)
    {
        var release = await Release.RenderAsync(set);
        foreach (var (_, _, spec) in release.Programs.Where(static p => p.Spec.Containers[0].Name == "worker"))
        {
            using var mounts = new Mounts(spec, release);
            await using var process = new ChildProcess(Executable("worker"), mounts.Arguments, mounts.Environment);
            await process.SaysAsync("waiting for the broker", anywhere: true).WaitAsync(Patience, TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public async Task Worker_OfAGpu_IsRefusedForTheDeviceAndNothingElse()
    {
        var release = await Release.RenderAsync("gpu");
        var spec = release.Of<V1Deployment>().Single(static d => d.Metadata.Name.EndsWith("-whole", StringComparison.Ordinal)).Spec.Template.Spec;
        using var mounts = new Mounts(spec, release);
        await using var process = new ChildProcess(Executable("worker"), mounts.Arguments, mounts.Environment);

        // Where there is a GPU it waits for its broker.
        var said = await Task.WhenAny(process.SaysAsync("--device cuda:0: ", anywhere: true), process.SaysAsync("waiting for the broker", anywhere: true)).WaitAsync(Patience, TestContext.Current.CancellationToken);
        await said;
    }

    [Fact]
    public async Task Test_OfTheRelease_IsAQuestionThatTheProgramAsks()
    {
        var container = (await Release.RenderAsync("defaults")).Of<V1Pod>().Single().Spec.Containers.Single();
        var arguments = container.Args.Select(static a => a == "demo-scissorhands-health" ? "127.0.0.1" : a == "9464" ? "1" : a).ToArray();
        var (code, output, errors) = await Command.RunAsync(Executable("coordinator"), arguments);
        Assert.Equal((1, ""), (code, output));
        Assert.StartsWith("http://127.0.0.1:1/health/ready: ", errors, StringComparison.Ordinal);
    }

    private static string Executable(string program)
    {
        var project = $"Scissorhands.{char.ToUpperInvariant(program[0])}{program[1..]}.Program";
        var path = Path.Combine(RepositoryFiles.Root, "artifacts", "bin", project, "release", $"scissorhands-{program}");
        return File.Exists(path) ? path : throw new FileNotFoundException($"there is no {path}; build src/{project}");
    }

    private static async Task<string> HelpAsync(string program)
    {
        var (code, output, errors) = await Command.RunAsync(Executable(program), ["--help"]);
        Assert.True(code == 0, errors);
        return output;
    }

    /// <summary>What a container sees, in a folder of its own.</summary>
    private sealed partial class Mounts : IDisposable
    {
        private readonly string _folder = Directory.CreateTempSubdirectory("scissorhands-mounts-").FullName;
        private readonly V1Container _container;

        public Mounts(V1PodSpec spec, Release release)
        {
            _container = spec.Containers[0];
            foreach (var mount in _container.VolumeMounts)
            {
                Directory.CreateDirectory(Local(mount.MountPath));
            }

            foreach (var mount in _container.VolumeMounts)
            {
                var volume = spec.Volumes.Single(v => v.Name == mount.Name);
                if (volume.ConfigMap is { } map)
                {
                    foreach (var (name, text) in release.Of<V1ConfigMap>().Single(m => m.Metadata.Name == map.Name).Data)
                    {
                        File.WriteAllText(Path.Combine(Local(mount.MountPath), name), SecretFile().Replace(text, match => match.Groups[1].Value + Local(match.Groups[2].Value)));
                    }
                }

                if (mount.MountPath.StartsWith("/etc/scissorhands/tls/", StringComparison.Ordinal))
                {
                    WriteCertificate(Local(mount.MountPath));
                }
            }

            foreach (var file in release.Of<V1ConfigMap>().SelectMany(static m => m.Data.Values).SelectMany(text => SecretFile().Matches(text)).Select(match => Local(match.Groups[2].Value)).Where(file => Directory.Exists(Path.GetDirectoryName(file))))
            {
                File.WriteAllText(file, $"whsec_{Convert.ToBase64String(RandomNumberGenerator.GetBytes(32))}\n");
            }

            if (Release.Option(_container.Args, "--sign-key") is { } key)
            {
                using var own = ECDsa.Create(ECCurve.NamedCurves.nistP256);
                File.WriteAllText(Local(key), own.ExportPkcs8PrivateKeyPem());
            }
        }

        public IEnumerable<string> Arguments => _container.Args.Select(Filled);

        public Dictionary<string, string> Environment => _container.Env.ToDictionary(static e => e.Name, e => e.Value is { } value ? Filled(value) : Given(e.Name), StringComparer.Ordinal);

        public async Task WriteKeysAsync()
        {
            if (Release.Option(_container.Args, "--keys") is { } file)
            {
                var (code, _, errors) = await Command.RunAsync(Executable("coordinator"), ["key", "tester", "--scope", "submit", "--keys", Local(file)]);
                Assert.True(code == 0, errors);
            }
        }

        public void Dispose() => Directory.Delete(_folder, recursive: true);

        // What secrets and the pod would say. Nobody listens at these addresses.
        private static string Given(string variable) => variable switch
        {
            "SCISSORHANDS_RABBITMQ" or "SCISSORHANDS_INTAKE" => "amqp://user:password@127.0.0.1:1/",
            "SCISSORHANDS_STORE" => "postgres://user:password@127.0.0.1:1/store",
            "SCISSORHANDS_REDIS" => "127.0.0.1:1",
            "POD_NAME" => "demo-0",
            "POD_NAMESPACE" => "ml",
            "POD_IP" => "127.0.0.1",
            _ => throw new ArgumentOutOfRangeException(nameof(variable), variable, "the chart takes it from a place that this test does not know"),
        };

        private string Local(string path) => _folder + path;

        private string Filled(string text)
        {
            // The database file is made where there is none; one that is not to be had is waited for.
            if (text.StartsWith("sqlite:", StringComparison.Ordinal))
            {
                return Given("SCISSORHANDS_STORE");
            }

            var filled = Reference().Replace(text, static match => Given(match.Groups[1].Value));
            return filled.StartsWith('/') ? Local(filled) : filled;
        }

        private static void WriteCertificate(string folder)
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new System.Security.Cryptography.X509Certificates.CertificateRequest("CN=test", key, HashAlgorithmName.SHA256);
            using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddHours(1));
            File.WriteAllText(Path.Combine(folder, "ca.crt"), certificate.ExportCertificatePem());
            File.WriteAllText(Path.Combine(folder, "tls.crt"), certificate.ExportCertificatePem());
            File.WriteAllText(Path.Combine(folder, "tls.key"), key.ExportPkcs8PrivateKeyPem());
        }

        [GeneratedRegex(@"\$\(([A-Z_]+)\)")]
        private static partial Regex Reference();

        [GeneratedRegex("(secretFile: )(.+)")]
        private static partial Regex SecretFile();
    }
}
