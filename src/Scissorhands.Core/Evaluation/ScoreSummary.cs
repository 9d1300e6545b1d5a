namespace Scissorhands.Core.Evaluation;

/// <summary>What a set's scores say.</summary>
/// <param name="Count">Samples.</param>
/// <param name="Accuracy">Share answered right, in [0,1].</param>
/// <param name="Loss">Mean of -log(confidence in the right answer), in nats.</param>
/// <param name="Histogram">Samples by confidence, in equal bins over [0,1].</param>
public sealed record ScoreSummary(int Count, double Accuracy, double Loss, IReadOnlyList<int> Histogram)
{
    /// <summary>Bins of a histogram.</summary>
    public const int Bins = 20;

    /// <summary>Summarises scores.</summary>
    /// <param name="scores">One score a sample: confidence, negative where the answer is wrong.</param>
    /// <returns>The summary; zeros where there are no samples.</returns>
    public static ScoreSummary Of(ReadOnlySpan<float> scores)
    {
        var histogram = new int[Bins];
        long right = 0;
        double loss = 0;
        foreach (var score in scores)
        {
            right += score > 0 ? 1 : 0;
            var confidence = Math.Abs((double)score);
            loss -= Math.Log(confidence);
            histogram[Math.Min(Bins - 1, (int)(confidence * Bins))]++;
        }

        var count = Math.Max(1, scores.Length);
        return new ScoreSummary(scores.Length, right / (double)count, loss / count, histogram);
    }
}
