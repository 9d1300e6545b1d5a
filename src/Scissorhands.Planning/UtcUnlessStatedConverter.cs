using System.Text.Json;
using System.Text.Json.Serialization;

namespace Scissorhands.Planning;

/// <summary>
/// Times as ISO 8601 writes them; one that states no offset is meant in UTC. The serialiser takes the offset of the machine it
/// runs on, so that the same text would be another moment, and another request, elsewhere.
/// </summary>
public sealed class UtcUnlessStatedConverter : JsonConverter<DateTimeOffset>
{
    /// <inheritdoc/>
    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.GetDateTime() is { Kind: DateTimeKind.Unspecified } plain ? new DateTimeOffset(plain, TimeSpan.Zero) : reader.GetDateTimeOffset();

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStringValue(value);
    }
}
