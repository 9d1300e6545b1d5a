using System.Text.RegularExpressions;

namespace Scissorhands.Data.Storage;

/// <summary>
/// Names of objects within a run's store: lower-case letters, digits, '-' and '.', ending in <c>.safetensors</c>. They are
/// names of files and parts of addresses alike, without anything to be escaped.
/// </summary>
public static partial class CheckpointKey
{
    /// <summary>How every key ends.</summary>
    public const string Suffix = ".safetensors";

    /// <summary>Whether a text is a key.</summary>
    /// <param name="key">The text.</param>
    /// <returns>True where it is.</returns>
    public static bool IsValid(string key) => Pattern().IsMatch(key);

    /// <summary>Refuses what is no key.</summary>
    /// <param name="key">The text.</param>
    /// <exception cref="ArgumentException">It is none.</exception>
    public static void Check(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (!IsValid(key))
        {
            throw new ArgumentException($"'{key}' is not the key of an object in a run's store", nameof(key));
        }
    }

    [GeneratedRegex(@"\A[a-z0-9][a-z0-9.-]{0,99}[.]safetensors\z")]
    private static partial Regex Pattern();
}
