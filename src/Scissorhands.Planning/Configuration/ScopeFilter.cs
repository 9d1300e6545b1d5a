namespace Scissorhands.Planning.Configuration;

/// <summary>Parameters named by globs, less those named by others. What an empty list of globs means is the caller's to say.</summary>
public sealed class ScopeFilter
{
    private readonly ScopePattern[] _scope;
    private readonly ScopePattern[] _exclude;

    /// <summary>Compiles the globs.</summary>
    /// <param name="scope">Globs of which a name must match one; empty takes every name.</param>
    /// <param name="exclude">Globs of which a name must match none.</param>
    /// <exception cref="InputException">A glob is malformed.</exception>
    public ScopeFilter(IEnumerable<string> scope, IEnumerable<string> exclude)
    {
        ArgumentNullException.ThrowIfNull(scope);
        ArgumentNullException.ThrowIfNull(exclude);
        _scope = scope.Select(glob => new ScopePattern(glob)).ToArray();
        _exclude = exclude.Select(glob => new ScopePattern(glob)).ToArray();
    }

    /// <summary>Whether no scope was given, so that only the exclusions decide.</summary>
    public bool TakesAll => _scope.Length == 0;

    /// <summary>Whether a parameter is in scope.</summary>
    /// <param name="name">Its dotted name.</param>
    /// <returns>True where a scope glob (or an empty scope) takes it and no exclusion drops it.</returns>
    public bool Matches(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return (TakesAll || Array.Exists(_scope, pattern => pattern.Matches(name))) && !Array.Exists(_exclude, pattern => pattern.Matches(name));
    }

    /// <summary>The scope globs that no name matches: nearly always a misspelling.</summary>
    /// <param name="names">The model's parameter names.</param>
    /// <returns>The globs, in the order given; exclusions are not looked at.</returns>
    public IReadOnlyList<string> Unmatched(IReadOnlyCollection<string> names)
    {
        ArgumentNullException.ThrowIfNull(names);
        return _scope.Where(pattern => !names.Any(name => pattern.Matches(name))).Select(pattern => pattern.Glob).ToArray();
    }
}
