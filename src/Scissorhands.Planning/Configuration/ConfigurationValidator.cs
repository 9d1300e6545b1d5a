using System.Globalization;

namespace Scissorhands.Planning.Configuration;

/// <summary>Checks that every value of a configuration lies in its range.</summary>
public static class ConfigurationValidator
{
    private const int MaximumSlices = 1024;
    private const int MaximumMemories = 64;
    private const int MaximumThreads = 1024;
    private const int MaximumImageSize = 16384;

    /// <summary>Checks all values.</summary>
    /// <param name="configuration">What <see cref="ConfigurationBinder"/> bound, or code made.</param>
    /// <param name="tasks">The registered tasks' names; null for the built-in ones.</param>
    /// <exception cref="InputException">One line that names the first key out of range, its value, and what is allowed.</exception>
    public static void Validate(RunConfiguration configuration, IReadOnlyCollection<string>? tasks = null)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        OneOf("device", configuration.Device, "cpu", "cuda");
        Range("threads", configuration.Threads, 1, MaximumThreads);
        OneOf("numerics", configuration.Numerics, "default", "avx2", "avx512");
        OneOf("task", configuration.Task, [.. tasks ?? ["classification"]]);
        Data(configuration.Data);

        // Batch statistics over a single sample leave normalisation layers without a gradient.
        AtLeast("sensitivity.batchSize", configuration.Sensitivity.BatchSize, 2);
        AtLeast("sensitivity.blockBatches", configuration.Sensitivity.BlockBatches, 1);
        AtLeast("sensitivity.maxBatches", configuration.Sensitivity.MaxBatches, 0);

        Trim(configuration.Trim);
        Repair(configuration.Repair);

        Range("projection.memories", configuration.Projection.Memories, 0, MaximumMemories);
        AtLeast("projection.every", configuration.Projection.Every, 1);
        NotNegative("projection.margin", configuration.Projection.Margin);
        Positive("projection.eps", configuration.Projection.Eps);
        Globs("projection.scope", configuration.Projection.Scope);

        AtLeast("evaluation.batchSize", configuration.Evaluation.BatchSize, 1);
        AtLeast("checkpoint.everySteps", configuration.Checkpoint.EverySteps, 1);
        OneOf("wire.format", configuration.Wire.Format, "f32", "bf16", "int8");
        Range("augmentation.crop", configuration.Augmentation.Crop, 0, MaximumImageSize);
    }

    private static void Data(DataConfiguration data)
    {
        for (var i = 0; i < data.Mean.Count; i++)
        {
            Check($"data.mean[{i}]", data.Mean[i], data.Mean[i] is >= 0 and <= 1, "a number in [0,1] (channels are scaled to [0,1] first)");
        }

        for (var i = 0; i < data.Std.Count; i++)
        {
            Check($"data.std[{i}]", data.Std[i], data.Std[i] > 0 && float.IsFinite(data.Std[i]), "a number greater than 0");
        }

        Check("data.std", Show(data.Std), data.Std.Count == data.Mean.Count, $"a list as long as data.mean, which has {data.Mean.Count} entries");
        Range("data.imageSize", data.ImageSize, 0, MaximumImageSize);
        Check("data.cache", data.Cache, data.Cache is not null && !data.Cache.Any(char.IsControl), "a folder, none, or empty for the user's cache folder");
    }

    private static void Trim(TrimConfiguration trim)
    {
        Check("trim.fraction", trim.Fraction, trim.Fraction is > 0 and < 1, "a number greater than 0 and less than 1");
        Globs("trim.scope", trim.Scope);
        Globs("trim.exclude", trim.Exclude);
        OneOf("trim.thresholdOver", trim.ThresholdOver, "all", "scope");
        OneOf("trim.ties", trim.Ties, "index", "strict");
    }

    private static void Repair(RepairConfiguration repair)
    {
        AtLeast("repair.epochs", repair.Epochs, 0);
        AtLeast("repair.batchSize", repair.BatchSize, 1);
        Check(
            "repair.slices",
            repair.Slices,
            repair.Slices is >= 1 and <= MaximumSlices && (repair.Slices & (repair.Slices - 1)) == 0,
            $"a power of two from 1 to {MaximumSlices}");
        Positive("repair.lr", repair.Lr);
        OneOf("repair.schedule", repair.Schedule, "milestones", "cosine");
        Check("repair.momentum", repair.Momentum, repair.Momentum is >= 0 and < 1, "a number from 0 to less than 1");
        NotNegative("repair.weightDecay", repair.WeightDecay);
        var ascending = repair.Milestones.Zip(repair.Milestones.Skip(1), (a, b) => a < b).All(rises => rises);
        Check("repair.milestones", Show(repair.Milestones), ascending && repair.Milestones.All(m => m >= 1), "epochs of at least 1 in rising order");
        Positive("repair.gamma", repair.Gamma);
        NotNegative("repair.lambda", repair.Lambda);
        OneOf("repair.trainable", repair.Trainable, "all", "masked");
    }

    private static void Globs(string key, IReadOnlyList<string> globs)
    {
        for (var i = 0; i < globs.Count; i++)
        {
            Check($"{key}[{i}]", globs[i], ScopePattern.IsValid(globs[i]), "a glob on dotted parameter names, such as *layer4* or fc.?*, without spaces");
        }
    }

    private static void OneOf(string key, string value, params string[] allowed)
    {
        Check(key, value, allowed.Contains(value, StringComparer.Ordinal), (allowed.Length > 1 ? "one of " : "") + string.Join(", ", allowed));
    }

    private static void AtLeast(string key, int value, int least)
    {
        Check(key, value, value >= least, $"a whole number of at least {least}");
    }

    private static void Range(string key, int value, int least, int most)
    {
        Check(key, value, value >= least && value <= most, $"a whole number from {least} to {most}");
    }

    private static void Positive(string key, double value)
    {
        Check(key, value, value > 0 && double.IsFinite(value), "a number greater than 0");
    }

    private static void NotNegative(string key, double value)
    {
        Check(key, value, value >= 0 && double.IsFinite(value), "a number of at least 0");
    }

    private static void Check(string key, object? value, bool allowed, string what)
    {
        if (!allowed)
        {
            var shown = Convert.ToString(value, CultureInfo.InvariantCulture)?.ReplaceLineEndings(" ");
            throw new InputException($"configuration key '{key}' is {(string.IsNullOrEmpty(shown) ? "empty" : shown)}; it must be {what}") { Key = key };
        }
    }

    private static string Show<T>(IReadOnlyList<T> list)
        where T : IFormattable
    {
        return $"[{string.Join(",", list.Select(item => item.ToString(null, CultureInfo.InvariantCulture)))}]";
    }
}
