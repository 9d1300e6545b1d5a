using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Scissorhands.Planning;

namespace Scissorhands.Deletion.Requests;

/// <summary>
/// Requests as pipelines send them over a queue: plain JSON, or a CloudEvent 1.0 in structured mode (content type
/// <c>application/cloudevents+json</c>) or in binary mode (attributes in headers <c>cloudEvents:x</c> or <c>cloudEvents_x</c>).
/// No binding of CloudEvents to AMQP 0-9-1 exists; the header names are those of its AMQP 1.0 binding.
/// </summary>
public static class RequestMessage
{
    /// <summary>The type that an event must have.</summary>
    public const string EventType = "dev.scissorhands.deletion-request";

    /// <summary>Largest message, in bytes.</summary>
    public const int MaximumBytes = 16 << 20;

    private const string Structured = "application/cloudevents+json";
    private const string Json = "application/json";
    private static readonly JsonDocumentOptions DocumentOptions = new() { MaxDepth = 16, AllowDuplicateProperties = false };

    /// <summary>Reads a message.</summary>
    /// <param name="contentType">Its content type; null for none, which is taken for JSON.</param>
    /// <param name="headers">Its headers that are text.</param>
    /// <param name="body">Its body.</param>
    /// <returns>What is asked for. An event whose data name no request id has that of its source and id.</returns>
    /// <exception cref="InputException">Not such a message; the message says why, and shows nothing of it.</exception>
    public static DeletionSubmission Read(string? contentType, IReadOnlyDictionary<string, string> headers, ReadOnlyMemory<byte> body)
    {
        ArgumentNullException.ThrowIfNull(headers);
        if (body.Length > MaximumBytes)
        {
            throw new InputException(string.Create(CultureInfo.InvariantCulture, $"the message: {body.Length} bytes, at most {MaximumBytes} are taken; name a file instead"));
        }

        var media = contentType?.Split(';')[0].Trim();
        if (string.Equals(media, Structured, StringComparison.OrdinalIgnoreCase))
        {
            return FromEvent(body);
        }

        if (!string.IsNullOrEmpty(media) && !string.Equals(media, Json, StringComparison.OrdinalIgnoreCase))
        {
            throw new InputException($"the message: its content type must be {Json} or {Structured}");
        }

        return Attribute(headers, "specversion") is { } version
            ? Checked(version, Attribute(headers, "type"), Attribute(headers, "source"), Attribute(headers, "id"), body.Span)
            : DeletionSubmission.Parse(body.Span);
    }

    private static string? Attribute(IReadOnlyDictionary<string, string> headers, string name) =>
        headers.TryGetValue("cloudEvents:" + name, out var colon) ? colon : headers.TryGetValue("cloudEvents_" + name, out var underscore) ? underscore : null;

    private static DeletionSubmission FromEvent(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var document = JsonDocument.Parse(body, DocumentOptions);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
            {
                throw new InputException("the event: is not an object");
            }

            var data = root.TryGetProperty("data", out var inline) ? JsonSerializer.SerializeToUtf8Bytes(inline)
                : root.TryGetProperty("data_base64", out var encoded) && encoded.ValueKind == JsonValueKind.String && encoded.TryGetBytesFromBase64(out var bytes) ? bytes
                : throw new InputException("the event: holds neither data nor data_base64");
            if (Text(root, "datacontenttype") is { } type && !string.Equals(type.Split(';')[0].Trim(), Json, StringComparison.OrdinalIgnoreCase))
            {
                throw new InputException($"the event: its datacontenttype must be {Json}");
            }

            return Checked(Text(root, "specversion"), Text(root, "type"), Text(root, "source"), Text(root, "id"), data);
        }
        catch (JsonException e)
        {
            throw new InputException(string.Create(CultureInfo.InvariantCulture, $"the event: not JSON, line {e.LineNumber + 1}"));
        }
        catch (InvalidOperationException)
        {
            // Half of a pair of characters, written as an escape: JSON, but no text.
            throw new InputException("the event: holds text that is none");
        }
    }

    private static string? Text(JsonElement root, string name) => root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static DeletionSubmission Checked(string? version, string? type, string? source, string? id, ReadOnlySpan<byte> data)
    {
        if (version != "1.0")
        {
            throw new InputException("the event: its specversion must be 1.0");
        }

        if (type != EventType)
        {
            throw new InputException($"the event: its type must be {EventType}");
        }

        if (string.IsNullOrEmpty(source) || string.IsNullOrEmpty(id))
        {
            throw new InputException("the event: has no source or no id");
        }

        JsonObject? submission;
        try
        {
            submission = JsonNode.Parse(data, documentOptions: DocumentOptions) as JsonObject;
        }
        catch (JsonException e)
        {
            throw new InputException(string.Create(CultureInfo.InvariantCulture, $"the event's data: not JSON, line {e.LineNumber + 1}"));
        }

        if (submission is null)
        {
            throw new InputException("the event's data: are not an object");
        }

        submission.TryAdd("requestId", $"{source} {id}");
        try
        {
            return DeletionSubmission.Parse(JsonSerializer.SerializeToUtf8Bytes(submission));
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            throw new InputException("the event's data: hold text that is none");
        }
    }
}
