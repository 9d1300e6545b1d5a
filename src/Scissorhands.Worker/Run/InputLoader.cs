using Scissorhands.Data.Requests;
using Scissorhands.Data.Samples;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Worker.Run;

/// <summary>What a user names on the command line.</summary>
/// <param name="Model">Model file.</param>
/// <param name="Architecture">Architecture of a state dict, or null.</param>
/// <param name="Data">Training data.</param>
/// <param name="TestData">Test data, or null.</param>
/// <param name="Forget">Forget list.</param>
/// <param name="Forgotten">Ids of earlier runs, or null.</param>
/// <param name="IgnoreUnknown">Whether unknown ids are left out.</param>
/// <param name="Quarantine">Copies of samples, which are taken from there and not from the data; or null.</param>
/// <param name="Withheld">Ids that are left out of everything, as if they were not in the data; or null.</param>
public sealed record InputNames(string Model, string? Architecture, string Data, string? TestData, string Forget, string? Forgotten, bool IgnoreUnknown, string? Quarantine = null, string? Withheld = null);

/// <summary>Opens and resolves what a run or an evaluation works on.</summary>
public static class InputLoader
{
    /// <summary>Opens everything; cheap checks first, so that a typing error costs no decoding.</summary>
    /// <param name="names">What the user named.</param>
    /// <param name="configuration">The configuration.</param>
    /// <param name="progress">Told of indexing and decoding.</param>
    /// <param name="cancellationToken">Ends the loading.</param>
    /// <returns>The inputs; the caller disposes them.</returns>
    public static RunInputs Load(InputNames names, RunConfiguration configuration, IInputProgress progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(names);
        ArgumentNullException.ThrowIfNull(configuration);
        if (!File.Exists(names.Model))
        {
            throw new InputException($"--model {names.Model}: no such file");
        }

        var entries = Named("--forget", names.Forget, () => ForgetList.Read(names.Forget));
        if (entries.Count == 0)
        {
            throw new InputException($"--forget {names.Forget}: the forget list is empty");
        }

        var earlier = names.Forgotten is { } file ? Named("--forgotten", file, () => ForgetList.Read(file)) : [];
        var withheld = names.Withheld is { } left ? Named("--withheld", left, () => ForgetList.Read(left)) : [];
        if (withheld.Any(static e => e.Id is null))
        {
            throw new InputException($"--withheld {names.Withheld}: names subjects; it takes ids");
        }

        var overlay = new SampleOverlay(names.Quarantine, [.. withheld.Select(static e => e.Id!)]);
        ISampleSet? train = null, test = null;
        try
        {
            train = Named("--quarantine", names.Quarantine ?? "", () => Named("--data", names.Data, () => DataSets.Open(names.Data, configuration.Data, overlay, new Relay(progress, "--data"), cancellationToken)));
            var selection = ForgetList.Resolve(entries, train, names.IgnoreUnknown, names.Forget);
            if (selection.Unknown > 0)
            {
                progress.Say($"{names.Forget}: {selection.Unknown} entries are not in the data and are left out");
            }

            // What is asked for again now counts as asked for, not as forgotten.
            var asked = selection.Ordinals.ToHashSet();
            var known = ForgetList.ResolveForgotten(earlier, train);
            if (known.Unknown > 0)
            {
                progress.Say($"{names.Forgotten}: {known.Unknown} of {earlier.Count} entries are not in the data: deleted there too, or written otherwise than the data's ids");
            }

            var forgotten = known.Ordinals.Where(o => !asked.Contains(o)).Order().ToArray();
            if (selection.Ordinals.Count + forgotten.Length >= train.Count)
            {
                throw new InputException($"{names.Forget}: with the {forgotten.Length} samples forgotten earlier, the list covers all {train.Count} samples of the data; nothing would be left to repair the model on");
            }

            var classes = train.ClassNames;
            test = names.TestData is { } pattern
                ? Named("--test-data", pattern, () => DataSets.Open(pattern, configuration.Data, classes, new Relay(progress, "--test-data"), cancellationToken))
                : null;
            if (test is not null && test.Shape != train.Shape)
            {
                throw new InputException($"--test-data {names.TestData}: images are {test.Shape.Height}x{test.Shape.Width}, those of --data {train.Shape.Height}x{train.Shape.Width}; set data.imageSize");
            }

            if (test is not null && test.Digest == train.Digest)
            {
                throw new InputException($"--test-data {names.TestData}: holds the same samples as --data {names.Data}; name data that the model was not trained on");
            }

            return new RunInputs(configuration, names.Model, train, test, selection.Ordinals, forgotten)
            {
                Architecture = names.Architecture,
                UnknownForget = selection.Unknown,
                UnknownForgotten = known.Unknown,
            };
        }
        catch
        {
            train?.Dispose();
            test?.Dispose();
            throw;
        }
    }

    // Whoever opens a file does not know the option that named it.
    private static T Named<T>(string option, string name, Func<T> open)
    {
        try
        {
            return open();
        }
        catch (InputException e) when (e.Message.StartsWith(name + ":", StringComparison.Ordinal))
        {
            throw new InputException($"{option} {e.Message}", e);
        }
    }

    private sealed class Relay(IInputProgress progress, string source) : IProgress<DataProgress>
    {
        public void Report(DataProgress value) => progress.Data(source, value);
    }
}
