using System.Security.Cryptography;
using System.Text;

namespace Scissorhands.Planning.Cut;

/// <summary>
/// Parts test data in two halves by the samples' ids: one to choose between settings with, and one that no choice looks at, for
/// the last word on what was chosen. By id, so that a sample stays on its side whatever is added or taken away.
/// </summary>
public static class HeldOutSplit
{
    private const string Purpose = "held-out half\n";

    /// <summary>Whether a test sample is of the half that no choice looks at.</summary>
    /// <param name="id">Its id.</param>
    /// <returns>Whether it is: half of all ids are.</returns>
    public static bool IsFinal(string id)
    {
        ArgumentNullException.ThrowIfNull(id);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(Purpose + id), hash);
        return (hash[0] & 1) == 1;
    }
}
