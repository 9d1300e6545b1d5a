using Scissorhands.Reporting.Model;

namespace Scissorhands.Reporting.Html;

/// <summary>One of the literature's four figures, with the words that explain it.</summary>
/// <param name="Name">Its abbreviation.</param>
/// <param name="Plain">What it counts, in plain words.</param>
/// <param name="Short">The same in few words.</param>
/// <param name="Meaning">What it is and what a good value is.</param>
/// <param name="Of">Takes it from a set.</param>
internal sealed record Metric(string Name, string Plain, string Short, string Meaning, Func<MetricSet, double?> Of)
{
    /// <summary>UA, RA, TA, MIA.</summary>
    public static IReadOnlyList<Metric> All { get; } =
    [
        new(
            "UA",
            "Forgotten samples answered wrongly (UA)",
            "forgotten, wrong answers",
            "Unlearning accuracy: 100 minus the accuracy on the forgotten samples. Good: near the retrained model's, which also gets most ordinary samples right. Higher is not better without limit.",
            set => set.Ua),
        new(
            "RA",
            "Remaining samples answered rightly (RA)",
            "remaining, right answers",
            "Remaining accuracy: right answers on the training samples that stay. Good: as high as before.",
            set => set.Ra),
        new(
            "TA",
            "Test samples answered rightly (TA)",
            "test, right answers",
            "Test accuracy: right answers on data never trained on, that is, how useful the model still is. Good: as high as before.",
            set => set.Ta),
        new(
            "MIA",
            "Forgotten samples taken for never seen (MIA)",
            "forgotten, taken for unseen",
            "Membership attack: the share of forgotten samples that an attacker who sees the model's confidence takes for samples never trained on. Good: near the retrained model's. Far above it, the forgotten samples stick out.",
            set => set.Mia),
    ];
}
