using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using CsCheck;
using Scissorhands.Certificates.Json;
using Scissorhands.Certificates.Merkle;
using Scissorhands.Certificates.Signing;
using Scissorhands.Certificates.Statements;
using Scissorhands.Certificates.Verification;
using Scissorhands.Planning;

namespace Scissorhands.Certificates.Tests.Statements;

public sealed class CertificateTests : IDisposable
{
    private const string Source = "certificate.dsse.json";

    private readonly SigningKey _key = SigningKey.CreateEphemeral();

    public void Dispose() => _key.Dispose();

    [Fact]
    public void Issue_draft_readBackAsItWas()
    {
        var draft = SampleDrafts.Full();

        var issued = CertificateIssuer.Issue(draft, _key);

        var statement = Certificate.Parse(issued.Envelope, Source).Statement;
        Assert.Equal(Statement.StatementType, statement.Type);
        Assert.Equal(draft.Subjects, statement.Subject);
        Assert.Equal(draft.Model, statement.Predicate.Model);
        Assert.Equal(draft.Configuration, statement.Predicate.Configuration);
        Assert.Equal(draft.Attempts, statement.Predicate.Attempts);
        Assert.Equal(draft.Evaluation.Bounds, statement.Predicate.Evaluation.Bounds);
        Assert.Equal(new ForgottenRecord { Count = 7, MerkleRoot = issued.Forgotten.MerkleRoot, Unknown = 1 }, statement.Predicate.Forgotten);
        Assert.Equal(new DateTimeOffset(2026, 11, 3, 12, 12, 0, 123, TimeSpan.Zero), statement.Predicate.Times.Published);
        Assert.True(statement.Predicate.Signer.Ephemeral);
        Assert.Equal(Limits.DoesNotProve, statement.Predicate.DoesNotProve);
    }

    [Fact]
    public void Issue_draft_holdsNoIdAndNoDigestOverIds()
    {
        var draft = SampleDrafts.Full();

        var issued = CertificateIssuer.Issue(draft, _key);

        var text = Encoding.UTF8.GetString(Certificate.Parse(issued.Envelope, Source).Envelope.Payload);
        Assert.DoesNotContain("train-", text, StringComparison.Ordinal);
        Assert.DoesNotContain(draft.PlanHash, text, StringComparison.Ordinal);
    }

    [Fact]
    public void Issue_payload_isAStatementInCanonicalForm()
    {
        var issued = CertificateIssuer.Issue(SampleDrafts.Full(), _key);

        using var envelope = JsonDocument.Parse(issued.Envelope);
        Assert.Equal(["payload", "payloadType", "signatures"], envelope.RootElement.EnumerateObject().Select(static m => m.Name));
        Assert.Equal("application/vnd.in-toto+json", envelope.RootElement.GetProperty("payloadType").GetString());
        var signature = Assert.Single(envelope.RootElement.GetProperty("signatures").EnumerateArray());
        Assert.Equal(_key.KeyId, signature.GetProperty("keyid").GetString());
        using var statement = JsonDocument.Parse(envelope.RootElement.GetProperty("payload").GetBytesFromBase64());
        Assert.Equal(["_type", "predicate", "predicateType", "subject"], statement.RootElement.EnumerateObject().Select(static m => m.Name));
        Assert.Equal("https://in-toto.io/Statement/v1", statement.RootElement.GetProperty("_type").GetString());
        Assert.Equal("2026-11-03T12:12:00.123Z", statement.RootElement.GetProperty("predicate").GetProperty("times").GetProperty("published").GetString());
        Assert.Equal("inconclusive", statement.RootElement.GetProperty("predicate").GetProperty("evaluation").GetProperty("verdict").GetString());
        Assert.Equal(64, statement.RootElement.GetProperty("subject")[0].GetProperty("digest").GetProperty("sha256").GetString()!.Length);
    }

