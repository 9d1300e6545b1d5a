using Scissorhands.Planning;

namespace Scissorhands.Deletion.Requests;

/// <summary>Names of models and data sets: parts of paths, addresses and labels.</summary>
public static class ModelName
{
    private const int Longest = 100;

    /// <summary>Checks a name.</summary>
    /// <param name="key">Where it was given.</param>
    /// <param name="name">The name; null is none and allowed.</param>
    /// <exception cref="InputException">Empty, too long, or holds other characters.</exception>
    public static void Check(string key, string? name)
    {
        if (name is not null && (name.Length is 0 or > Longest || name[0] is '.' or '-' || !name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.')))
        {
            throw new InputException($"{key}: must be 1 to {Longest} letters, digits, '-', '_' or '.', beginning with a letter, a digit or '_'");
        }
    }
}
