using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Deletion.Batching;
using Scissorhands.Deletion.Gate;
using Scissorhands.Deletion.Models;
using Scissorhands.Grains.Store;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;
using Scissorhands.Planning.Files;
using Scissorhands.Reporting;
using Scissorhands.Reporting.Model;

namespace Scissorhands.Grains.Deletion;

/// <summary>
/// A model's folder: <c>v0000</c>, <c>v0001</c>, ... hold versions, <c>current</c> is a link to the one in use, and
/// <c>work/batch-0001</c> what a batch works on: lists of samples, copies of those to forget, a cache of decoded images and the
/// folder of each attempt. What knows the samples lies in <c>work</c> and in former versions, so that it can be destroyed.
/// </summary>
public sealed partial class VersionFolders : IVersionFolders
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute;
    private const string OwnerFile = ".model";
    private const string RunFile = ".run";
    private const string WithheldFile = "withheld.jsonl";
    private const string SaliencyFile = "saliency.safetensors";

    /// <inheritdoc/>
    public async Task<ModelVersion> AdoptAsync(ModelRecord model, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(model);
        var folder = VersionPath(model, 0);
        var file = Path.Combine(folder, "model" + Path.GetExtension(model.File));
        try
        {
            Make(folder);
            Own(model);
            if (!File.Exists(file) || await HashAsync(file, ct) != model.Sha256)
            {
                var beside = $"{file}.{Guid.NewGuid():N}.part";
                try
                {
                    await using (var source = File.OpenRead(model.File))
                    await using (var target = new FileStream(beside, FileMode.CreateNew, FileAccess.Write))
                    {
                        await source.CopyToAsync(target, ct);
                        target.Flush(flushToDisk: true);
                    }

                    if (await HashAsync(beside, ct) != model.Sha256)
                    {
                        throw new InputException($"{model.File}: its SHA-256 is not {model.Sha256}");
                    }

                    File.Move(beside, file, overwrite: true);
                    DurableFolder.Flush(folder);
                }
                finally
                {
                    File.Delete(beside);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"model {model.Name}: its version 0 cannot be made in {model.Versions} ({e.Message})", e);
        }

        return new ModelVersion { Model = model.Name, Number = 0, File = file, Sha256 = model.Sha256, PublishedAt = File.GetLastWriteTimeUtc(file), State = VersionState.Current };
    }

    /// <summary>A folder of versions is one model's: two would take each other's versions for their own.</summary>
    private static void Own(ModelRecord model)
    {
        var marker = Path.Combine(model.Versions, OwnerFile);
        var isCut = new FileInfo(marker) is { Exists: true, Length: 0 };
        if (isCut || !File.Exists(marker))
        {
            // Whole or not at all: what a full disk had cut short would be nobody's name.
            var beside = $"{marker}.{Guid.NewGuid():N}.part";
            try
            {
                File.WriteAllText(beside, model.Name);
                File.Move(beside, marker, overwrite: isCut);
            }
            catch (IOException) when (File.Exists(marker))
            {
                // Another was faster: whose it is follows.
            }
            finally
            {
                File.Delete(beside);
            }
        }

        if (File.ReadAllText(marker) != model.Name)
        {
            throw new InputException($"versions {model.Versions}: is another model's folder; name one of its own");
        }
    }

    /// <inheritdoc/>
    public async Task<RunOrder> PrepareAsync(StoredModel model, DeletionBatch batch, BatchAttempt attempt, ModelVersion from, RunSamples samples, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(attempt);
        ArgumentNullException.ThrowIfNull(from);
        ArgumentNullException.ThrowIfNull(samples);
        var record = model.Record;
        var work = BatchPath(record, batch);
        Make(work);
        var forget = Path.Combine(work, "forget.jsonl");
        var forgotten = Path.Combine(work, "tombstones.jsonl");
        var withheld = Path.Combine(work, WithheldFile);
        WriteIds(forget, samples.Forget);
        WriteIds(forgotten, samples.Earlier);
        if (!File.Exists(withheld))
        {
            WriteIds(withheld, samples.Withheld);
        }

        if (await HashAsync(from.File, ct) != from.Sha256)
        {
            throw new RunFailedException($"{from.File}: is not what was published as version {from.Number} of model {record.Name}");
        }

        var configuration = Configuration(record, attempt.Preset, Path.Combine(work, "cache"));
        return new RunOrder
        {
            Model = from.File,
            Architecture = record.Architecture,
            Data = record.Data,
            TestData = record.TestData,
            Forget = forget,
            Forgotten = samples.Earlier.Count > 0 ? forgotten : null,
            Quarantine = samples.Copied || samples.Earlier.Count > 0 ? GatheredPath(record, batch) : null,
            Withheld = new FileInfo(withheld).Length > 0 ? withheld : null,
            Out = AttemptPath(record, batch, attempt),
            Configuration = ConfigurationJson.Canonical(configuration),
            Pool = record.Pool,
            Workers = record.Workers,
            Deadline = batch.Deadline,
            Device = configuration.Device,
        };
    }

    /// <summary>The configuration of a model's run with a preset.</summary>
    /// <param name="model">The model.</param>
    /// <param name="preset">The preset's name.</param>
    /// <param name="cache">The cache's folder.</param>
    /// <returns>The configuration, validated.</returns>
    /// <exception cref="InputException">A key or value is wrong: names it.</exception>
    public static RunConfiguration Configuration(ModelRecord model, string preset, string cache)
    {
        ArgumentNullException.ThrowIfNull(model);
        var own = ConfigurationJson.ParseTree(model.Configuration, $"configuration of model {model.Name}");
        var over = model.Policy.Presets.Single(p => p.Name == preset).Configuration.DeepClone();
        var configuration = ConfigurationBinder.Bind([($"configuration of model {model.Name}", own), ($"preset {preset}", over)], []);

        // Whatever the model says: decoded images of those who are forgotten have to go with the batch.
        configuration = configuration with { Data = configuration.Data with { Cache = cache } };
        ConfigurationValidator.Validate(configuration, ["classification"]);
        return configuration;
    }

    /// <inheritdoc/>
    public Task<GateFigures> FiguresAsync(StoredModel model, DeletionBatch batch, BatchAttempt attempt, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(attempt);
        var report = ReportJson.Read(Path.Combine(AttemptPath(model.Record, batch, attempt), "report.json"));
        var (before, after) = (report.Before, report.AfterRepair);

        // Too few to be parted are looked at whole.
        var parted = Choice(before) is not null && Choice(after) is not null;
        return Task.FromResult(new GateFigures(
            Share(after.Forget)!,
            after.NonMemberShare is { } share ? new MeasuredShare(share, after.Forget.Count) : null,
            Share(before.Retain)!,
            Share(after.Retain)!,
            parted ? Choice(before) : Share(before.Test),
            parted ? Choice(after) : Share(after.Test),
            Share(after.Earlier),
            parted ? Share(before.TestFinal) : null,
            parted ? Share(after.TestFinal) : null));
    }

    /// <summary>Accuracy on the half of the test data that attempts are chosen with: what is left of all of it without the other half.</summary>
    private static MeasuredShare? Choice(ModelMeasurement model)
    {
        if (model is not { Test: { } all, TestFinal: { } final } || all.Count <= final.Count)
        {
            return null;
        }

        var count = all.Count - final.Count;
        return new MeasuredShare((Math.Round(all.Accuracy * all.Count) - Math.Round(final.Accuracy * final.Count)) / count, count);
    }

    /// <inheritdoc/>
    public async Task<PublishedVersion> PublishAsync(StoredModel model, DeletionBatch batch, BatchAttempt attempt, int number, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(attempt);
        var record = model.Record;
        var target = VersionPath(record, number);
        if (Directory.Exists(target) && !(File.Exists(Path.Combine(target, RunFile)) && await File.ReadAllTextAsync(Path.Combine(target, RunFile), ct) == attempt.RunId))
        {
            throw new RunFailedException($"{target}: is there already, and not of run {attempt.RunId}; was the store restored from before? Move it away");
        }

        if (!Directory.Exists(target))
        {
            var source = AttemptPath(record, batch, attempt);
            var beside = target + ".part";
            Make(beside);

            // A crash may have left some of them moved already. Saliency tells of the forgotten samples: it is not published.
            foreach (var file in Directory.EnumerateFiles(source).Where(static f => Path.GetFileName(f) != SaliencyFile))
            {
                File.Move(file, Path.Combine(beside, Path.GetFileName(file)), overwrite: true);
            }

            // Whoever runs it again needs to know what was left out; like the openings, it is the operator's.
            var withheld = Path.Combine(BatchPath(record, batch), WithheldFile);
            if (new FileInfo(withheld) is { Exists: true, Length: > 0 })
            {
                File.Copy(withheld, Path.Combine(beside, WithheldFile), overwrite: true);
            }

            await File.WriteAllTextAsync(Path.Combine(beside, RunFile), attempt.RunId, ct);
            Directory.Move(beside, target);
        }

        // The version's names must outlast a power cut before anything that it could be made from again is destroyed.
        DurableFolder.Flush(target);
        DurableFolder.Flush(record.Versions);

        var report = ReportJson.Read(Path.Combine(target, "report.json"));
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var artifact in report.Artifacts.Where(static a => a.File != SaliencyFile))
        {
            var hash = await HashAsync(Path.Combine(target, artifact.File), ct);
            files[artifact.File] = hash == artifact.Sha256 ? hash : throw new RunFailedException($"{Path.Combine(target, artifact.File)}: is not the file that its report describes");
        }

        files["report.json"] = await HashAsync(Path.Combine(target, "report.json"), ct);
        var loaded = files.ContainsKey("model.pt") ? "model.pt" : "model.safetensors";
        return new PublishedVersion(Path.Combine(target, loaded), files[loaded], files);
    }

    /// <inheritdoc/>
    public Task<LineageDrift?> DriftAsync(ModelRecord model, IReadOnlyList<ModelVersion> versions, int version, long forgotten, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(versions);
        var line = versions.Where(static v => v is { Batch: not null, RevokedAt: null }).Select(static v => v.Number).Append(version).Order().ToArray();
        try
        {
            var first = ReportJson.Read(Path.Combine(VersionPath(model, line[0]), "report.json"));
            var last = ReportJson.Read(Path.Combine(VersionPath(model, version), "report.json"));
            var trained = first.Identity.RetainCount + first.Identity.ForgetCount;
            return Task.FromResult<LineageDrift?>(new LineageDrift(
                line.Length,
                trained == 0 ? 0 : 100.0 * forgotten / trained,
                first.Before.Test is { } before && last.AfterRepair.Test is { } after ? 100 * (before.Accuracy - after.Accuracy) : null));
        }
        catch (Exception e) when (e is InputException or IOException or UnauthorizedAccessException)
        {
            return Task.FromResult<LineageDrift?>(null);
        }
    }

    /// <inheritdoc/>
    public Task PointAsync(ModelRecord model, int version, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(model);
        var link = Path.Combine(model.Versions, "current");
        var beside = $"{link}.{Guid.NewGuid():N}";
        File.CreateSymbolicLink(beside, VersionName(version));

        // File.Move follows links; this renames the link itself, over the old one, so that readers see one or the other.
        if (Rename(beside, link) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            File.Delete(beside);
            throw new IOException($"{link}: cannot be pointed at version {version} ({Marshal.GetPInvokeErrorMessage(error)})");
        }

        DurableFolder.Flush(model.Versions);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> DestroyAsync(StoredModel model, DeletionBatch batch, IReadOnlyList<ModelVersion> superseded, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(superseded);
        var gone = new List<string>();
        var work = BatchPath(model.Record, batch);
        if (Directory.Exists(work))
        {
            Directory.Delete(work, recursive: true);
        }

        gone.Add($"batch {batch.Number}: forget list, the samples it worked on, decoded images, checkpoints, saliency and memory gradients of {batch.Attempts.Count} attempts");
        foreach (var version in superseded)
        {
            var folder = Path.GetDirectoryName(version.File)!;
            foreach (var file in Directory.Exists(folder) ? Directory.GetFiles(folder) : [])
            {
                if (Path.GetExtension(file) is ".pt" or ".pth" or ".safetensors" || file == version.File)
                {
                    File.Delete(file);
                }
            }

            gone.Add($"version {version.Number}: weights and mask");
        }

        return Task.FromResult<IReadOnlyList<string>>(gone);
    }

    /// <inheritdoc/>
    public Task SweepAsync(StoredModel model, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(model);
        var work = Path.Combine(model.Record.Versions, "work");
        var open = model.OpenBatch is { } number ? BatchName(number) : null;
        foreach (var folder in Directory.Exists(work) ? Directory.GetDirectories(work) : [])
        {
            if (Path.GetFileName(folder) != open)
            {
                Directory.Delete(folder, recursive: true);
            }
        }

        return Task.CompletedTask;
    }

    /// <summary>The folder of a version.</summary>
    /// <param name="model">The model.</param>
    /// <param name="version">The version's number.</param>
    /// <returns>The path.</returns>
    public static string VersionPath(ModelRecord model, int version)
    {
        ArgumentNullException.ThrowIfNull(model);
        return Path.Combine(model.Versions, VersionName(version));
    }

    /// <summary>The file with the copies of a batch's samples, which goes with the batch's folder.</summary>
    /// <param name="model">The model.</param>
    /// <param name="batch">The batch.</param>
    /// <returns>The path; its folder is there.</returns>
    public static string GatheredPath(ModelRecord model, DeletionBatch batch)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batch);
        var work = BatchPath(model, batch);
        Make(work);
        return Path.Combine(work, "quarantine.tar");
    }

    /// <summary>Deletes the list of what a batch withholds, as what it judges again is about to be another; it is written with the next order.</summary>
    /// <param name="model">The model.</param>
    /// <param name="batch">The batch.</param>
    public static void ForgetWithheld(ModelRecord model, DeletionBatch batch)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batch);
        var work = BatchPath(model, batch);
        Make(work);
        File.Delete(Path.Combine(work, WithheldFile));
    }

    /// <summary>Makes a folder, unless it is there.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="mode">Who may do what with it.</param>
    public static void Make(string folder, UnixFileMode mode = Private)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(folder);
        }
        else
        {
            Directory.CreateDirectory(folder, mode);
        }
    }

    /// <summary>SHA-256 of a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="ct">Ends the reading.</param>
    /// <returns>Lower-case hex.</returns>
    public static async Task<string> HashAsync(string path, CancellationToken ct)
    {
        await using var stream = File.OpenRead(path);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, ct));
    }

    [LibraryImport("libc", EntryPoint = "rename", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Rename(string from, string to);

    private static string VersionName(int version) => string.Create(CultureInfo.InvariantCulture, $"v{version:0000}");

    /// <summary>The batch of a model that a run writes for, by the folder that it writes to; null where the run is none of the model's.</summary>
    public static int? BatchOf(ModelRecord model, string outputFolder)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(outputFolder);
        var work = Path.Combine(model.Versions, "work", "batch-");
        return outputFolder.StartsWith(work, StringComparison.Ordinal) && int.TryParse(outputFolder[work.Length..].Split('/')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
    }

    private static string BatchPath(ModelRecord model, DeletionBatch batch) => Path.Combine(model.Versions, "work", BatchName(batch.Number));

    private static string BatchName(int number) => string.Create(CultureInfo.InvariantCulture, $"batch-{number:0000}");

    private static string AttemptPath(ModelRecord model, DeletionBatch batch, BatchAttempt attempt) =>
        Path.Combine(BatchPath(model, batch), string.Create(CultureInfo.InvariantCulture, $"attempt-{attempt.Number}"));

    private static MeasuredShare? Share(SetMeasurement? set) => set is { Count: > 0 } ? new MeasuredShare(set.Accuracy, set.Count) : null;

    // JSON lines: an id may look like anything.
    private static void WriteIds(string path, IReadOnlyList<string> ids) => PublishedFile.Write(path, stream =>
    {
        foreach (var id in ids)
        {
            JsonSerializer.Serialize(stream, new { id });
            stream.WriteByte((byte)'\n');
        }
    });
}
