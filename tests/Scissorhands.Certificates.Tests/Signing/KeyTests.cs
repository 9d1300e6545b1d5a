using System.Security.Cryptography;
using System.Text;
using Scissorhands.Certificates.Signing;
using Scissorhands.Planning;

namespace Scissorhands.Certificates.Tests.Signing;

public sealed class KeyTests
{
    [Fact]
    public void PreAuthenticationEncoding_exampleOfTheProtocol_asThere() => Assert.Equal(
        "DSSEv1 29 http://example.com/HelloWorld 11 hello world",
        Encoding.UTF8.GetString(DsseEnvelope.PreAuthenticationEncoding("http://example.com/HelloWorld", "hello world"u8)));

    [Fact]
    public void ReadFile_keyPair_signsWhatThePublicKeyVerifies()
    {
        using var folder = new TempFolder();
        using var made = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var key = SigningKey.ReadFile(folder.Write("key.pem", made.ExportPkcs8PrivateKeyPem()));
        using var publicKey = VerificationKey.ReadFile(folder.Write("public.pem", key.PublicKeyPem));

        Assert.Equal(key.KeyId, publicKey.KeyId);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(made.ExportSubjectPublicKeyInfo())), key.KeyId);
        Assert.False(key.IsEphemeral);
        var signature = key.Sign("data"u8);
        Assert.True(publicKey.Verify("data"u8, signature));
        Assert.False(publicKey.Verify("Data"u8, signature));
        Assert.False(publicKey.Verify("data"u8, [1, 2, 3]));
        Assert.False(publicKey.Verify("data"u8, []));
    }

    [Fact]
    public void ReadFile_anythingElse_oneLineThatNamesFileAndRemedy()
    {
        using var folder = new TempFolder();
        using var p256 = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var p384 = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        using var rsa = RSA.Create(2048);
        var pbe = new PbeParameters(PbeEncryptionAlgorithm.Aes128Cbc, HashAlgorithmName.SHA256, 1000);
        string[] files =
        [
            folder.Combine("missing.pem"),
            folder.Write("empty.pem", ""),
            folder.Write("text.pem", "a key"),
            folder.Write("public.pem", p256.ExportSubjectPublicKeyInfoPem()),
            folder.Write("sec1.pem", p256.ExportECPrivateKeyPem()),
            folder.Write("encrypted.pem", p256.ExportEncryptedPkcs8PrivateKeyPem("secret", pbe)),
            folder.Write("p384.pem", p384.ExportPkcs8PrivateKeyPem()),
            folder.Write("rsa.pem", rsa.ExportPkcs8PrivateKeyPem()),
            folder.Write("garbage.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
            folder.Write("large.pem", new string('A', 100_000)),
        ];

        foreach (var file in files)
        {
            var failure = Assert.Throws<InputException>(() => SigningKey.ReadFile(file));
            Assert.Contains(file, failure.Message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', failure.Message);

            // No command makes a private key of a public one.
            Assert.Equal(Path.GetFileName(file) == "public.pem", failure.Message.Contains("which signs nothing", StringComparison.Ordinal));
            Assert.Equal(Path.GetFileName(file) is "sec1.pem" or "encrypted.pem", failure.Message.Contains("openssl pkcs8", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void ReadFile_noPublicKey_refused()
    {
        using var folder = new TempFolder();
        using var p256 = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var p384 = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        foreach (var text in (string[])[p256.ExportPkcs8PrivateKeyPem(), p384.ExportSubjectPublicKeyInfoPem(), "", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"])
        {
            var file = folder.Write("key.pem", text);
            Assert.Contains(file, Assert.Throws<InputException>(() => VerificationKey.ReadFile(file)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void CreateEphemeral_twice_otherKeysThatSaySo()
    {
        using var one = SigningKey.CreateEphemeral();
        using var other = SigningKey.CreateEphemeral();

        Assert.True(one.IsEphemeral);
        Assert.NotEqual(one.KeyId, other.KeyId);
    }
}
