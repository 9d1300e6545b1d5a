using Scissorhands.Certificates.Merkle;
using Scissorhands.Certificates.Signing;
using Scissorhands.Certificates.Statements;
using Scissorhands.Certificates.Verification;
using Scissorhands.Planning;

namespace Scissorhands.Certificates.Tests.Verification;

public sealed class CertificateChecksTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly SigningKey _key = SigningKey.CreateEphemeral();
    private readonly IssuedCertificate _issued;

    public CertificateChecksTests() => _issued = CertificateIssuer.Issue(SampleDrafts.Full(), _key);

    private Certificate Certificate => _issued.Certificate;

    public void Dispose()
    {
        _folder.Dispose();
        _key.Dispose();
    }

    [Fact]
    public void Signer_ownKeyInAnothersName_foundOnlyWithATrustedKey()
    {
        // Whoever can change a certificate can sign it anew: its own key says nothing about it.
        using var forger = SigningKey.CreateEphemeral();
        var forged = CertificateIssuer.Issue(SampleDrafts.Full(), forger).Certificate;

        Assert.Equal(CheckOutcome.Passed, CertificateChecks.Signature(forged).Outcome);
        Assert.Equal(CheckOutcome.NotMade, CertificateChecks.Signer(forged, null).Outcome);
        Assert.Equal(CheckOutcome.Failed, CertificateChecks.Signer(forged, _key.KeyId).Outcome);
        Assert.Equal(CheckOutcome.Passed, CertificateChecks.Signer(Certificate, _key.KeyId).Outcome);
    }

    [Fact]
    public void Signer_envelopeThatNamesTheTrustedKey_failedByBothChecks()
    {
        using var forger = SigningKey.CreateEphemeral();
        var envelope = CertificateIssuer.Issue(SampleDrafts.Full(), forger).Certificate.Envelope with { KeyId = _key.KeyId };
        var forged = Certificate.Parse(envelope.ToBytes(), "c");

        Assert.Equal(CheckOutcome.Failed, CertificateChecks.Signature(forged).Outcome);
        Assert.Equal(CheckOutcome.Failed, CertificateChecks.Signer(forged, _key.KeyId).Outcome);
    }

    [Fact]
    public void Signature_envelopeOfAnotherKey_failed()
    {
        using var other = SigningKey.CreateEphemeral();
        var envelope = DsseEnvelope.Sign(Statement.PayloadType, Certificate.Envelope.Payload, other);

        Assert.Equal(CheckOutcome.Failed, CertificateChecks.Signature(Certificate.Parse(envelope.ToBytes(), "c")).Outcome);
        Assert.Equal(CheckOutcome.Failed, CertificateChecks.Signature(Certificate.Parse((envelope with { KeyId = _key.KeyId }).ToBytes(), "c")).Outcome);
    }

    [Fact]
    public void PublishedModel_files_onlyTheCertifiedPass()
    {
        Assert.Equal(CheckOutcome.NotMade, CertificateChecks.PublishedModel(Certificate, null).Outcome);
        Assert.Equal(CheckOutcome.Passed, CertificateChecks.PublishedModel(Certificate, _folder.Write("renamed", "model")).Outcome);
        Assert.Equal(CheckOutcome.Passed, CertificateChecks.PublishedModel(Certificate, _folder.Write("renamed", "script")).Outcome);
        Assert.Equal(CheckOutcome.Failed, CertificateChecks.PublishedModel(Certificate, _folder.Write("renamed", "modem")).Outcome);
        Assert.Equal(CheckOutcome.Failed, CertificateChecks.PublishedModel(Certificate, _folder.Write("renamed", "mask")).Outcome);
        Assert.Equal(CheckOutcome.Passed, CertificateChecks.PublishedMask(Certificate, _folder.Write("renamed", "mask")).Outcome);
        Assert.Equal(CheckOutcome.Failed, CertificateChecks.PublishedMask(Certificate, _folder.Write("renamed", "model")).Outcome);
        Assert.Throws<InputException>(() => CertificateChecks.PublishedMask(Certificate, _folder.Combine("missing")));
    }

    [Fact]
    public void Ids_selectionOfProofs_provesItsOwnAndNoOther()
    {
        _issued.Write(_folder.Path);
        var lines = File.ReadAllLines(_folder.Combine(OpeningsFile.Name));
        var handedOut = _folder.Write("proofs.jsonl", lines.Single(static line => line.Contains("train-00003", StringComparison.Ordinal)) + "\n");

        var check = Assert.Single(CertificateChecks.Ids(Certificate, [(1, "train-00003")], OpeningsFile.Read(handedOut)));
        Assert.Equal((CheckOutcome.Passed, "1 of the 7 forgotten ids"), (check.Outcome, check.Detail));
        var other = Assert.Single(CertificateChecks.Ids(Certificate, [(1, "train-00003"), (2, "train-00004")], OpeningsFile.Read(handedOut)));
        Assert.Equal((CheckOutcome.Failed, "no proof for 1 of 2 ids: line 2"), (other.Outcome, other.Detail));
    }

    [Fact]
    public void Ids_all_saidSoWithThePlan()
    {
        _issued.Write(_folder.Path);
        (int, string)[] ids = [.. SampleDrafts.Ids(7).Select(static (id, i) => (i + 1, id))];

        var checks = CertificateChecks.Ids(Certificate, ids, OpeningsFile.Read(_folder.Combine(OpeningsFile.Name)));

        Assert.Equal(["plan", "ids"], checks.Select(static c => c.Name));
        Assert.All(checks, static c => Assert.Equal(CheckOutcome.Passed, c.Outcome));
        Assert.Contains("all of them", checks[1].Detail, StringComparison.Ordinal);
        Assert.Contains(SampleDrafts.Digest("plan"), checks[0].Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void Ids_proofsOfAnotherCertificate_failed()
    {
        CertificateIssuer.Issue(SampleDrafts.Full(), _key).Write(_folder.Path);

        var checks = CertificateChecks.Ids(Certificate, [(1, "train-00003")], OpeningsFile.Read(_folder.Combine(OpeningsFile.Name)));

        Assert.Equal(["plan", "ids"], checks.Where(static c => c.Outcome == CheckOutcome.Failed).Select(static c => c.Name));
    }

    [Fact]
    public void Ids_nothingOrTwice_failed()
    {
        _issued.Write(_folder.Path);
        var proofs = OpeningsFile.Read(_folder.Combine(OpeningsFile.Name)).ToArray();

        Assert.Equal(CheckOutcome.NotMade, CertificateChecks.Ids(Certificate, null, []).Single().Outcome);
        Assert.Equal(CheckOutcome.Failed, CertificateChecks.Ids(Certificate, [], proofs)[^1].Outcome);
        Assert.Contains("line 3", CertificateChecks.Ids(Certificate, [(1, "train-00001"), (3, "train-00001")], proofs)[^1].Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void Lineage_earlierCertificate_onlyTheNamedOneOfThatModel()
    {
        var earlier = CertificateIssuer.Issue(SampleDrafts.Full() with { Subjects = [new("model.pt", new(SampleDrafts.Digest("before")))] }, _key).Certificate;
        var stranger = CertificateIssuer.Issue(SampleDrafts.Full(), _key).Certificate;

        Assert.Equal(CheckOutcome.NotMade, CertificateChecks.Lineage(Certificate, null).Outcome);
        Assert.Equal(CheckOutcome.Failed, CertificateChecks.Lineage(Certificate, earlier).Outcome);
        Assert.Equal(CheckOutcome.Passed, CertificateChecks.Lineage(Following(earlier), earlier).Outcome);
        Assert.Equal(CheckOutcome.Failed, CertificateChecks.Lineage(Following(stranger), stranger).Outcome);
        Assert.Equal(CheckOutcome.Failed, CertificateChecks.Lineage(CertificateIssuer.Issue(SampleDrafts.Full() with { Lineage = null }, _key).Certificate, earlier).Outcome);
    }

    [Fact]
    public void Rerun_results_comparedByBytes()
    {
        _folder.Write("model.safetensors", "model");
        _folder.Write("mask.safetensors", "mask");
        Assert.Equal(CheckOutcome.Passed, CertificateChecks.Rerun(Certificate, _folder.Path).Outcome);

        _folder.Write("mask.safetensors", "other");
        var check = CertificateChecks.Rerun(Certificate, _folder.Path);
        Assert.Equal((CheckOutcome.Failed, "mask.safetensors came out with other bytes"), (check.Outcome, check.Detail));

        File.Delete(_folder.Combine("mask.safetensors"));
        Assert.Equal(CheckOutcome.Failed, CertificateChecks.Rerun(Certificate, _folder.Path).Outcome);
    }

    [Fact]
    public void Report_failedCheck_namedAndNothingStated()
    {
        var report = new VerificationReport("c", Certificate, [new("signature", CheckOutcome.Passed, "fine"), new("mask", CheckOutcome.Failed, "other\u001b[2Jbytes")]);

        Assert.False(report.Holds);
        Assert.Contains("NOT VERIFIED: mask", report.ToText(), StringComparison.Ordinal);
        Assert.DoesNotContain("samples were forgotten", report.ToText(), StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', report.ToText());
    }

    [Fact]
    public void Report_allGood_saysWhatItDoesNotProve()
    {
        var report = new VerificationReport("c", Certificate, [new("signature", CheckOutcome.Passed, "fine")]);

        Assert.True(report.Holds);
        Assert.All(Limits.DoesNotProve, limit => Assert.Contains(limit, report.ToText(), StringComparison.Ordinal));
    }

    private Certificate Following(Certificate earlier) =>
        CertificateIssuer.Issue(SampleDrafts.Full() with { Lineage = new() { EarlierStatementSha256 = earlier.StatementSha256 } }, _key).Certificate;
}
