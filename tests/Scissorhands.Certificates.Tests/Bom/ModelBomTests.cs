using System.Text.Json;
using Scissorhands.Certificates.Bom;
using Scissorhands.Certificates.Signing;
using Scissorhands.Certificates.Statements;

namespace Scissorhands.Certificates.Tests.Bom;

public sealed class ModelBomTests
{
    [Fact]
    public void Write_certificate_newModelWithItsAncestor()
    {
        using var folder = new TempFolder();
        using var key = SigningKey.CreateEphemeral();
        var certificate = CertificateIssuer.Issue(SampleDrafts.Full(), key).Certificate;

        ModelBom.Write(certificate, folder.Combine("bom.cdx.json"));

        using var bom = JsonDocument.Parse(File.ReadAllBytes(folder.Combine("bom.cdx.json")));
        var root = bom.RootElement;
        Assert.Equal(("CycloneDX", "1.6", 1), (root.GetProperty("bomFormat").GetString(), root.GetProperty("specVersion").GetString(), root.GetProperty("version").GetInt32()));
        Assert.Matches("^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$", root.GetProperty("serialNumber").GetString());
        var component = root.GetProperty("metadata").GetProperty("component");
        Assert.Equal("machine-learning-model", component.GetProperty("type").GetString());
        Assert.Equal(SampleDrafts.Digest("model"), component.GetProperty("hashes")[0].GetProperty("content").GetString());
        var ancestor = Assert.Single(component.GetProperty("pedigree").GetProperty("ancestors").EnumerateArray());
        Assert.Equal(SampleDrafts.Digest("before"), ancestor.GetProperty("hashes")[0].GetProperty("content").GetString());
        Assert.NotEqual(component.GetProperty("bom-ref").GetString(), ancestor.GetProperty("bom-ref").GetString());
        var card = component.GetProperty("modelCard");
        Assert.Equal("classification", card.GetProperty("modelParameters").GetProperty("task").GetString());
        Assert.Equal(2, card.GetProperty("modelParameters").GetProperty("datasets").GetArrayLength());
        var metrics = card.GetProperty("quantitativeAnalysis").GetProperty("performanceMetrics").EnumerateArray().ToArray();
        Assert.Equal(["5.25", "100", "92.5", "1E-07"], metrics.Select(static m => m.GetProperty("value").GetString()));
        Assert.Equal("91.9", metrics[2].GetProperty("confidenceInterval").GetProperty("lowerBound").GetString());
        var reference = Assert.Single(component.GetProperty("externalReferences").EnumerateArray());
        Assert.Equal(("attestation", "certificate.dsse.json"), (reference.GetProperty("type").GetString(), reference.GetProperty("url").GetString()));
        Assert.Contains(certificate.StatementSha256, reference.GetProperty("comment").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Write_sameCertificateTwice_sameBytes()
    {
        using var folder = new TempFolder();
        using var key = SigningKey.CreateEphemeral();
        var certificate = CertificateIssuer.Issue(SampleDrafts.Full(), key).Certificate;
        ModelBom.Write(certificate, folder.Combine("one"));
        ModelBom.Write(certificate, folder.Combine("two"));

        Assert.Equal(File.ReadAllBytes(folder.Combine("one")), File.ReadAllBytes(folder.Combine("two")));
    }
}
