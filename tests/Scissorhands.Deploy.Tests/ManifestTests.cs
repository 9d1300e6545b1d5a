using System.Text;
using System.Text.RegularExpressions;
using Scissorhands.Testing;

namespace Scissorhands.Deploy.Tests;

/// <summary>Every object is what Kubernetes and the operators take, and what was looked over.</summary>
public sealed partial class ManifestTests
{
    private const string Python = "/usr/bin/python3";

    public static TheoryData<string> Names => ValueSets.Names;

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Manifests_Any_AreWhatTheApisDescribe(string set)
    {
        var release = await Release.RenderAsync(set);
        var tool = RepositoryFiles.FindShared("tools", "k8svalidate.py");
        Assert.SkipWhen(tool is null, "the descriptions of Kubernetes' objects are not beside the repository");
        var (imports, _, _) = await Command.RunAsync(Python, ["-c", "import jsonschema, yaml"]);
        Assert.SkipUnless(imports == 0, "python3-jsonschema and python3-yaml are not installed");

        using var file = new TemporaryFile(release.Text);
        var (code, output, errors) = await Command.RunAsync(Python, [tool, RepositoryFiles.FindShared("schemas", "kubernetes-1.27-openapi.json")!, "--crds", RepositoryFiles.FindSharedFolder("schemas", "crds")!, file.Path]);
        Assert.True(code == 0, output + errors);
        Assert.Contains($"valid {release.Manifests.Count}, invalid 0, no schema for none", output, StringComparison.Ordinal);
    }

    // The typed reading is strict: it is done by Release, for both clusters.
    [Theory]
    [MemberData(nameof(Names))]
    public async Task Manifests_OfKubernetes_AreReadByItsClient(string set)
    {
        var operators = new[] { "monitoring.coreos.com", "keda.sh", "rabbitmq.com" };
        foreach (var kubernetes in (string[])[Release.Oldest, Release.Newer])
        {
            var release = await Release.RenderAsync(set, kubernetes);
            Assert.NotEmpty(release.Manifests);
            Assert.All(release.Manifests, m => Assert.True(m.Typed is not null || operators.Contains(m.Api.Split('/')[0]), $"{m} of {m.Api}"));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Manifests_Any_AreNamedAndLabelled(string set)
    {
        var release = await Release.RenderAsync(set);
        Assert.Equal(release.Manifests.Count, release.Manifests.Select(static m => (m.Kind, m.Name)).Distinct().Count());
        foreach (var manifest in release.Manifests.Where(static m => !m.Name.EndsWith("-first", StringComparison.Ordinal) && !m.Name.EndsWith("-second", StringComparison.Ordinal)))
        {
            Assert.Matches(Label(), manifest.Name);
            Assert.Equal(manifest.Name.Contains("-dashboard-", StringComparison.Ordinal) && set == "watched" ? "monitoring" : ValueSet.Namespace, manifest.Namespace);
            Assert.Equal("scissorhands-0.1.0", manifest.Of("metadata", "labels", "helm.sh/chart"));
            Assert.Equal(release.Set.Release, manifest.Of("metadata", "labels", "app.kubernetes.io/instance"));
            Assert.NotNull(manifest.Of("metadata", "labels", "app.kubernetes.io/component"));
        }
    }

    // Of the defaults and the chart's own files everything, of the others what differs from the defaults. Dashboards and alerts
    // are files of their own, and are compared with those.
    [Theory]
    [MemberData(nameof(Names))]
    public async Task Manifests_Any_AreAsTheyWereLookedOver(string set)
    {
        var release = await Release.RenderAsync(set, Release.Newer);
        var defaults = await Release.RenderAsync("defaults", Release.Newer);
        var isWhole = release.Set.Yaml.Length == 0;
        var text = new StringBuilder();
        foreach (var manifest in Shown(release).Where(m => isWhole || !Shown(defaults).Any(d => d.Text == m.Text)))
        {
            text.Append("---\n").Append(Comments().Replace(manifest.Text, ""));
        }

        if (!isWhole)
        {
            foreach (var gone in Shown(defaults).Where(d => !Shown(release).Any(m => m.Kind == d.Kind && m.Name == d.Name)))
            {
                text.Append("--- # not there: ").Append(gone).Append('\n');
            }
        }

        var path = Path.Combine(ChartFiles.Golden, set + ".yaml");
        if (ChartFiles.IsUpdate)
        {
            Directory.CreateDirectory(ChartFiles.Golden);
            await File.WriteAllTextAsync(path, text.ToString(), TestContext.Current.CancellationToken);
        }

        Assert.True(File.Exists(path), $"there is no {path}; SCISSORHANDS_UPDATE_CHART=1 writes it");
        Assert.Equal(await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken), text.ToString());
    }

    [Fact]
    public void Golden_Files_AreOfASetEach() => Assert.Equal(ValueSets.All.Select(static set => set.Name).Order(StringComparer.Ordinal), Directory.GetFiles(ChartFiles.Golden).Select(static path => Path.GetFileNameWithoutExtension(path)).Order(StringComparer.Ordinal));

    [Theory]
    [InlineData("values.yaml")]
    [InlineData("values-laptop.yaml")]
    public async Task Chart_Linted_HasNoFault(string file)
    {
        var (code, output) = await (await HelmRenderer.GetAsync()).LintAsync(file);
        Assert.True(code == 0, output);
    }

    private static IEnumerable<Manifest> Shown(Release release) => release.Manifests
        .Where(static m => m.Kind != "PrometheusRule" && !m.Name.Contains("-dashboard-", StringComparison.Ordinal))
        .OrderBy(static m => m.Kind, StringComparer.Ordinal).ThenBy(static m => m.Name, StringComparer.Ordinal);

    [GeneratedRegex("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
    private static partial Regex Label();

    [GeneratedRegex("^ *#.*\n", RegexOptions.Multiline)]
    private static partial Regex Comments();
}
