using Scissorhands.Planning;

namespace Scissorhands.Core.Membership;

/// <summary>
/// The membership attack on confidences: a support-vector classifier with an RBF kernel, trained to tell the confidences
/// a model has in members (samples it was trained on) from those in non-members, asked about the forgotten samples.
/// </summary>
public static class MembershipAttack
{
    /// <summary>The classifier's penalty C, that of the published protocol.</summary>
    public const double Penalty = 3;

    /// <summary>The kernel's gamma: 1 / number of features, and the confidence is the only one.</summary>
    public const double Gamma = 1;

    /// <summary>Trains the classifier and asks it about the forget set. Single-threaded; equal inputs give equal bits.</summary>
    /// <param name="members">Confidences of the true class, in [0,1], of samples the model was trained on; at least one.</param>
    /// <param name="nonMembers">The same of samples it never saw; at least one.</param>
    /// <param name="forget">The same of the forget set; at least one.</param>
    /// <returns>Share of the forget set called non-member, in [0,1]; a sample exactly on the boundary counts as a member.</returns>
    /// <exception cref="RunFailedException">A confidence is not a number.</exception>
    public static double ShareCalledNonMember(ReadOnlySpan<float> members, ReadOnlySpan<float> nonMembers, ReadOnlySpan<float> forget)
    {
        Check(members, nameof(members));
        Check(nonMembers, nameof(nonMembers));
        Check(forget, nameof(forget));
        var classifier = RbfClassifier.Train(members, nonMembers, Penalty, Gamma);
        var called = 0;
        foreach (var confidence in forget)
        {
            called += classifier.Decide(confidence) < -RbfClassifier.DecisionTolerance ? 1 : 0;
        }

        return (double)called / forget.Length;
    }

    private static void Check(ReadOnlySpan<float> confidences, string name)
    {
        if (confidences.IsEmpty)
        {
            throw new ArgumentException("The membership attack needs at least one confidence of each kind", name);
        }

        foreach (var confidence in confidences)
        {
            if (!float.IsFinite(confidence))
            {
                throw new RunFailedException($"membership attack: a confidence of the {name} is {confidence}; the model's output has diverged");
            }
        }
    }
}
