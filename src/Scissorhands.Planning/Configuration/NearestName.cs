namespace Scissorhands.Planning.Configuration;

/// <summary>Finds the name that was meant where one is not known.</summary>
public static class NearestName
{
    private const int Front = 100;

    /// <summary>The known name that is most like an unknown one.</summary>
    /// <param name="unknown">What was written.</param>
    /// <param name="known">The names that there are.</param>
    /// <returns>The name; null where none is like it.</returns>
    public static string? Find(string unknown, IEnumerable<string> known)
    {
        ArgumentNullException.ThrowIfNull(unknown);
        var lower = unknown.ToLowerInvariant();
        var (name, distance) = known.Select(name => (name, Distance(lower, name.ToLowerInvariant()))).OrderBy(static c => c.Item2).FirstOrDefault();
        return name is not null && distance <= SlipsIn(unknown) ? name : null;
    }

    /// <summary>How many letters may differ: one for each three, so that 'foo' is like no name, though each differs from it by a few letters only.</summary>
    internal static int SlipsIn(string name) => Math.Min(3, name.Length / 3);

    /// <summary>How many letters must be inserted, removed or replaced to make one name of another.</summary>
    internal static int Distance(string a, string b)
    {
        // A name of any length comes from a file: the cost is bounded by looking at its front only.
        a = a.Length > Front ? a[..Front] : a;
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(substitute, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[b.Length];
    }
}
