using System.Runtime.InteropServices;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Core.Evaluation;
using Scissorhands.Data.Samples;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Worker.Stages;

/// <summary>Scores forget, retain and test data on the model of the moment; each worker takes its share of the batches.</summary>
public sealed class EvaluationStage : IStageExecutor
{
    private readonly bool _trimmed;

    /// <summary>Creates the stage.</summary>
    /// <param name="trimmed">Whether the model is trimmed first, unless that has been done.</param>
    public EvaluationStage(bool trimmed)
    {
        _trimmed = trimmed;
    }

    /// <inheritdoc />
    public string? Execute(StageContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (_trimmed)
        {
            context.Model.EnsureTrimmed(context.Inputs);
        }

        var inputs = context.Inputs;
        var total = inputs.Train.Count + (inputs.Test?.Count ?? 0);
        var done = 0;
        float[] Score(string set, IBatchSource source, IReadOnlyList<int> ordinals)
        {
            var scores = ScoreSet(context, set, source, ordinals, done, total);
            done += ordinals.Count;
            return scores;
        }

        var forget = Score("forget", inputs.Plain, inputs.Forget);
        var retain = Score("retain", inputs.Plain, inputs.Retain);
        var earlier = inputs.Forgotten.Count > 0 ? Score("earlier", inputs.Plain, inputs.Forgotten) : null;
        var test = inputs.PlainTest is { } source ? Score("test", source, [.. Enumerable.Range(0, inputs.Test!.Count)]) : null;
        return context.IsFirst ? StageJson.Write(EvaluationSummary.Of(inputs.Configuration, forget, retain, test, earlier, place => HeldOutSplit.IsFinal(inputs.Test!.Id(place)))) : null;
    }

    private static float[] ScoreSet(StageContext context, string set, IBatchSource source, IReadOnlyList<int> ordinals, int done, int total)
    {
        var group = context.Group;
        var cut = BatchCut.Batches(ordinals.Count, context.Inputs.Configuration.Evaluation.BatchSize, 1);
        var ranges = Enumerable.Range(0, group.Size).Select(rank =>
        {
            var dealt = cut.Count == 0 ? default : new ReductionTree(cut.Count).Deal(rank, group.Size);
            var start = dealt.Start < cut.Count ? cut[dealt.Start].Start : ordinals.Count;
            return (Batches: dealt, Samples: new IndexRange(start, dealt.Count == 0 ? start : cut[dealt.End - 1].End));
        }).ToArray();
        var mine = ranges[group.Rank].Batches;
        var scores = new float[ordinals.Count];
        var scorer = new SampleScorer(context.Replica, context.Inputs.Task);
        using (var stream = source.Open(Enumerable.Range(mine.Start, mine.Count).Select(i =>
            new BatchRequest([.. Enumerable.Range(cut[i].Start, cut[i].Count).Select(p => ordinals[p])], null))))
        {
            for (var i = mine.Start; i < mine.End; i++)
            {
                context.StopRequested.ThrowIfCancellationRequested();
                using var batch = BatchRunner.Take(stream, context);
                scorer.Score(batch, scores.AsSpan(cut[i].Start, cut[i].Count));

                // Workers go side by side: what one has done of its share stands for all.
                var share = (cut[i].End - cut[mine.Start].Start) / (double)(cut[mine.End - 1].End - cut[mine.Start].Start);
                context.Progress(done + (long)(share * ordinals.Count), total, "samples");
            }
        }

        if (group.Size > 1)
        {
            // Bytes, because the sign of a score and all its bits must arrive as they are.
            var bytes = MemoryMarshal.AsBytes(scores.AsSpan()).ToArray();
            group.AllGather(
                new OperationKey($"scores-{context.Assignment.Stage}-{set}", 0),
                [.. ranges.Select(r => new IndexRange(r.Samples.Start * sizeof(float), r.Samples.End * sizeof(float)))],
                bytes).Wait(context.CancellationToken);
            MemoryMarshal.Cast<byte, float>(bytes).CopyTo(scores);
        }

        if (Array.FindIndex(scores, score => !float.IsFinite(score)) is >= 0 and var first)
        {
            throw new RunFailedException(
                $"{context.Assignment.Stage}: the model's confidence in a {set} sample is {scores[first]}; its weights or outputs are not finite");
        }

        return scores;
    }
}
