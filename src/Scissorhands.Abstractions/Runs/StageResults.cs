namespace Scissorhands.Abstractions.Runs;

/// <summary>A set's evaluation.</summary>
/// <param name="Count">Samples.</param>
/// <param name="Accuracy">Share answered right, in [0,1].</param>
/// <param name="Loss">Mean loss, in nats.</param>
/// <param name="Histogram">Samples by confidence in the right answer, equal bins over [0,1].</param>
public sealed record SetEvaluation(int Count, double Accuracy, double Loss, IReadOnlyList<int> Histogram);

/// <summary>What an evaluation stage found.</summary>
/// <param name="Forget">On D_f.</param>
/// <param name="Retain">On D_r.</param>
/// <param name="Test">On the test data; null where none was given.</param>
/// <param name="Earlier">On the ids of earlier runs; null where there are none.</param>
/// <param name="Mia">Share of D_f the membership attack calls non-member, in [0,1]; null where it did not run.</param>
/// <param name="MiaPoints">Points the attack was trained on.</param>
/// <param name="TestFinal">On the half of the test data that no choice looks at; null where it is empty.</param>
public sealed record EvaluationResult(SetEvaluation Forget, SetEvaluation Retain, SetEvaluation? Test, SetEvaluation? Earlier, double? Mia, int MiaPoints, SetEvaluation? TestFinal = null);

/// <summary>What the selection found.</summary>
/// <param name="Threshold">The smallest selected saliency.</param>
/// <param name="Considered">n: weights the ranking was over.</param>
/// <param name="Selected">Weights selected.</param>
/// <param name="Trimmed">Selected weights within the trim scope.</param>
/// <param name="Rows">Per parameter.</param>
public sealed record SelectionOutcome(double Threshold, long Considered, long Selected, long Trimmed, IReadOnlyList<ParameterRow> Rows);

/// <summary>One parameter's share of the selection.</summary>
/// <param name="Name">Whole dotted name.</param>
/// <param name="Elements">Its weights.</param>
/// <param name="Selected">Selected among them.</param>
/// <param name="Trimmed">Trimmed among them.</param>
public sealed record ParameterRow(string Name, int Elements, int Selected, int Trimmed);

/// <summary>What the publication wrote.</summary>
/// <param name="Files">File name to SHA-256 (lower-case hex).</param>
public sealed record PublishOutcome(IReadOnlyDictionary<string, string> Files);
