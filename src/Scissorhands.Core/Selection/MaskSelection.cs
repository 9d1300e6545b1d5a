using Scissorhands.Core.Replica;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Core.Selection;

/// <summary>Selection as the configuration words it, on the range of the flat order that one worker owns.</summary>
public static class MaskSelection
{
    /// <summary>Selects; every worker calls it with its own range.</summary>
    /// <param name="saliency">Saliencies of the owned range.</param>
    /// <param name="owned">The owned range of flat indices.</param>
    /// <param name="parameters">The model's parameters, for messages.</param>
    /// <param name="trimmable">Flat ranges of the trim scope: what is ranked where <c>thresholdOver</c> is <c>scope</c>.</param>
    /// <param name="configuration">Fraction, tie rule, what is ranked, and the seed.</param>
    /// <param name="exchange">Adds counts up over the workers.</param>
    /// <param name="selected">As long as the range; receives 1 for selected elements, in the trim scope or not, 0 otherwise.</param>
    /// <returns>The threshold and the counts.</returns>
    /// <exception cref="RunFailedException">A saliency is invalid, or the selection degenerate.</exception>
    public static SelectionResult Select(
        ReadOnlySpan<float> saliency,
        IndexRange owned,
        ParameterTable parameters,
        IReadOnlyList<IndexRange> trimmable,
        RunConfiguration configuration,
        ICountExchange exchange,
        Span<byte> selected)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(trimmable);
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentOutOfRangeException.ThrowIfNotEqual(saliency.Length, owned.Count);
        var trim = configuration.Trim;
        var ranked = trim.ThresholdOver switch
        {
            "all" => null,
            "scope" => Within(trimmable, owned),
            _ => throw new InputException($"trim.thresholdOver: '{trim.ThresholdOver}' is unknown; all and scope are known") { Key = "trim.thresholdOver" },
        };
        var ties = trim.Ties switch
        {
            "index" => TieRule.Index,
            "strict" => TieRule.Strict,
            _ => throw new InputException($"trim.ties: '{trim.Ties}' is unknown; index and strict are known") { Key = "trim.ties" },
        };
        var options = new SelectionOptions(trim.Fraction, ties, configuration.Seed);
        var result = new ExactSelection(exchange).Select(saliency, owned.Start, ranked, options, index => parameters.At(index).Name);
        ExactSelection.WriteMask(saliency, ranked, result, selected);
        return result;
    }

    private static List<IndexRange> Within(IReadOnlyList<IndexRange> segments, IndexRange owned)
    {
        var within = new List<IndexRange>();
        foreach (var segment in segments)
        {
            var start = Math.Max(segment.Start, owned.Start);
            var end = Math.Min(segment.End, owned.End);
            if (start < end)
            {
                within.Add(new IndexRange(start - owned.Start, end - owned.Start));
            }
        }

        return within;
    }
}
