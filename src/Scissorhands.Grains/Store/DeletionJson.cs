using System.Text.Json;
using System.Text.Json.Serialization;

namespace Scissorhands.Grains.Store;

/// <summary>How what belongs to deletion requests is written in the store.</summary>
public static class DeletionJson
{
    /// <summary>Camel case, enumerations by name.</summary>
    public static JsonSerializerOptions Options { get; } = new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) } };
}
