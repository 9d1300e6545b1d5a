using System.Globalization;
using System.Text.Json.Nodes;
using System.Web;

namespace Scissorhands.Cli.Tests.Hooks;

/// <summary>What of an MLflow registry's REST interface the hook uses, in memory; one of its answers may be lost, before it had its effect or after.</summary>
internal sealed class FakeRegistry
{
    private const string Prefix = "/api/2.0/mlflow/";
    private readonly HashSet<string> _models = new(StringComparer.Ordinal);
    private int _calls;

    public List<(string Name, string Source, JsonArray Tags)> Versions { get; } = [];

    public Dictionary<string, string> Aliases { get; } = new(StringComparer.Ordinal);

    public int Calls => _calls;

    /// <summary>The call that fails, from 0; none for -1.</summary>
    public int Fails { get; set; } = -1;

    /// <summary>Whether it has had its effect before.</summary>
    public bool After { get; set; }

    public (int Status, string Body) Answer(Received request)
    {
        lock (_models)
        {
            var fails = _calls++ == Fails;
            if (fails && !After)
            {
                return (503, "<html>");
            }

            var (status, body) = Handle(request);
            return fails ? (502, "<html>") : (status, body.ToJsonString());
        }
    }

    private (int Status, JsonNode Body) Handle(Received request)
    {
        var target = new Uri("http://localhost" + request.Target);
        var query = HttpUtility.ParseQueryString(target.Query);
        switch (request.Method, target.AbsolutePath[Prefix.Length..])
        {
            case ("POST", "registered-models/create"):
                var name = Text(request, "name");
                return _models.Add(name) ? (200, new JsonObject { ["registered_model"] = new JsonObject { ["name"] = name } }) : (400, Error("RESOURCE_ALREADY_EXISTS"));
            case ("GET", "model-versions/search"):
                var all = Versions.Select((v, i) => (v.Name, Node: Version(i + 1))).Where(v => query["filter"] == $"name='{v.Name}'").Select(static v => v.Node).ToArray();
                return (200, new JsonObject { ["model_versions"] = new JsonArray(all) });
            case ("POST", "model-versions/create"):
                if (!_models.Contains(Text(request, "name")))
                {
                    return (404, Error("RESOURCE_DOES_NOT_EXIST"));
                }

                Versions.Add((Text(request, "name"), Text(request, "source"), JsonNode.Parse(request.Body)!["tags"]!.AsArray()));
                return (200, new JsonObject { ["model_version"] = Version(Versions.Count) });
            case ("GET", "registered-models/alias"):
                return Aliases.TryGetValue($"{query["name"]}@{query["alias"]}", out var at)
                    ? (200, new JsonObject { ["model_version"] = Version(int.Parse(at, CultureInfo.InvariantCulture)) })
                    : (404, Error("RESOURCE_DOES_NOT_EXIST"));
            case ("POST", "registered-models/alias"):
                Aliases[$"{Text(request, "name")}@{Text(request, "alias")}"] = Text(request, "version");
                return (200, new JsonObject());
            default:
                return (404, Error("ENDPOINT_NOT_FOUND"));
        }
    }

    private JsonObject Version(int number) => new()
    {
        ["name"] = Versions[number - 1].Name,
        ["version"] = number.ToString(CultureInfo.InvariantCulture),
        ["tags"] = Versions[number - 1].Tags.DeepClone(),
    };

    private static JsonObject Error(string code) => new() { ["error_code"] = code, ["message"] = "no" };

    private static string Text(Received request, string key) => (string?)JsonNode.Parse(request.Body)![key] ?? "";
}
