using System.Security.Cryptography;

namespace Scissorhands.Drill.World;

/// <summary>Digests (SHA-256) of a run's results: equal for equal inputs, whatever happened on the way.</summary>
public sealed record Answer(string Model, string Mask, string Saliency)
{
    /// <summary>The answer in a run's folder.</summary>
    public static Answer In(string folder) => new(Digest(folder, "model.safetensors"), Digest(folder, "mask.safetensors"), Digest(folder, "saliency.safetensors"));

    private static string Digest(string folder, string name) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Path.Combine(folder, name))));
}
