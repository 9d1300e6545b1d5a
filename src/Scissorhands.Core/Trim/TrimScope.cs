using Scissorhands.Core.Replica;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Core.Trim;

/// <summary>Which parameters a list of globs means.</summary>
public static class TrimScope
{
    /// <summary>The parameters that may be trimmed: what the globs match; without globs everything but normalisation layers.</summary>
    /// <param name="trim">The options.</param>
    /// <param name="parameters">The model's parameters.</param>
    /// <returns>Disjoint flat ranges in ascending order.</returns>
    /// <exception cref="InputException">A glob matches nothing, or nothing is left.</exception>
    public static IReadOnlyList<IndexRange> Trimmable(TrimConfiguration trim, ParameterTable parameters)
    {
        ArgumentNullException.ThrowIfNull(trim);
        ArgumentNullException.ThrowIfNull(parameters);
        CheckGlobs("trim.scope", trim.Scope, parameters);
        CheckGlobs("trim.exclude", trim.Exclude, parameters);
        var excluded = trim.Exclude.Select(g => new ScopePattern(g)).ToArray();
        var included = trim.Scope.Select(g => new ScopePattern(g)).ToArray();
        var segments = parameters.Segments(slot =>
            (included.Length == 0 ? !slot.IsNormalization : included.Any(p => p.Matches(slot.Name))) && !excluded.Any(p => p.Matches(slot.Name)));
        if (segments.Count == 0)
        {
            throw new InputException($"trim.scope: [{string.Join(", ", trim.Scope)}] without trim.exclude [{string.Join(", ", trim.Exclude)}] leaves no parameter to trim; {Examples(parameters)}") { Key = "trim.scope" };
        }

        return segments;
    }

    /// <summary>The parameters the projection sees.</summary>
    /// <param name="projection">The options.</param>
    /// <param name="parameters">The model's parameters.</param>
    /// <returns>Disjoint flat ranges in ascending order.</returns>
    public static IReadOnlyList<IndexRange> Projected(ProjectionConfiguration projection, ParameterTable parameters)
    {
        ArgumentNullException.ThrowIfNull(projection);
        ArgumentNullException.ThrowIfNull(parameters);
        CheckGlobs("projection.scope", projection.Scope, parameters);
        var included = projection.Scope.Select(g => new ScopePattern(g)).ToArray();
        return parameters.Segments(slot => included.Length == 0 || included.Any(p => p.Matches(slot.Name)));
    }

    private static void CheckGlobs(string key, IReadOnlyList<string> globs, ParameterTable parameters)
    {
        foreach (var glob in globs)
        {
            var pattern = new ScopePattern(glob);

            // An exclusion that matches nothing is harmless: presets name layers not every architecture has.
            if (key != "trim.exclude" && !parameters.Slots.Any(s => pattern.Matches(s.Name)))
            {
                throw new InputException($"{key}: '{glob}' matches no parameter of the model; {Examples(parameters)}") { Key = key };
            }
        }
    }

    private static string Examples(ParameterTable parameters) =>
        $"its parameters are {string.Join(", ", parameters.Slots.Take(3).Select(s => s.Name))}, ..., {parameters.Slots[^1].Name}";
}
