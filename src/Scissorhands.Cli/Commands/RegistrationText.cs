using System.Text.Json;
using System.Text.Json.Nodes;
using Scissorhands.Deletion.Batching;
using Scissorhands.Deletion.Models;
using Scissorhands.Grains.Store;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Cli.Commands;

/// <summary>What a model was registered as, in lines for people: of configuration and policy what differs from the defaults.</summary>
internal static class RegistrationText
{
    /// <summary>The lines.</summary>
    /// <param name="json">The registration as the coordinator tells it.</param>
    public static IEnumerable<string> Lines(JsonElement json)
    {
        var record = json.Deserialize<ModelRecord>(DeletionJson.Options)!;
        yield return $"file           {record.File}, sha256 {record.Sha256}{(record.Architecture is null ? "" : $", {record.Architecture}")}";
        yield return $"data           {record.Data} (data set {record.DataSet})";
        yield return $"test data      {record.TestData ?? "none"}";
        yield return $"versions       {record.Versions}";
        yield return $"runs           pool {record.Pool}, at most {record.Workers} workers";
        yield return $"configuration  {Changes(ConfigurationJson.ParseTree(record.Configuration, "configuration"), JsonNode.Parse(ConfigurationJson.Canonical(new RunConfiguration()))!)}";
        yield return $"policy         {Changes(JsonSerializer.SerializeToNode(record.Policy, DeletionJson.Options)!, JsonSerializer.SerializeToNode(new DeletionPolicy(), DeletionJson.Options)!)}";
    }

    private static string Changes(JsonNode given, JsonNode defaults)
    {
        var usual = Values(defaults, "").ToDictionary(static v => v.Key, static v => v.Value, StringComparer.Ordinal);
        var changed = Values(given, "").Where(v => usual.GetValueOrDefault(v.Key) != v.Value).Select(static v => $"{v.Key}={v.Value}").ToArray();
        return changed.Length == 0 ? "the defaults" : string.Join(" ", changed);
    }

    // A list is one value, as it is to --set.
    private static IEnumerable<(string Key, string Value)> Values(JsonNode? node, string key) => node is JsonObject section
        ? section.SelectMany(one => Values(one.Value, key.Length == 0 ? one.Key : $"{key}.{one.Key}"))
        : [(key, node is JsonValue value && value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : node?.ToJsonString() ?? "none")];
}
