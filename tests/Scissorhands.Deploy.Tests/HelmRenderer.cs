using System.Security.Cryptography;
using Scissorhands.Testing;

namespace Scissorhands.Deploy.Tests;

/// <summary>
/// What renders charts: the program that <c>SCISSORHANDS_HELM</c> names, helm on the PATH, or the stand-in beside the
/// repository, which is built with Debian's Go once for all runs of the tests.
/// </summary>
internal sealed class HelmRenderer
{
    private const string Variable = "SCISSORHANDS_HELM";
    private const string Go = "/usr/bin/go";
    private const string Libraries = "/usr/share/gocode";
    private static readonly Lazy<Task<HelmRenderer?>> Found = new(FindAsync);
    private readonly string _program;

    private HelmRenderer(string program) => _program = program;

    /// <summary>Whether it is helm itself, whose messages and notes are its own.</summary>
    public bool IsHelm => Path.GetFileName(_program) == "helm";

    /// <summary>The renderer; skips the test where there is none.</summary>
    public static async Task<HelmRenderer> GetAsync()
    {
        var renderer = await Found.Value;
        Assert.SkipWhen(renderer is null, $"nothing renders charts: there is no helm on the PATH, {Variable} names none, and the stand-in needs golang-go and its libraries (tests/run installs them)");
        return renderer;
    }

    /// <summary>Renders the chart.</summary>
    /// <param name="set">The values.</param>
    /// <param name="kubernetes">Version of the cluster.</param>
    /// <param name="notes">Whether the notes are wanted, too; the stand-in alone shows them.</param>
    /// <returns>The manifests, and what went wrong: one of them is empty.</returns>
    public async Task<(string Manifests, string Error)> RenderAsync(ValueSet set, string kubernetes, bool notes = false)
    {
        using var values = new TemporaryFile(set.Yaml);
        List<string> arguments = ["template"];
        arguments.AddRange(IsHelm ? [set.Release, ChartFiles.Chart] : [ChartFiles.Chart, "--name", set.Release]);
        arguments.AddRange(["-n", ValueSet.Namespace, "--kube-version", kubernetes]);
        arguments.AddRange(set.Files.SelectMany(static file => new[] { "-f", Path.Combine(ChartFiles.Chart, file) }));
        arguments.AddRange(["-f", values.Path]);
        arguments.AddRange(set.Apis.SelectMany(static api => new[] { "-a", api }));
        if (notes)
        {
            arguments.Add("--notes");
        }

        var (code, output, errors) = await Command.RunAsync(_program, arguments);
        return code == 0 ? (output + (notes ? errors : ""), "") : ("", errors.Length > 0 ? errors : $"ended with {code}");
    }

    /// <summary>Checks the chart as its linter does.</summary>
    public async Task<(int Code, string Output)> LintAsync(string file)
    {
        var (code, output, errors) = await Command.RunAsync(_program, ["lint", ChartFiles.Chart, "-f", Path.Combine(ChartFiles.Chart, file), "--strict"]);
        return (code, output + errors);
    }

    private static async Task<HelmRenderer?> FindAsync()
    {
        if (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } named)
        {
            return File.Exists(named) ? new HelmRenderer(named) : throw new FileNotFoundException($"{Variable}: there is no {named}");
        }

        var helm = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Select(static folder => Path.Combine(folder, "helm")).FirstOrDefault(File.Exists);
        if (helm is not null)
        {
            return new HelmRenderer(helm);
        }

        return RepositoryFiles.FindSharedFolder("tools", "helmrender", "src", "helmrender") is { } sources && File.Exists(Go) && Directory.Exists(Path.Combine(Libraries, "src", "github.com", "xeipuuv"))
            ? new HelmRenderer(await BuildAsync(sources))
            : null;
    }

    private static async Task<string> BuildAsync(string sources)
    {
        var files = Directory.GetFiles(sources).Order(StringComparer.Ordinal).ToArray();
        var digest = Convert.ToHexStringLower(SHA256.HashData([.. files.SelectMany(File.ReadAllBytes)]))[..16];
        var folder = Path.Combine(Path.GetTempPath(), $"scissorhands-helmrender-{digest}");
        var program = Path.Combine(folder, "helmrender");
        if (File.Exists(program))
        {
            return program;
        }

        // In a place of its own and renamed: others may be building it, too. Go's search path wants the folder's name.
        var own = Path.Combine(folder, Path.GetRandomFileName());
        var source = Directory.CreateDirectory(Path.Combine(own, "src", "helmrender")).FullName;
        foreach (var file in files)
        {
            File.Copy(file, Path.Combine(source, Path.GetFileName(file)));
        }

        var (code, output, errors) = await Command.RunAsync(
            Go,
            ["build", "-o", Path.Combine(own, "helmrender"), "."],
            new Dictionary<string, string> { ["GO111MODULE"] = "off", ["GOPATH"] = $"{own}:{Libraries}", ["GOCACHE"] = Path.Combine(own, "cache"), ["GOFLAGS"] = "" },
            source);
        if (code != 0)
        {
            throw new InvalidOperationException($"the stand-in for helm could not be built: {output}{errors}");
        }

        File.Move(Path.Combine(own, "helmrender"), program, overwrite: true);
        Directory.Delete(own, recursive: true);
        return program;
    }
}
