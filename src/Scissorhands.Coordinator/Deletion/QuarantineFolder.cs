using Microsoft.Extensions.Logging;
using Scissorhands.Data.Quarantine;
using Scissorhands.Deletion.Models;
using Scissorhands.Deletion.Requests;
using Scissorhands.Grains.Deletion;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;
using Scissorhands.Planning.Files;
using Scissorhands.Reporting;

namespace Scissorhands.Coordinator.Deletion;

/// <summary>Quarantine in a model's folder, which the coordinator alone may read: <c>VERSIONS/quarantine/REQUEST.tar</c>.</summary>
internal sealed partial class QuarantineFolder(ILogger<QuarantineFolder> logger) : IQuarantine
{
    private const string Ending = ".tar";
    private const int TriesAgainstErasure = 3;
    private const string NotWritable = "its samples cannot be copied: see to it that there is room in the folder 'quarantine' of the model's versions and that the coordinator may write to it; tried again";
    private const UnixFileMode FolderMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode FileMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>How a model's data is indexed here. The index holds names of samples and persons: it is kept with what else the service has of the model, not in a user's cache.</summary>
    public static DataConfiguration IndexOptions(ModelRecord model) => VersionFolders.Configuration(model, model.Policy.Presets[0].Name, Path.Combine(model.Versions, "names")).Data;

