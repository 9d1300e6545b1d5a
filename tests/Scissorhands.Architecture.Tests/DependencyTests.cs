using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Scissorhands.Architecture.Tests;

public sealed class DependencyTests
{
    private const string Prefix = "Scissorhands.";
    private static readonly string[] Tensors = ["TorchSharp", "libtorch", "Torch.props"];
    private static readonly string[] Coordination = ["Microsoft.Orleans", "MassTransit", "RabbitMQ", "Microsoft.AspNetCore"];

    public static TheoryData<string> SourceProjects => [.. Repository.Projects.Values.Where(project => project.IsSource).Select(project => project.Name)];

    [Theory]
    [InlineData("Planning", "")]
    [InlineData("Data", "Planning")]
    [InlineData("Core", "Planning Data")]
    [InlineData("Reporting", "Planning")]
    [InlineData("Deletion", "Planning")]
    [InlineData("Abstractions", "Planning")]
    [InlineData("Certificates", "Planning Reporting")]
    [InlineData("Hosting", "Planning")]
    [InlineData("CommandLine", "Planning Hosting")]
    [InlineData("Coordinator.Program", "CommandLine Coordinator")]
    [InlineData("Worker.Program", "CommandLine Worker")]
    public void References_LowProject_AreTheAllowedOnes(string name, string allowed)
    {
        var project = Repository.Projects[Prefix + name];
        var beyond = project.Projects.Except(allowed.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(other => Prefix + other));
        Assert.Empty(beyond);
    }

    [Theory]
    [InlineData("Planning", "")]
    [InlineData("Core", "TorchSharp System.Numerics.Tensors")]
    [InlineData("Certificates", "")]
    public void Packages_LowProject_AreTheAllowedOnes(string name, string allowed) =>
        Assert.Empty(Repository.Projects[Prefix + name].Packages.Except(allowed.Split(' ', StringSplitOptions.RemoveEmptyEntries)));

    [Theory]
    [InlineData("Planning")]
    [InlineData("Data")]
    [InlineData("Abstractions")]
    [InlineData("Messaging")]
    [InlineData("Grains")]
    [InlineData("Coordinator")]
    [InlineData("Reporting")]
    [InlineData("Deletion")]
    [InlineData("Certificates")]
    [InlineData("CommandLine")]
    [InlineData("Coordinator.Program")]
    public void Closure_ProjectWithoutTensors_HoldsNoTorchSharp(string name) => AssertNoneOf(name, Tensors);

    [Theory]
    [InlineData("Core")]
    [InlineData("Certificates")]
    public void Closure_ProjectWithoutNetwork_HoldsNoCoordination(string name) => AssertNoneOf(name, Coordination);

    [Theory]
    [MemberData(nameof(SourceProjects))]
    public void Closure_References_HoldNoCircle(string name) =>
        Assert.DoesNotContain(Repository.Projects[name].Projects.SelectMany(Repository.Closure), reached => reached.Name == name);

    [Theory]
    [MemberData(nameof(SourceProjects))]
    public void References_SourceProject_HoldNoHostAndNoTests(string name) =>
        Assert.DoesNotContain(Repository.Projects[name].Projects, reference => Repository.Projects[reference].IsProgram || !Repository.Projects[reference].IsSource);

    [Fact]
    public void Packages_MassTransit_EndBeforeNine()
    {
        var versions = XDocument.Load(Path.Combine(Repository.Root, "Directory.Packages.props")).Descendants("PackageVersion")
            .Where(package => ((string?)package.Attribute("Include"))!.StartsWith("MassTransit", StringComparison.Ordinal))
            .Select(package => (string?)package.Attribute("Version") ?? "")
            .ToList();
        Assert.NotEmpty(versions);
        Assert.All(versions, version => Assert.Matches(new Regex(@"^\[8\.[0-9.]+,\s*9(\.0)*\)$"), version));
    }

    private static void AssertNoneOf(string name, IReadOnlyList<string> forbidden)
    {
        var found = Repository.Closure(Prefix + name)
            .SelectMany(project => project.Packages.Select(package => (project.Name, Package: package)))
            .Where(pair => forbidden.Any(prefix => pair.Package.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)))
            .Select(pair => $"{pair.Name} -> {pair.Package}");
        Assert.Empty(found);
    }
}
