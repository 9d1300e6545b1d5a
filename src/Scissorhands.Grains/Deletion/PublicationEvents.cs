using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Scissorhands.Deletion.Models;
using Scissorhands.Grains.Store;

namespace Scissorhands.Grains.Deletion;

/// <summary>Somebody who is told of batches.</summary>
/// <param name="Name">The name.</param>
/// <param name="Types">What it is told of: types of <see cref="PublicationEvents"/>.</param>
public sealed record PublicationTarget(string Name, IReadOnlyList<string> Types);

/// <summary>
/// Events of batches that have ended, as CloudEvents 1.0 in JSON, one message a target. They name models, versions, batches,
/// runs and requests, never samples or people. An event has the same id however often its batch's last step is repeated, so
/// that receivers can tell it from another.
/// </summary>
public sealed class PublicationEvents
{
    /// <summary>A version was published and its certificate written.</summary>
    public const string ModelPublished = "dev.scissorhands.model.published";

    /// <summary>A batch came to nothing; the former version stays in use.</summary>
    public const string BatchFailed = "dev.scissorhands.batch.failed";

    /// <summary>A former version is in use again; certificates of those after it are revoked.</summary>
    public const string ModelRolledBack = "dev.scissorhands.model.rolled-back";

    /// <summary>The drift budget is used up: training anew is recommended.</summary>
    public const string ModelRetrain = "dev.scissorhands.model.retrain-recommended";

    /// <summary>All types.</summary>
    public static IReadOnlyList<string> Types { get; } = [ModelPublished, BatchFailed, ModelRolledBack, ModelRetrain];

    private readonly IReadOnlyList<PublicationTarget> _targets;

    /// <summary>Takes the targets.</summary>
    /// <param name="targets">Who is told; none for nobody.</param>
    public PublicationEvents(IReadOnlyList<PublicationTarget> targets)
    {
        _targets = targets;
    }

    /// <summary>Where a target's messages wait in the outbox.</summary>
    /// <param name="target">Its name.</param>
    /// <returns>The destination.</returns>
    public static string DestinationOf(string target) => $"hook:{target}";

    /// <summary>A batch was completed.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="version">Its version.</param>
    /// <param name="certificate">SHA-256 of the certificate's file.</param>
    /// <param name="now">Now.</param>
    /// <returns>A message for each target that wants it.</returns>
    public IReadOnlyList<OutgoingMessage> Published(DeletionBatch batch, ModelVersion version, string certificate, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(version);
        return Tell(
            ModelPublished,
            batch.Model,
            IdOf(ModelPublished, batch),
            new { model = batch.Model, version = version.Number, sha256 = version.Sha256, run = version.RunId, batch = batch.Number, requests = batch.Requests, certificateSha256 = certificate },
            now);
    }

    /// <summary>A batch has failed.</summary>
    /// <param name="batch">The batch, with its reason.</param>
    /// <param name="retryAt">When its requests are tried again (UTC); null where an operator has to say so.</param>
    /// <param name="now">Now.</param>
    /// <returns>A message for each target that wants it.</returns>
    public IReadOnlyList<OutgoingMessage> Failed(DeletionBatch batch, DateTimeOffset? retryAt, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(batch);
        return Tell(BatchFailed, batch.Model, IdOf(BatchFailed, batch), new { model = batch.Model, batch = batch.Number, run = batch.Attempts[^1].RunId, requests = batch.Requests, reason = batch.Reason, attempts = batch.Attempts.Count, retryAt }, now);
    }

    /// <summary>The drift budget was used up by a version.</summary>
    /// <param name="batch">Its batch.</param>
    /// <param name="version">The version.</param>
    /// <param name="now">Now.</param>
    /// <returns>A message for each target that wants it.</returns>
    public IReadOnlyList<OutgoingMessage> RetrainRecommended(DeletionBatch batch, ModelVersion version, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(version);
        return Tell(ModelRetrain, batch.Model, IdOf(ModelRetrain, batch), new { model = batch.Model, version = version.Number, drift = version.Drift, reason = version.Retrain }, now);
    }

    /// <summary>A former version is in use again.</summary>
    /// <param name="model">The model, as it was before.</param>
    /// <param name="to">The version.</param>
    /// <param name="revoked">Versions that were taken back.</param>
    /// <param name="reopened">Requests that are open again.</param>
    /// <param name="now">Now.</param>
    /// <returns>A message for each target that wants it.</returns>
    public IReadOnlyList<OutgoingMessage> RolledBack(StoredModel model, ModelVersion to, IReadOnlyList<ModelVersion> revoked, IReadOnlyList<string> reopened, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(to);
        ArgumentNullException.ThrowIfNull(revoked);
        return Tell(
            ModelRolledBack,
            to.Model,
            IdOf(string.Create(CultureInfo.InvariantCulture, $"{ModelRolledBack}\n{to.Model}\n{model.Version}\n{now.UtcTicks}")),
            new { model = to.Model, version = to.Number, sha256 = to.Sha256, from = model.CurrentVersion, revokedCertificates = revoked.Select(static v => v.Certificate).OfType<string>(), reopened },
            now);
    }

    private IReadOnlyList<OutgoingMessage> Tell(string type, string model, string id, object data, DateTimeOffset now)
    {
        var targets = _targets.Where(t => t.Types.Contains(type, StringComparer.Ordinal)).ToArray();
        if (targets.Length == 0)
        {
            return [];
        }

        var body = JsonSerializer.Serialize(
            new { specversion = "1.0", id, source = $"/v1/models/{model}", type, subject = model, time = now, datacontenttype = "application/json", data },
            DeletionJson.Options);
        return [.. targets.Select(t => new OutgoingMessage(DestinationOf(t.Name), type, body))];
    }

    // The batch's time parts services that have models of one name. No full stop in it: webhooks sign it with one behind it.
    private static string IdOf(string type, DeletionBatch batch) => IdOf(string.Create(CultureInfo.InvariantCulture, $"{type}\n{batch.Model}\n{batch.Number}\n{batch.CreatedAt.UtcTicks}"));

    private static string IdOf(string what) => "msg_" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(what)))[..32];
}
