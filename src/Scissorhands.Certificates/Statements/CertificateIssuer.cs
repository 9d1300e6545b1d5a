using Scissorhands.Certificates.Json;
using Scissorhands.Certificates.Merkle;
using Scissorhands.Certificates.Signing;
using Scissorhands.Planning;
using Scissorhands.Reporting;

namespace Scissorhands.Certificates.Statements;

/// <summary>Commits to the ids of a draft and signs what remains.</summary>
public static class CertificateIssuer
{
    /// <summary>Makes a certificate.</summary>
    /// <param name="draft">What it is to say.</param>
    /// <param name="key">The key.</param>
    /// <returns>The certificate and its openings.</returns>
    /// <exception cref="ArgumentException">The draft contradicts itself; the message says in what.</exception>
    public static IssuedCertificate Issue(CertificateDraft draft, SigningKey key)
    {
        ArgumentNullException.ThrowIfNull(draft);
        ArgumentNullException.ThrowIfNull(key);
        var set = ForgottenSet.Create(draft.ForgottenIds, draft.PlanHash);
        var statement = new Statement
        {
            Type = Statement.StatementType,
            Subject = draft.Subjects,
            PredicateType = Statement.UnlearningPredicateType,
            Predicate = new UnlearningPredicate
            {
                Program = draft.Program,
                Model = draft.Model,
                Data = draft.Data,
                Forgotten = new ForgottenRecord { Count = set.Count, MerkleRoot = set.MerkleRoot, Unknown = draft.UnknownIds },
                Configuration = draft.Configuration,
                Plan = new PlanRecord { Commitment = set.Plan.Commitment },
                Evaluation = draft.Evaluation,
                Attempts = draft.Attempts,
                Times = draft.Times,
                Requests = draft.Requests,
                Custody = draft.Custody,
                Lineage = draft.Lineage,
                Signer = new SignerRecord { PublicKey = Convert.ToBase64String(key.PublicKey), Ephemeral = key.IsEphemeral },
                DoesNotProve = Limits.DoesNotProve,
            },
        };

        // What this program would not accept it does not sign.
        var faults = StatementRules.Faults(statement);
        if (faults.Count > 0)
        {
            throw new ArgumentException(string.Join("; ", faults), nameof(draft));
        }

        var envelope = DsseEnvelope.Sign(Statement.PayloadType, StrictJson.Write(statement), key).ToBytes();
        return new IssuedCertificate(envelope, Certificate.Parse(envelope, Certificate.FileName), set);
    }
}

/// <summary>A certificate that was just made.</summary>
/// <param name="Envelope">The file's bytes.</param>
/// <param name="Certificate">What they say.</param>
/// <param name="Forgotten">What opens its commitments; for the operator alone.</param>
public sealed record IssuedCertificate(byte[] Envelope, Certificate Certificate, ForgottenSet Forgotten)
{
    /// <summary>Writes the openings, readable by their owner alone, and then the certificate.</summary>
    /// <param name="folder">The folder.</param>
    /// <exception cref="RunFailedException">A file cannot be written.</exception>
    public void Write(string folder)
    {
        // A certificate whose openings were lost could never prove anything of an id.
        OpeningsFile.Write(Forgotten, Path.Combine(folder, OpeningsFile.Name));
        PublishedFile.Write(Path.Combine(folder, Certificate.FileName), stream => stream.Write(Envelope));
    }
}
