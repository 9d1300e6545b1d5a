using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Scissorhands.Certificates.Signing;
using Scissorhands.Certificates.Statements;
using Scissorhands.Certificates.Verification;

namespace Scissorhands.Certificates.Tests.Verification;

/// <summary>A certified model is its bytes: whichever of them is another one, the certificate is not about that file.</summary>
public sealed class TamperedModelTests : IDisposable
{
    private const int Weights = 512;
    private readonly TempFolder _folder = new();
    private readonly byte[] _bytes = Safetensors();
    private readonly string _path;
    private readonly Certificate _certificate;

    public TamperedModelTests()
    {
        _path = _folder.Combine("model.safetensors");
        File.WriteAllBytes(_path, _bytes);
        using var key = SigningKey.CreateEphemeral();
        var draft = SampleDrafts.Full();
        Subject[] subjects = [.. draft.Subjects.Select(s => s.Name == "model.safetensors" ? new Subject(s.Name, new(Convert.ToHexStringLower(SHA256.HashData(_bytes)))) : s)];
        _certificate = CertificateIssuer.Issue(draft with { Subjects = subjects }, key).Certificate;
    }

    private CheckOutcome Outcome => CertificateChecks.PublishedModel(_certificate, _path).Outcome;

    public void Dispose() => _folder.Dispose();

    /// <summary>The length of the header, the header, and every byte of every weight: one bit of each, and all bits of each.</summary>
    [Fact]
    public void PublishedModel_anyByteChanged_failed()
    {
        Assert.Equal(CheckOutcome.Passed, Outcome);
        using var file = new FileStream(_path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);
        for (var at = 0; at < _bytes.Length; at++)
        {
            foreach (var change in (int[])[1 << (at % 8), 0xff])
            {
                Put(file, at, (byte)(_bytes[at] ^ change));
                Assert.True(Outcome == CheckOutcome.Failed, $"byte {at} was changed unseen");
            }

            Put(file, at, _bytes[at]);
        }

        Assert.Equal(CheckOutcome.Passed, Outcome);
    }

    [Fact]
    public void PublishedModel_anyLength_onlyTheCertifiedPasses()
    {
        for (var length = 0; length < _bytes.Length; length++)
        {
            File.WriteAllBytes(_path, _bytes.AsSpan(0, length));
            Assert.True(Outcome == CheckOutcome.Failed, $"cut off at {length} unseen");
        }

        File.WriteAllBytes(_path, [.. _bytes, 0]);
        Assert.Equal(CheckOutcome.Failed, Outcome);
        File.WriteAllBytes(_path, _bytes);
        Assert.Equal(CheckOutcome.Passed, Outcome);
    }

    private static void Put(FileStream file, int at, byte value)
    {
        file.Position = at;
        file.WriteByte(value);
        file.Flush();
    }

    private static byte[] Safetensors()
    {
        var header = Encoding.UTF8.GetBytes($$$"""{"fc.weight":{"dtype":"F32","shape":[{{{Weights}}}],"data_offsets":[0,{{{4 * Weights}}}]}} """);
        var bytes = new byte[8 + header.Length + (4 * Weights)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, header.Length);
        header.CopyTo(bytes.AsSpan(8));
        for (var i = 0; i < Weights; i++)
        {
            BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(8 + header.Length + (4 * i)), MathF.Sin(i));
        }

        return bytes;
    }
}
