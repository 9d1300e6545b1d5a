using System.Globalization;
using Scissorhands.Certificates.Merkle;
using Scissorhands.Certificates.Signing;
using Scissorhands.Certificates.Statements;
using Scissorhands.Planning;
using Scissorhands.Reporting;

namespace Scissorhands.Certificates.Verification;

/// <summary>The checks of a certificate. None needs a network or anything but the files that are given.</summary>
public static class CertificateChecks
{
    private const string Model = "model.safetensors";
    private const string Mask = "mask.safetensors";

    // What a message lists before it says how many more there are.
    private const int Listed = 5;

    /// <summary>Whether the signature is that of the key within the certificate.</summary>
    /// <param name="certificate">The certificate.</param>
    /// <returns>The check <c>signature</c>.</returns>
    public static Check Signature(Certificate certificate)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        const string name = "signature";
        try
        {
            using var key = VerificationKey.FromSubjectPublicKeyInfo(certificate.PublicKey);
            return certificate.Envelope.KeyId != key.KeyId ? Failed(name, $"the envelope names key {certificate.Envelope.KeyId}, the statement holds key {key.KeyId}")
                : !certificate.Envelope.IsSignedBy(key) ? Failed(name, $"not by key {key.KeyId}, or something was changed since")
                : Passed(name, $"ECDSA P-256 with SHA-256 by key {key.KeyId}");
        }
        catch (FormatException failure)
        {
            return Failed(name, failure.Message);
        }
    }

    /// <summary>Whether the key is the one that is trusted.</summary>
    /// <param name="certificate">The certificate.</param>
    /// <param name="trustedKeyId">Id of the trusted key; null where none was named.</param>
    /// <returns>The check <c>signer</c>.</returns>
    public static Check Signer(Certificate certificate, string? trustedKeyId)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        const string name = "signer";
        var ephemeral = certificate.Statement.Predicate.Signer.Ephemeral ? "; the key was made for this run and thrown away, so it stands for nobody" : "";
        return trustedKeyId is null
            ? new Check(name, CheckOutcome.NotMade, $"anybody can sign with a key of their own: compare {certificate.SignerKeyId} with the id you know, or give --key or --keyid{ephemeral}")
            : certificate.SignerKeyId == trustedKeyId ? Passed(name, $"the key that was given{ephemeral}")
            : Failed(name, $"signed by key {certificate.SignerKeyId}, trusted is {trustedKeyId}");
    }

    /// <summary>Whether the statement keeps to the rules of its type.</summary>
    /// <param name="certificate">The certificate.</param>
    /// <returns>The check <c>statement</c>.</returns>
    public static Check Rules(Certificate certificate)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        var faults = StatementRules.Faults(certificate.Statement);
        return faults.Count == 0 ? Passed("statement", $"whole and consistent, sha256 {certificate.StatementSha256}") : Failed("statement", string.Join("; ", faults));
    }

    /// <summary>Whether a file is the published model, in one of its forms.</summary>
    /// <param name="certificate">The certificate.</param>
    /// <param name="path">The file; null where none was given.</param>
    /// <returns>The check <c>model</c>.</returns>
    /// <exception cref="InputException">The file cannot be read.</exception>
    public static Check PublishedModel(Certificate certificate, string? path) => File(certificate, "model", "--model", path, static subject => subject.Name.StartsWith("model.", StringComparison.Ordinal));

    /// <summary>Whether a file is the mask.</summary>
    /// <param name="certificate">The certificate.</param>
    /// <param name="path">The file; null where none was given.</param>
    /// <returns>The check <c>mask</c>.</returns>
    /// <exception cref="InputException">The file cannot be read.</exception>
    public static Check PublishedMask(Certificate certificate, string? path) => File(certificate, "mask", "--mask", path, static subject => subject.Name == Mask);

    /// <summary>Whether another certificate is the one that this one names as its model's.</summary>
    /// <param name="certificate">The certificate.</param>
    /// <param name="earlier">The other one; null where none was given.</param>
    /// <returns>The check <c>lineage</c>.</returns>
    public static Check Lineage(Certificate certificate, Certificate? earlier)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        const string name = "lineage";
        var predicate = certificate.Statement.Predicate;
        return (predicate.Lineage, earlier) switch
        {
            (null, null) => new Check(name, CheckOutcome.NotMade, "the model before had no certificate"),
            (null, _) => Failed(name, "the certificate names no earlier one"),
            ({ } named, null) => new Check(name, CheckOutcome.NotMade, $"follows the certificate with statement sha256 {named.EarlierStatementSha256}; give it with --earlier"),
            ({ } named, { } given) when named.EarlierStatementSha256 != given.StatementSha256 => Failed(name, $"follows the certificate with statement sha256 {named.EarlierStatementSha256}, given is {given.StatementSha256}"),
            (_, { } given) when !given.Statement.Subject.Any(subject => subject.Digest.Sha256 == predicate.Model.Sha256) => Failed(name, "the model before is not one that the earlier certificate is about"),
            (_, { } given) => Signature(given) is { Outcome: CheckOutcome.Failed } broken ? Failed(name, $"the earlier certificate's signature: {broken.Detail}")
                : Passed(name, $"the model before is the one of the earlier certificate, signed by key {given.SignerKeyId}"),
        };
    }

    /// <summary>Whether ids belong to the forgotten ones.</summary>
    /// <param name="certificate">The certificate.</param>
    /// <param name="ids">The ids, with the lines they stand on; null where none were given.</param>
    /// <param name="proofs">What a file of proofs holds.</param>
    /// <returns>The checks <c>ids</c> and <c>plan</c>; no details name an id.</returns>
    /// <exception cref="InputException">The proofs are malformed.</exception>
    public static IReadOnlyList<Check> Ids(Certificate certificate, IReadOnlyList<(int Line, string Id)>? ids, IEnumerable<object> proofs)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        ArgumentNullException.ThrowIfNull(proofs);
        const string name = "ids";
        if (ids is null)
        {
            return [new Check(name, CheckOutcome.NotMade, "give --ids, and --proofs where they do not lie beside the certificate")];
        }

        var forgotten = certificate.Statement.Predicate.Forgotten;
        var proven = new Dictionary<string, int>(StringComparer.Ordinal);
        var refuted = 0;
        Check? plan = null;
        foreach (var proof in proofs)
        {
            switch (proof)
            {
                case PlanOpening opening:
                    plan = Plan(certificate, opening);
                    break;
                case IdOpening opening when opening.Proves(forgotten.Count, forgotten.MerkleRoot):
                    proven[opening.Id] = opening.Index;
                    break;
                default:
                    refuted++;
                    break;
            }
        }

        var checks = plan is null ? new List<Check>() : [plan];
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var repeated = ids.Where(id => !seen.Add(id.Id)).Select(static id => id.Line).ToArray();
        var missing = ids.Where(id => !proven.ContainsKey(id.Id)).Select(static id => id.Line).ToArray();
        var counts = string.Create(CultureInfo.InvariantCulture, $"{seen.Count} of the {forgotten.Count} forgotten ids");
        checks.Add(
            refuted > 0 ? Failed(name, $"{refuted} proofs do not lead to the certificate's root")
            : missing.Length > 0 ? Failed(name, $"no proof for {missing.Length} of {seen.Count} ids: {Lines(missing)}")
            : repeated.Length > 0 ? Failed(name, $"ids that come twice: {Lines(repeated)}")
            : seen.Count == 0 ? Failed(name, "the list is empty")
            : Passed(name, seen.Count == forgotten.Count ? $"{counts}: all of them" : counts));
        return checks;
    }

    /// <summary>Whether files made again have the bytes that are certified.</summary>
    /// <param name="certificate">The certificate.</param>
    /// <param name="folder">Where a run with the same inputs left its results.</param>
    /// <returns>The check <c>rerun</c>.</returns>
    public static Check Rerun(Certificate certificate, string folder)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var differing = new List<string>();
        foreach (var subject in certificate.Statement.Subject.Where(static subject => subject.Name is Model or Mask))
        {
            var path = Path.Combine(folder, subject.Name);
            if (!System.IO.File.Exists(path) || Digest(path) != subject.Digest.Sha256)
            {
                differing.Add(subject.Name);
            }
        }

        return differing.Count == 0
            ? Passed("rerun", "the same inputs gave the same bytes")
            : Failed("rerun", $"{string.Join(" and ", differing)} came out with other bytes");
    }

    private static Check Plan(Certificate certificate, PlanOpening opening)
    {
        const string name = "plan";
        try
        {
            return opening.Commitment == certificate.Statement.Predicate.Plan.Commitment
                ? Passed(name, $"sha256 {opening.PlanHash}")
                : Failed(name, "the plan's hash and nonce do not open the certificate's commitment");
        }
        catch (FormatException failure)
        {
            return Failed(name, failure.Message);
        }
    }

    private static Check File(Certificate certificate, string name, string option, string? path, Func<Subject, bool> isMeant)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        if (path is null)
        {
            return new Check(name, CheckOutcome.NotMade, $"give {option}");
        }

        var digest = Digest(path);
        var meant = certificate.Statement.Subject.Where(isMeant).ToArray();
        return Array.Find(meant, subject => subject.Digest.Sha256 == digest) is { } found
            ? Passed(name, $"{path} is the certified {found.Name}, sha256 {digest}")
            : Failed(name, $"{path} has sha256 {digest}, certified {(meant.Length == 0 ? "is none" : "are " + string.Join(", ", meant.Select(static subject => $"{subject.Name} {subject.Digest.Sha256}")))}");
    }

    private static string Digest(string path)
    {
        if (!System.IO.File.Exists(path))
        {
            throw new InputException($"{path}: no such file");
        }

        try
        {
            return PublishedFile.Sha256(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: cannot be read: {failure.Message.ReplaceLineEndings(" ")}", failure);
        }
    }

    private static string Lines(IReadOnlyList<int> lines) =>
        $"line{(lines.Count == 1 ? "" : "s")} {string.Join(", ", lines.Take(Listed))}{(lines.Count > Listed ? $" and {lines.Count - Listed} more" : "")}";

    private static Check Passed(string name, string detail) => new(name, CheckOutcome.Passed, detail);

    private static Check Failed(string name, string detail) => new(name, CheckOutcome.Failed, detail);
}