    [Fact]
    public void Issue_draftThatContradictsItself_refused()
    {
        var draft = SampleDrafts.Full();
        (CertificateDraft Draft, string Fault)[] faulty =
        [
            (draft with { Subjects = [] }, "no subject"),
            (draft with { Subjects = [draft.Subjects[0], draft.Subjects[0]] }, "one name"),
            (draft with { Model = draft.Model with { Sha256 = "ABC" } }, "digest"),
            (draft with { Configuration = draft.Configuration with { Json = "{}" } }, "configuration"),
            (draft with { Evaluation = draft.Evaluation with { Verdict = Verdict.Pass } }, "verdict"),
            (draft with { Evaluation = draft.Evaluation with { Before = draft.Evaluation.Before with { Ua = 100.1 } } }, "percentage"),
            (draft with { Evaluation = draft.Evaluation with { Before = draft.Evaluation.Before with { Mia = double.NaN } } }, "percentage"),
            (draft with { Attempts = [] }, "attempt"),
            (draft with { Attempts = [draft.Attempts[1], draft.Attempts[0]] }, "attempt"),
            (draft with { Times = draft.Times with { Started = draft.Times.Published.AddSeconds(1) } }, "before it started"),
            (draft with { Custody = [new() { Item = "checkpoints", State = CustodyState.Destroyed }] }, "custody"),
        ];

        Assert.All(faulty, static f =>
        {
            using var key = SigningKey.CreateEphemeral();
            Assert.Contains(f.Fault, Assert.Throws<ArgumentException>(() => CertificateIssuer.Issue(f.Draft, key)).Message, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void Parse_whatIsNotCanonical_refusedByName()
    {
        var bytes = CertificateIssuer.Issue(SampleDrafts.Full(), _key).Envelope;
        var text = Encoding.UTF8.GetString(bytes);
        (byte[] Bytes, string Message)[] refused =
        [
            ([], "JSON"),
            ([.. bytes, (byte)'\n'], "canonical"),
            ([.. bytes, (byte)'x'], "'x'"),
            ([0xEF, 0xBB, 0xBF, .. bytes], ""),
            ([0xFF, .. bytes], "UTF-8"),
            (bytes[..^1], ""),
            (Encoding.UTF8.GetBytes(text.Replace("\"payloadType\":", "\"payloadType\": ", StringComparison.Ordinal)), "canonical"),
            (Encoding.UTF8.GetBytes(text.Replace("\"payloadType\"", "\"payload\\u0054ype\"", StringComparison.Ordinal)), "canonical"),
            (Encoding.UTF8.GetBytes(text.Replace("{\"payload\":", "{\"payload\":\"\",\"payload\":", StringComparison.Ordinal)), "Duplicate"),
            (Encoding.UTF8.GetBytes(text.Replace("{\"payload\":", "{\"more\":1,\"payload\":", StringComparison.Ordinal)), "more"),
            (Encoding.UTF8.GetBytes(text.Replace("vnd.in-toto", "vnd.in-toto2", StringComparison.Ordinal)), "payloadType"),
            (Encoding.UTF8.GetBytes($"{{\"payload\":{new string('[', 40)}{new string(']', 40)}}}"), "depth"),
            (Encoding.UTF8.GetBytes("{\"payload\":\"\",\"payloadType\":\"\",\"signatures\":[]}"), "signatures"),
            (Encoding.UTF8.GetBytes("{\"payload\":\"\",\"payloadType\":null,\"signatures\":[]}"), "null"),
            (Encoding.UTF8.GetBytes("{\"payload\":\"A\",\"payloadType\":\"\",\"signatures\":[{\"keyid\":\"\",\"sig\":\"\"}]}"), "base64"),
            (Encoding.UTF8.GetBytes("{\"payload\":\"AB==\",\"payloadType\":\"\",\"signatures\":[{\"keyid\":\"\",\"sig\":\"\"}]}"), "base64"),
            (Encoding.UTF8.GetBytes("{\"payload\":\"\\ud800\",\"payloadType\":\"\",\"signatures\":[]}"), "surrogate"),
            (Encoding.UTF8.GetBytes("[]"), ""),
            (new byte[DsseEnvelope.MaximumBytes + 1], "bytes"),
        ];

        Assert.All(refused, static r =>
        {
            var failure = Assert.Throws<InputException>(() => Certificate.Parse(r.Bytes, Source));
            Assert.StartsWith(Source, failure.Message, StringComparison.Ordinal);
            Assert.Contains(r.Message, failure.Message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', failure.Message);
        });
    }

    [Fact]
    public void Parse_payloadThatIsNotCanonical_refusedThoughItIsSigned()
    {
        var payload = Encoding.UTF8.GetString(Certificate.Parse(CertificateIssuer.Issue(SampleDrafts.Full(), _key).Envelope, Source).Envelope.Payload);
        string[] payloads =
        [
            payload + " ",
            payload.Replace("\"count\":7", "\"count\":7.0", StringComparison.Ordinal),
            payload.Replace("12:12:00.123Z", "12:12:00.1230Z", StringComparison.Ordinal),
            payload.Replace("\"inconclusive\"", "\"Inconclusive\"", StringComparison.Ordinal),
            payload.Replace("\"ephemeral\":true", "\"ephemeral\":true,\"extra\":1", StringComparison.Ordinal),
            payload.Replace("\"ephemeral\":true,", "", StringComparison.Ordinal),
            payload.Replace("\"ephemeral\":true", "\"ephemeral\":1", StringComparison.Ordinal),
        ];

        Assert.All(payloads, changed =>
        {
            Assert.NotEqual(payload, changed);
            Assert.Throws<InputException>(() => Certificate.Parse(DsseEnvelope.Sign(Statement.PayloadType, Encoding.UTF8.GetBytes(changed), _key).ToBytes(), Source));
        });
    }

    [Fact]
    public void Verify_anyByteOfTheCertificateChanged_found()
    {
        var bytes = CertificateIssuer.Issue(SampleDrafts.Full(), _key).Envelope;
        Assert.True(Holds(bytes));

        for (var at = 0; at < bytes.Length; at++)
        {
            var changed = bytes.ToArray();
            changed[at] ^= (byte)(1 << (at % 8));
            Assert.False(Holds(changed), $"byte {at}");
        }

        Gen.Select(Gen.Int[0, bytes.Length - 1], Gen.Byte.Where(static b => b != 0)).Sample((at, mask) =>
        {
            var changed = bytes.ToArray();
            changed[at] ^= mask;
            return !Holds(changed);
        });
    }

    [Fact]
    public void Verify_anyByteOfTheProofsChanged_found()
    {
        using var folder = new TempFolder();
        var ids = SampleDrafts.Ids(5);
        var issued = CertificateIssuer.Issue(SampleDrafts.Full(5), _key);
        issued.Write(folder.Path);
        var path = folder.Combine(OpeningsFile.Name);
        var bytes = File.ReadAllBytes(path);
        Assert.True(Proven(issued.Certificate, ids, path));

        for (var at = 0; at < bytes.Length; at++)
        {
            var changed = bytes.ToArray();
            changed[at] ^= (byte)(1 << (at % 8));
            File.WriteAllBytes(path, changed);
            Assert.False(Proven(issued.Certificate, ids, path), $"byte {at}");
        }
    }

    [Fact]
    public void Verify_anyCharacterOfTheIdsChanged_found()
    {
        using var folder = new TempFolder();
        var issued = CertificateIssuer.Issue(SampleDrafts.Full(12), _key);
        issued.Write(folder.Path);
        var path = folder.Combine(OpeningsFile.Name);
        Gen.Select(Gen.Int[0, 11], Gen.Int[0, 10], Gen.Char).Sample(
            (line, at, character) =>
            {
                var ids = SampleDrafts.Ids(12).ToArray();
                var changed = ids[line].ToCharArray();
                if (changed[at] == character)
                {
                    return;
                }

                changed[at] = character;
                ids[line] = new string(changed);
                Assert.False(Proven(issued.Certificate, ids, path), ids[line]);
            },
            iter: 300);
    }

    [Fact]
    public void Parse_anyBytes_certificateOrOneLine()
    {
        var valid = CertificateIssuer.Issue(SampleDrafts.Full(2), _key).Envelope;
        Gen.OneOf(Gen.Byte.Array[0, 300], Edits(valid), Gen.String.Select(Encoding.UTF8.GetBytes)).Sample(static bytes =>
        {
            Outcome(bytes);
        });
    }

    [Fact]
    public void Parse_anyStatementThatIsSigned_checkedWithoutFailing()
    {
        // Behind the signature of whoever has a key: structure that no program wrote.
        var payload = Certificate.Parse(CertificateIssuer.Issue(SampleDrafts.Full(2), _key).Envelope, Source).Envelope.Payload;
        var reached = 0;
        Gen.Select(Gen.Int[0, 10_000], Json, Gen.Bool).Sample((pick, replacement, remove) =>
        {
            var tree = JsonNode.Parse(payload)!;
            var nodes = Descendants(tree).ToArray();
            var chosen = nodes[pick % nodes.Length];
            switch (chosen.Parent)
            {
                case JsonObject parent when remove:
                    parent.Remove(chosen.GetPropertyName());
                    break;
                case JsonObject parent:
                    parent[chosen.GetPropertyName()] = JsonNode.Parse(replacement);
                    break;
                case JsonArray parent when remove:
                    parent.RemoveAt(chosen.GetElementIndex());
                    break;
                case JsonArray parent:
                    parent[chosen.GetElementIndex()] = JsonNode.Parse(replacement);
                    break;
            }

            using var document = JsonDocument.Parse(tree.ToJsonString());
            var bytes = DsseEnvelope.Sign(Statement.PayloadType, CanonicalJson.Write(document.RootElement), _key).ToBytes();
            if (Outcome(bytes))
            {
                Interlocked.Increment(ref reached);
            }
        });

        // Numbers and texts can be replaced by others of their kind, so some come as far as the checks.
        Assert.True(reached > 0);
    }

    [Fact]
    public void Openings_anyLine_proofOrOneLine()
    {
        var line = StrictJson.Write(CertificateIssuer.Issue(SampleDrafts.Full(3), _key).Forgotten.Openings().First());
        Gen.OneOf(Gen.Byte.Array[0, 200], Edits(line)).Sample(static bytes =>
        {
            try
            {
                if (OpeningsFile.Parse(bytes, "line 1") is IdOpening opening)
                {
                    opening.Proves(3, new string('0', 64));
                }
            }
            catch (InputException failure)
            {
                Assert.StartsWith("line 1", failure.Message, StringComparison.Ordinal);
            }
        });
    }

    [Fact]
    public void Write_openings_forTheirOwnerAlone()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        using var folder = new TempFolder();
        CertificateIssuer.Issue(SampleDrafts.Full(), _key).Write(folder.Path);

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(folder.Combine(OpeningsFile.Name)));
        Assert.Equal(["certificate.dsse.json", "openings.jsonl"], Directory.EnumerateFiles(folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    private static Gen<byte[]> Edits(byte[] valid) =>
        Gen.Select(Gen.Int[0, valid.Length], Gen.Int[0, 8], Gen.Byte.Array[0, 8]).Array[1, 4].Select(edits =>
        {
            var bytes = valid.ToList();
            foreach (var (at, removed, added) in edits)
            {
                var from = Math.Min(at, bytes.Count);
                bytes.RemoveRange(from, Math.Min(removed, bytes.Count - from));
                bytes.InsertRange(from, added);
            }

            return bytes.ToArray();
        });

    private static Gen<string> Json { get; } = Gen.OneOf(
        Gen.Const("null"),
        Gen.Const("{}"),
        Gen.Const("[]"),
        Gen.Const("[null]"),
        Gen.Const("[{}]"),
        Gen.Const("\"\""),
        Gen.Const("\"2026-11-03T12:00:00.000Z\""),
        Gen.Const("\"9999-12-31T23:59:59.999Z\""),
        Gen.Const("\"pass\""),
        Gen.Const($"\"{new string('a', 64)}\""),
        Gen.Long.Select(static n => n.ToString(System.Globalization.CultureInfo.InvariantCulture)),
        Gen.Double.Where(double.IsFinite).Select(static n => n.ToString("R", System.Globalization.CultureInfo.InvariantCulture)),
        Gen.String.Where(static s => !s.Any(char.IsSurrogate)).Select(static s => JsonSerializer.Serialize(s)));

    private static IEnumerable<JsonNode> Descendants(JsonNode node) => node switch
    {
        JsonObject o => o.Where(static m => m.Value is not null).SelectMany(static m => Descendants(m.Value!).Prepend(m.Value!)),
        JsonArray a => a.Where(static m => m is not null).SelectMany(static m => Descendants(m!).Prepend(m!)),
        _ => [],
    };

    // True where the bytes were a certificate; whatever it says, the checks come to an end.
    private static bool Outcome(byte[] bytes)
    {
        Certificate certificate;
        try
        {
            certificate = Certificate.Parse(bytes, Source);
        }
        catch (InputException failure)
        {
            Assert.StartsWith(Source, failure.Message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', failure.Message);
            return false;
        }

        var report = new VerificationReport(
            Source,
            certificate,
            [CertificateChecks.Signature(certificate), CertificateChecks.Signer(certificate, null), CertificateChecks.Rules(certificate), CertificateChecks.Lineage(certificate, certificate)]);
        Assert.NotEmpty(report.ToText());
        using var json = JsonDocument.Parse(report.ToJson());
        return true;
    }

    private bool Holds(byte[] bytes)
    {
        try
        {
            var certificate = Certificate.Parse(bytes, Source);
            return new VerificationReport(Source, certificate, [CertificateChecks.Signature(certificate), CertificateChecks.Signer(certificate, _key.KeyId), CertificateChecks.Rules(certificate)]).Holds;
        }
        catch (InputException)
        {
            return false;
        }
    }

    private static bool Proven(Certificate certificate, IReadOnlyList<string> ids, string proofs)
    {
        try
        {
            return CertificateChecks.Ids(certificate, [.. ids.Select(static (id, line) => (line + 1, id))], OpeningsFile.Read(proofs)).All(static check => check.Outcome == CheckOutcome.Passed);
        }
        catch (InputException)
        {
            return false;
        }
    }
}
