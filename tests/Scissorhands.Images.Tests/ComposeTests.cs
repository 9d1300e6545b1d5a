using System.Runtime.Versioning;
using Scissorhands.Certificates.Signing;
using Scissorhands.Coordinator.Access;
using Scissorhands.Grains.Store;
using Scissorhands.Testing;
using YamlDotNet.RepresentationModel;

namespace Scissorhands.Images.Tests;

/// <summary>The compose file, without running it: what it names is there and fits together.</summary>
[SupportedOSPlatform("linux")]
public sealed class ComposeTests
{
    private static readonly string[] Own = ["coordinator", "worker"];
    private readonly YamlMappingNode _compose = Read();

    private IEnumerable<(string Name, YamlMappingNode Service)> Services => Map(_compose["services"]).Select(static s => (s.Key, Merged((YamlMappingNode)s.Value)));

    [Fact]
    public async Task Secrets_areMadeByTheScriptOnceAndAreWhatTheServicesRead()
    {
        var folder = Directory.CreateTempSubdirectory("scissorhands-compose-").FullName;
        try
        {
            var script = Path.Combine(folder, "secrets.sh");
            File.Copy(Path.Combine(ImageFiles.Docker, "secrets.sh"), script);
            var (code, output) = await ChildProcess.RunAsync("bash", [script]);
            Assert.True(code == 0, output);
            var made = Directory.GetFiles(Path.Combine(folder, "secrets")).ToDictionary(static f => f, File.ReadAllText);
            foreach (var (name, secret) in Map(_compose["secrets"]))
            {
                Assert.True(File.Exists(Path.Combine(folder, Text(secret["file"]))), $"secret {name} is not made");
            }

            Assert.NotNull(ApiKeys.Read(Path.Combine(folder, "secrets", "keys")).Find(File.ReadAllText(Path.Combine(folder, "secrets", "operator-key")).Trim()));
            Assert.NotNull(SigningKey.Find(Path.Combine(folder, "secrets", "signing.pem")));
            StoreOptions.Parse(File.ReadAllText(Path.Combine(folder, "secrets", "store-address")).Trim());
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(Path.Combine(folder, "secrets")));

            // Again: the stores know the passwords that they were made with.
            (code, output) = await ChildProcess.RunAsync("bash", [script]);
            Assert.True(code == 0, output);
            Assert.All(made, static m => Assert.Equal(m.Value, File.ReadAllText(m.Key)));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Services_takeSecretsFromFilesThatAreNamed()
    {
        var defined = Map(_compose["secrets"]).Select(static s => s.Key).ToHashSet(StringComparer.Ordinal);
        foreach (var (name, service) in Services)
        {
            var given = service.Children.TryGetValue("secrets", out var secrets) ? ((YamlSequenceNode)secrets).Select(static s => s is YamlMappingNode m ? Text(m["source"]) : Text(s)).ToArray() : [];
            Assert.All(given, secret => Assert.Contains(secret, defined));
            foreach (var path in service.AllNodes.OfType<YamlScalarNode>().SelectMany(static s => (s.Value ?? "").Split('=', ' ')).Where(static v => v.StartsWith("/run/secrets/", StringComparison.Ordinal)))
            {
                Assert.True(given.Contains(Path.GetFileName(path)), $"{name} reads {path} and is not given it");
            }
        }
    }

    [Fact]
    public void Services_mountWhatIsThereAndListenToThisMachineAlone()
    {
        foreach (var (name, service) in Services)
        {
            foreach (var volume in Sequence(service, "volumes").Where(static v => v.StartsWith('.')).Select(static v => v.Split(':')[0]))
            {
                // What users bring is made by the script.
                Assert.True(volume == "./data" || Path.Exists(Path.Combine(ImageFiles.Docker, volume)), $"{name}: {volume} is not there");
            }

            Assert.All(Sequence(service, "ports"), static port => Assert.StartsWith("127.0.0.1:", port, StringComparison.Ordinal));
            Assert.True(Own.Contains(name) || (Text(service["image"]).Contains(':', StringComparison.Ordinal) && !Text(service["image"]).EndsWith(":latest", StringComparison.Ordinal)), $"{name}: its image is not pinned");
        }
    }

    [Fact]
    public void Dependencies_haveHealthChecks()
    {
        var services = Services.ToDictionary(static s => s.Name, static s => s.Service, StringComparer.Ordinal);
        foreach (var (name, service) in services.Where(static s => s.Value.Children.ContainsKey("depends_on") && s.Value["depends_on"] is YamlMappingNode))
        {
            Assert.All(Map(service["depends_on"]), needed =>
            {
                Assert.Equal("service_healthy", Text(needed.Value["condition"]));
                Assert.True(services[needed.Key].Children.ContainsKey("healthcheck"), $"{name} waits for {needed.Key}, which has no health check");
            });
        }
    }

    [Fact]
    public async Task OwnServices_areLockedDownAndGivenOptionsThatTheirProgramsTake()
    {
        foreach (var (name, service) in Services.Where(static s => Own.Contains(s.Name)))
        {
            Assert.Equal("true", Text(service["read_only"]));
            Assert.Contains("ALL", Sequence(service, "cap_drop"));
            Assert.Contains("no-new-privileges:true", Sequence(service, "security_opt"));
            Assert.True(File.Exists(Path.Combine(RepositoryFiles.Root, Text(service["build"]["dockerfile"]))));

            var role = name == "coordinator" ? "Coordinator" : "Worker";
            var (_, help) = await ChildProcess.RunAsync(ImageFiles.Program($"Scissorhands.{role}.Program", $"scissorhands-{name}"), ["--help"]);
            Assert.All(Sequence(service, "command"), argument => Assert.Contains($"  {argument.Split('=')[0]} <", help, StringComparison.Ordinal));
        }
    }

    private static YamlMappingNode Read()
    {
        using var reader = new StreamReader(Path.Combine(ImageFiles.Docker, "compose.yaml"));
        var stream = new YamlStream();
        stream.Load(reader);
        return (YamlMappingNode)stream.Documents.Single().RootNode;
    }

    // What "<<" takes over from an anchor.
    private static YamlMappingNode Merged(YamlMappingNode service)
    {
        var merged = new YamlMappingNode();
        foreach (var (key, value) in (service.Children.TryGetValue("<<", out var over) ? Map(over) : []).Concat(Map(service).Where(static s => s.Key != "<<")))
        {
            merged.Children[key] = value;
        }

        return merged;
    }

    private static IEnumerable<KeyValuePair<string, YamlNode>> Map(YamlNode node) => ((YamlMappingNode)node).Select(static p => KeyValuePair.Create(Text(p.Key), p.Value));

    private static string[] Sequence(YamlMappingNode node, string key) => node.Children.TryGetValue(key, out var value) && value is YamlSequenceNode sequence ? [.. sequence.Select(Text)] : [];

    private static string Text(YamlNode node) => ((YamlScalarNode)node).Value!;
}
