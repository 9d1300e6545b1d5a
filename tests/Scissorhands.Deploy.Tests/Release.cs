using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using k8s.Models;

namespace Scissorhands.Deploy.Tests;

/// <summary>What the chart makes of a set of values.</summary>
internal sealed partial class Release
{
    /// <summary>The oldest cluster that the chart is for; there is a description of its objects to check against.</summary>
    public const string Oldest = "1.27.0";

    /// <summary>A newer one, for which the chart says a few things otherwise.</summary>
    public const string Newer = "1.33.0";

    private static readonly ConcurrentDictionary<(string Set, string Kubernetes), Lazy<Task<Release>>> Known = new();

    private Release(ValueSet set, string text)
    {
        Set = set;
        Text = text;
        Manifests = [.. Separator().Split(text).Where(static part => Object().IsMatch(part)).Select(static part => new Manifest(part.Trim('\n') + "\n"))];
    }

    public ValueSet Set { get; }

    public string Text { get; }

    public IReadOnlyList<Manifest> Manifests { get; }

    /// <summary>Pods by whatever makes them: a Deployment, a StatefulSet, or nothing for the pod of the test.</summary>
    public IEnumerable<(Manifest Owner, V1ObjectMeta Meta, V1PodSpec Spec)> Pods => Manifests.Select(static m => m.Typed switch
    {
        V1Deployment deployment => (m, deployment.Spec.Template.Metadata, deployment.Spec.Template.Spec),
        V1StatefulSet set => (m, set.Spec.Template.Metadata, set.Spec.Template.Spec),
        V1Pod pod => (m, pod.Metadata, pod.Spec),
        _ => ((Manifest, V1ObjectMeta, V1PodSpec)?)null,
    }).OfType<(Manifest, V1ObjectMeta, V1PodSpec)>();

    /// <summary>Pods of coordinators and workers.</summary>
    public IEnumerable<(Manifest Owner, V1ObjectMeta Meta, V1PodSpec Spec)> Programs => Pods.Where(static pod => pod.Owner.Kind != "Pod");

    public V1Deployment Coordinator => Of<V1Deployment>().Single(static d => d.Spec.Template.Metadata.Labels["app.kubernetes.io/component"] == "coordinator");

    /// <summary>Renders a set, once; skips the test where nothing renders charts.</summary>
    public static async Task<Release> RenderAsync(string set, string kubernetes = Oldest)
    {
        var renderer = await HelmRenderer.GetAsync();
        return await Known.GetOrAdd((set, kubernetes), static (key, renderer) => new(async () =>
        {
            var (text, error) = await renderer.RenderAsync(ValueSets.Of(key.Set), key.Kubernetes);
            Assert.True(error.Length == 0, $"{key.Set}: {error}");
            return new Release(ValueSets.Of(key.Set), text);
        }), renderer).Value;
    }

    /// <summary>Objects of a type.</summary>
    public IEnumerable<T> Of<T>() => Manifests.Select(static m => m.Typed).OfType<T>();

    /// <summary>Objects of a kind.</summary>
    public IEnumerable<Manifest> OfKind(string kind) => Manifests.Where(m => m.Kind == kind);

    /// <summary>Whether a selector takes what has these labels.</summary>
    public static bool Selects(IDictionary<string, string> selector, IDictionary<string, string> labels) =>
        selector.Count > 0 && selector.All(pair => labels.TryGetValue(pair.Key, out var value) && value == pair.Value);

    /// <summary>The value after an option.</summary>
    public static string? Option(IList<string> arguments, string option) => arguments.IndexOf(option) is >= 0 and var at ? arguments[at + 1] : null;

    [GeneratedRegex("^---.*$", RegexOptions.Multiline)]
    private static partial Regex Separator();

    [GeneratedRegex("^kind:", RegexOptions.Multiline)]
    private static partial Regex Object();
}
