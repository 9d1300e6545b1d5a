using System.Text.Json;
using System.Text.Json.Nodes;

namespace Scissorhands.Coordinator.Hooks;

/// <summary>An event on its way to a hook.</summary>
/// <param name="Id">Its id: the same at every attempt.</param>
/// <param name="Type">What has happened.</param>
/// <param name="Subject">The model.</param>
/// <param name="Data">What the event says.</param>
/// <param name="Body">The whole CloudEvent, as it was stored.</param>
internal sealed record HookEvent(string Id, string Type, string Subject, JsonNode Data, string Body)
{
    /// <summary>The media type of <see cref="Body"/>.</summary>
    public const string MediaType = "application/cloudevents+json";

    /// <summary>Reads a stored event.</summary>
    /// <param name="body">The CloudEvent.</param>
    /// <returns>The event.</returns>
    /// <exception cref="JsonException">It is none.</exception>
    public static HookEvent Read(string body)
    {
        var read = JsonNode.Parse(body) ?? throw new JsonException("null");
        return new HookEvent(
            (string?)read["id"] ?? throw new JsonException("no id"),
            (string?)read["type"] ?? throw new JsonException("no type"),
            (string?)read["subject"] ?? throw new JsonException("no subject"),
            read["data"] ?? throw new JsonException("no data"),
            body);
    }
}

/// <summary>Somebody who is told when a version is published, in whatever way. It may be told the same event again.</summary>
internal interface IPublicationHook : IAsyncDisposable
{
    /// <summary>Its name in the file of hooks.</summary>
    string Name { get; }

    /// <summary>Tells it.</summary>
    /// <param name="told">What.</param>
    /// <param name="ct">Gives up; it may have been told all the same.</param>
    /// <returns>Completes when it has taken the event.</returns>
    /// <exception cref="Exception">It has not, as far as is known; the message holds no secret.</exception>
    Task DeliverAsync(HookEvent told, CancellationToken ct);
}

/// <summary>A hook has not taken an event.</summary>
internal sealed class HookRefusedException(string message) : Exception(message);