    /// <summary>Ids and subjects in a model's quarantine.</summary>
    public static IEnumerable<(string Id, string? Subject)> Names(ModelRecord model, CancellationToken ct)
    {
        foreach (var file in Files(model))
        {
            IReadOnlyList<(string Id, string? Subject)> names;
            try
            {
                names = SampleCopies.Names(file, ct);
            }
            catch (InputException)
            {
                // Damaged, or gone since: its own request says so when its turn comes.
                continue;
            }

            foreach (var name in names)
            {
                yield return name;
            }
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<CopyOutcome>> CopyAsync(ModelRecord model, IReadOnlyList<RequestSamples> requests, IReadOnlyDictionary<string, string> contents, CancellationToken ct) => Task.Run<IReadOnlyList<CopyOutcome>>(
        () =>
        {
            try
            {
                VersionFolders.Make(Folder(model), FolderMode);
                var source = new Lazy<SampleCopies>(() => SampleCopies.Open(model.Data, IndexOptions(model), Files(model), contents, ct));
                var outcomes = new List<CopyOutcome>(requests.Count);
                foreach (var request in requests)
                {
                    ct.ThrowIfCancellationRequested();
                    outcomes.Add(Copy(model, source, request, ct));
                }

                // The names themselves must outlast a power cut before anybody erases a row.
                DurableFolder.Flush(Folder(model));
                DurableFolder.Flush(model.Versions);
                return outcomes;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                LogFolder(e, model.Name);
                return [.. requests.Select(static r => new CopyOutcome(r.Id, 0, NotWritable))];
            }
        },
        ct);

    /// <inheritdoc/>
    public Task<GatheredCopies> GatherAsync(ModelRecord model, DeletionBatch batch, IReadOnlyList<RequestSamples> requests, IReadOnlyDictionary<string, string> earlier, CancellationToken ct) => Task.Run(
        () =>
        {
            var target = VersionFolders.GatheredPath(model, batch);
            var samples = requests.SelectMany(static r => r.Samples).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();
            if (Gathered(target, samples, earlier, ct) is { } there)
            {
                return new GatheredCopies([], there);
            }

            if (requests.Where(r => !IsWhole(PathOf(model, r.Id), r.Samples, ct)).Select(static r => r.Id).ToArray() is { Length: > 0 } damaged)
            {
                return new GatheredCopies(damaged, []);
            }

            string[] files = [.. requests.Select(r => PathOf(model, r.Id))];
            VersionFolders.ForgetWithheld(model, batch);
            for (var tries = 1; ; tries++)
            {
                try
                {
                    var data = earlier.Count > 0 ? SampleCopies.Open(model.Data, IndexOptions(model), [], earlier, ct) : null;
                    var unchanged = data?.Unchanged(earlier.Keys.Order(StringComparer.Ordinal)) ?? [];
                    if (samples.Length + unchanged.Count == 0)
                    {
                        return new GatheredCopies([], []);
                    }

                    PublishedFile.Write(target, stream => SampleCopies.Merge(stream, files, samples, data, unchanged, ct));
                    return new GatheredCopies([], unchanged);
                }
                catch (InputException) when (tries < TriesAgainstErasure)
                {
                    // A row was erased between being found and being read.
                }
                catch (InputException)
                {
                    // What was thrown may quote an id, which nobody reads in the log or the audit.
                    LogNotGathered(model.Name, batch.Number, tries);
                    throw new RunFailedException("the samples that it works on could not be put together: their copies, or the training data, were changed meanwhile or cannot be read (see: scissorhands data)") { MayPass = true };
                }
            }
        },
        ct);

    /// <inheritdoc/>
    public Task<IReadOnlyDictionary<string, string>> ContentsAsync(ModelRecord model, DeletionBatch batch, CancellationToken ct) => Task.Run(
        () =>
        {
            var path = VersionFolders.GatheredPath(model, batch);
            try
            {
                return File.Exists(path) ? SampleCopies.Contents(path, ct) : new Dictionary<string, string>();
            }
            catch (InputException e) when (e.InnerException is null)
            {
                // Damaged since the run read it: without digests its samples are not judged again, which must not keep their result from being published.
                return new Dictionary<string, string>();
            }
        },
        ct);

    /// <inheritdoc/>
    public Task TrimAsync(ModelRecord model, RequestSamples request, CancellationToken ct) => Task.Run(
        () =>
        {
            var path = PathOf(model, request.Id);
            if (request.Samples.Count == 0 || !File.Exists(path))
            {
                Delete(model, request.Id);
            }
            else if (!IsWhole(path, request.Samples, ct))
            {
                try
                {
                    PublishedFile.Write(path, stream => SampleCopies.Merge(stream, [path], request.Samples, ct), FileMode);
                }
                catch (InputException e) when (e.InnerException is null)
                {
                    // Damaged and not merely unreadable at the moment, so that nothing of it can be used: it is made again when its request's turn comes.
                    Delete(model, request.Id);
                }
            }
        },
        ct);

    /// <inheritdoc/>
    public Task DestroyAsync(ModelRecord model, IReadOnlyList<string> requests, CancellationToken ct) => Task.Run(
        () =>
        {
            foreach (var request in requests)
            {
                Delete(model, request);
            }
        },
        ct);

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> ListAsync(ModelRecord model, CancellationToken ct) => Task.Run<IReadOnlyList<string>>(
        () => Directory.Exists(Folder(model)) ? [.. Directory.EnumerateFiles(Folder(model)).Select(static file => Path.GetFileName(file).Split('.')[0]).Distinct(StringComparer.Ordinal)] : [],
        ct);

    private static string Folder(ModelRecord model) => Path.Combine(model.Versions, "quarantine");

    private static string PathOf(ModelRecord model, string request) => Path.Combine(Folder(model), request + Ending);

    private static string[] Files(ModelRecord model) => Directory.Exists(Folder(model)) ? [.. Directory.GetFiles(Folder(model), "*" + Ending).Order(StringComparer.Ordinal)] : [];

    /// <summary>What was forgotten before in the file of a batch, where that is whole; otherwise null.</summary>
    private static IReadOnlyList<string>? Gathered(string path, string[] samples, IReadOnlyDictionary<string, string> earlier, CancellationToken ct) =>
        SampleCopies.Whole(path, there => there.IsSupersetOf(samples) && there.Except(samples, StringComparer.Ordinal).All(earlier.ContainsKey), ct) is { } whole
            ? [.. whole.Except(samples, StringComparer.Ordinal).Order(StringComparer.Ordinal)]
            : null;

    private static bool IsWhole(string path, IReadOnlyList<string> samples, CancellationToken ct)
    {
        try
        {
            return SampleCopies.Holds(path, samples, ct);
        }
        catch (InputException)
        {
            return false;
        }
    }

    private static void Delete(ModelRecord model, string request)
    {
        File.Delete(PathOf(model, request));
        File.Delete(PathOf(model, request) + ".part");
    }

    private CopyOutcome Copy(ModelRecord model, Lazy<SampleCopies> source, RequestSamples request, CancellationToken ct)
    {
        var path = PathOf(model, request.Id);
        try
        {
            if (IsWhole(path, request.Samples, ct))
            {
                return new CopyOutcome(request.Id, 0, null);
            }

            if (source.Value.Missing(request.Samples) is > 0 and var missing)
            {
                return new CopyOutcome(request.Id, missing, null);
            }

            PublishedFile.Write(path, stream => source.Value.Write(stream, request.Samples), FileMode, flushName: false);
            return new CopyOutcome(request.Id, 0, null);
        }
        catch (RunFailedException e)
        {
            LogNotCopied(e, request.Id);
            return new CopyOutcome(request.Id, 0, NotWritable);
        }
        catch (InputException) when (source.IsValueCreated)
        {
            return new CopyOutcome(request.Id, 0, "its samples cannot be copied: they were changed meanwhile, or cannot be read; tried again");
        }
    }

    [LoggerMessage(LogLevel.Warning, "The samples of request {Request} cannot be copied into quarantine; tried again")]
    private partial void LogNotCopied(Exception exception, string request);

    [LoggerMessage(LogLevel.Warning, "Model {Model}: what batch {Batch} works on could not be put together, {Tries} times; its copies or the training data cannot be read, or are being changed")]
    private partial void LogNotGathered(string model, int batch, int tries);

    [LoggerMessage(LogLevel.Warning, "Model {Model}: its quarantine cannot be written; tried again")]
    private partial void LogFolder(Exception exception, string model);
}
