using Scissorhands.Abstractions.Runs;
using Scissorhands.Core.Evaluation;
using Scissorhands.Core.Membership;
using Scissorhands.Planning.Configuration;
using Scissorhands.Planning.Randomness;

namespace Scissorhands.Worker.Stages;

/// <summary>From scores to the figures of an evaluation.</summary>
public static class EvaluationSummary
{
    /// <summary>Most points the membership attack is trained on, members and non-members together.</summary>
    public const int MaximumMiaPoints = 20_000;

    /// <summary>Summarises the scores of a model.</summary>
    /// <param name="configuration">The configuration: seed, and whether the attack runs.</param>
    /// <param name="forget">Scores of D_f.</param>
    /// <param name="retain">Scores of D_r.</param>
    /// <param name="test">Scores of the test data, or null.</param>
    /// <param name="earlier">Scores of ids forgotten by earlier runs, or null.</param>
    /// <param name="isFinal">Whether a test sample, by its place among the scores, is of the half that no choice looks at.</param>
    /// <returns>The evaluation.</returns>
    public static EvaluationResult Of(RunConfiguration configuration, float[] forget, float[] retain, float[]? test, float[]? earlier, Func<int, bool> isFinal)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentNullException.ThrowIfNull(isFinal);
        double? mia = null;
        var points = 0;
        if (configuration.Evaluation.Mia && test is { Length: > 0 } && retain.Length > 0 && forget.Length > 0)
        {
            // As many members as non-members, chosen by the seed alone: the same samples for every model compared.
            var each = Math.Min(Math.Min(retain.Length, test.Length), MaximumMiaPoints / 2);
            var members = Choose(retain, each, configuration.Seed, "members");
            var nonMembers = Choose(test, each, configuration.Seed, "non-members");
            mia = MembershipAttack.ShareCalledNonMember(members, nonMembers, [.. forget.Select(Math.Abs)]);
            points = 2 * each;
        }

        return new EvaluationResult(Describe(forget), Describe(retain), test is null ? null : Describe(test), earlier is null ? null : Describe(earlier), mia, points, test?.Where((_, place) => isFinal(place)).ToArray() is { Length: > 0 } final ? Describe(final) : null);
    }

    private static SetEvaluation Describe(float[] scores)
    {
        var summary = ScoreSummary.Of(scores);
        return new SetEvaluation(summary.Count, summary.Accuracy, summary.Loss, summary.Histogram);
    }

    private static float[] Choose(float[] scores, int count, long seed, string side)
    {
        var order = Enumerable.Range(0, scores.Length).ToArray();
        if (count < scores.Length)
        {
            RandomStream.Create(seed, RandomPurpose.Mia, side).Shuffle<int>(order);
            Array.Sort(order, 0, count);
        }

        return [.. order.Take(count).Select(i => Math.Abs(scores[i]))];
    }
}
