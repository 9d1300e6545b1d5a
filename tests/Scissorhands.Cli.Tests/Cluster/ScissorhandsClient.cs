using System.Text.Json;
using System.Text.Json.Serialization;

namespace Scissorhands.Cli.Tests.Cluster.Generated;

/// <summary>The client that is made of docs/openapi.json.</summary>
public partial class ScissorhandsClient
{
    // What is not given is left out, as the document has it: null would be a value.
    static partial void UpdateJsonSerializerSettings(JsonSerializerOptions settings) => settings.DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull;
}
