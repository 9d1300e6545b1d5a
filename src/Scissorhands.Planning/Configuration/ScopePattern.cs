namespace Scissorhands.Planning.Configuration;

/// <summary>
/// A glob on a whole dotted parameter name: <c>*</c> stands for any run of characters, dots among them, <c>?</c> for one
/// character, everything else for itself (ordinal, case counts).
/// </summary>
public sealed class ScopePattern
{
    private readonly string _glob;

    /// <summary>Compiles a glob.</summary>
    /// <param name="glob">The glob, e.g. <c>*layer4*</c>.</param>
    /// <exception cref="InputException">The glob is empty or holds white space or control characters.</exception>
    public ScopePattern(string glob)
    {
        if (!IsValid(glob))
        {
            throw new InputException($"scope pattern '{glob?.ReplaceLineEndings(" ")}' is not a glob on parameter names; write for example *layer4*");
        }

        Glob = glob;
        while (glob.Contains("**", StringComparison.Ordinal))
        {
            glob = glob.Replace("**", "*", StringComparison.Ordinal);
        }

        _glob = glob;
    }

    /// <summary>The glob as it was given.</summary>
    public string Glob { get; }

    /// <summary>Whether a text can be a glob: not empty, no white space, no control characters.</summary>
    /// <param name="glob">The text.</param>
    /// <returns>True where the constructor takes it.</returns>
    public static bool IsValid(string? glob)
    {
        return !string.IsNullOrEmpty(glob) && !glob.Any(c => char.IsWhiteSpace(c) || char.IsControl(c));
    }

    /// <summary>Whether the glob covers the whole name. Time is at most the product of both lengths, memory none.</summary>
    /// <param name="name">A parameter's dotted name, e.g. <c>layer4.1.conv2.weight</c>.</param>
    /// <returns>True where it does.</returns>
    public bool Matches(ReadOnlySpan<char> name)
    {
        // On a mismatch only the last star can be stretched: what earlier stars took first is never worth revisiting.
        int at = 0, star = -1, taken = 0, i = 0;
        while (i < name.Length)
        {
            if (at < _glob.Length && _glob[at] == '*')
            {
                star = at++;
                taken = i;
            }
            else if (at < _glob.Length && (_glob[at] == '?' || _glob[at] == name[i]))
            {
                at++;
                i++;
            }
            else if (star >= 0)
            {
                at = star + 1;
                i = ++taken;
            }
            else
            {
                return false;
            }
        }

        while (at < _glob.Length && _glob[at] == '*')
        {
            at++;
        }

        return at == _glob.Length;
    }

    /// <inheritdoc/>
    public override string ToString()
    {
        return Glob;
    }
}
