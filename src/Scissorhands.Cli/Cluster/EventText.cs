using System.Text.Json;

namespace Scissorhands.Cli.Cluster;

/// <summary>What is written of a run, as people read it. Why it ended follows as the last line, and is not said twice.</summary>
internal static class EventText
{
    /// <summary>One event.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="fields">What it tells; JSON's null where nothing.</param>
    /// <returns>One line.</returns>
    public static string Of(string name, JsonElement fields)
    {
        return name switch
        {
            "planned" => $"planned: forget {Field("forget")}, retain {Field("retain")} samples; {Field("parameters")} weights",
            "generation" => $"generation {Field("generation")}: {(Field("workers") is "1" ? "1 worker" : Field("workers") + " workers")}",
            "generation-over" => $"generation {Field("generation")} is over: {Field("reason")}",
            "retry" => $"retry {Field("attempt")}: {Field("stage")} failed on rank {Field("rank")}: {Field("reason")}",
            "checkpoint" => $"{Field("stage")}: checkpoint at {Field("progress")}",
            "stage-done" => $"{Field("stage")}: done",
            "reopened" => "opened again; goes on from what is durable",
            "failed" or "cancelled" or "completed" => name,

            // Of a newer coordinator.
            _ => fields.ValueKind == JsonValueKind.Object ? $"{name}: {string.Join(", ", fields.EnumerateObject().Select(static field => $"{field.Name} {field.Value}"))}" : name,
        };

        string Field(string field) => fields.ValueKind == JsonValueKind.Object && fields.TryGetProperty(field, out var value) ? value.ToString() : "?";
    }
}
