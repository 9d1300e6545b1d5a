using Scissorhands.Certificates.Bom;
using Scissorhands.Certificates.Signing;
using Scissorhands.Certificates.Statements;
using Scissorhands.Planning;
using Scissorhands.Reporting.Model;
using Scissorhands.Reporting;
using Scissorhands.Worker.Run;

namespace Scissorhands.Cli.Run;

/// <summary>The certificate of a local run: what is checked before the run begins, and issuing it at the end.</summary>
internal sealed class RunCertificate
{
    private readonly SigningKey _key;
    private readonly Certificate? _earlier;

    private RunCertificate(SigningKey key, Certificate? earlier)
    {
        _key = key;
        _earlier = earlier;
    }

    /// <summary>Checks what was asked for, before anything long is begun.</summary>
    /// <param name="key">The key; null where no certificate is wanted.</param>
    /// <param name="earlierPath">The certificate of the model before, or null.</param>
    /// <param name="modelPath">The model before.</param>
    /// <returns>What issues the certificate, or null.</returns>
    /// <exception cref="InputException">The earlier certificate cannot be read, or is about another model.</exception>
    public static RunCertificate? Prepare(SigningKey? key, string? earlierPath, string modelPath)
    {
        if (key is null)
        {
            return earlierPath is null ? null : throw new InputException($"--earlier-certificate {earlierPath}: no certificate is made without --sign-key or {SigningKey.FileVariable}");
        }

        if (earlierPath is null)
        {
            return new RunCertificate(key, null);
        }

        var earlier = Certificate.Read(earlierPath);
        var digest = File.Exists(modelPath) ? PublishedFile.Sha256(modelPath) : null;
        return digest is null || earlier.Statement.Subject.Any(subject => subject.Digest.Sha256 == digest)
            ? new RunCertificate(key, earlier)
            : throw new InputException($"--earlier-certificate {earlierPath}: is not about --model {modelPath}, whose sha256 is {digest}");
    }

    /// <summary>Writes certificate, openings and bill of materials of a finished run, unless its certificate is there.</summary>
    /// <param name="report">The run's report.</param>
    /// <param name="inputs">What it worked on.</param>
    /// <param name="folder">Its folder.</param>
    /// <param name="time">The clock.</param>
    /// <param name="say">Told where the certificate is.</param>
    /// <exception cref="RunFailedException">The results are no longer those of the report, or a file cannot be written.</exception>
    public void Issue(RunReport report, RunInputs inputs, RunFolder folder, TimeProvider time, Action<string> say)
    {
        var path = folder.Combine(Certificate.FileName);
        if (File.Exists(path))
        {
            say($"certificate: {path} was there already");
            return;
        }

        foreach (var artifact in report.Artifacts)
        {
            var file = folder.Combine(artifact.File);
            if (!File.Exists(file) || PublishedFile.Sha256(file) != artifact.Sha256)
            {
                throw new RunFailedException($"{file}: not the file that the run made, so no certificate is signed; run again into an empty folder");
            }
        }

        // What the certificate says of checkpoints must be so when it is signed.
        folder.DeleteCheckpoints();
        var now = time.GetUtcNow();
        var draft = CertificateDraft.From(report, [.. inputs.Forget.Select(inputs.Train.Id)], now) with
        {
            Custody =
            [
                new CustodyRecord { Item = "checkpoints", State = CustodyState.Destroyed, At = now, Note = "checkpoints, saliency of the run and gradients of the forgotten samples" },
                new CustodyRecord { Item = "trainingData", State = CustodyState.Kept, Note = "the run read the operator's data and erased nothing of it, nor of its decode cache" },
                new CustodyRecord { Item = "supersededModel", State = CustodyState.Kept, Note = "the run left the model before where it was" },
            ],
            Lineage = _earlier is null ? null : new LineageRecord { EarlierStatementSha256 = _earlier.StatementSha256 },
        };
        IssuedCertificate issued;
        try
        {
            issued = CertificateIssuer.Issue(draft, _key);
        }
        catch (ArgumentException failure)
        {
            throw new RunFailedException($"the results are whole, but no certificate can be signed: {failure.Message}", failure);
        }

        ModelBom.Write(issued.Certificate, folder.Combine(ModelBom.FileName));
        issued.Write(folder.Path);
        say($"certificate: {path}, signed by {(_key.IsEphemeral ? "a key of this run alone" : "key")} {_key.KeyId}; check it with scissorhands verify");
    }
}
