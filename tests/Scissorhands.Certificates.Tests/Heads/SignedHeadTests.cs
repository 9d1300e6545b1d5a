using System.Text;
using CsCheck;
using Scissorhands.Certificates.Heads;
using Scissorhands.Certificates.Signing;
using Scissorhands.Planning;

namespace Scissorhands.Certificates.Tests.Heads;

public sealed class SignedHeadTests : IDisposable
{
    private static readonly DateTimeOffset Time = new(2026, 5, 6, 12, 0, 0, 7, TimeSpan.Zero);
    private static readonly string Hash = new('a', 64);
    private readonly SigningKey _key = SigningKey.CreateEphemeral();
    private readonly VerificationKey _public;

    public SignedHeadTests()
    {
        _public = VerificationKey.FromSubjectPublicKeyInfo(_key.PublicKey);
    }

    public void Dispose()
    {
        _public.Dispose();
        _key.Dispose();
    }

    [Fact]
    public void Parse_whatWasSigned_isThatAndThisKeysAlone()
    {
        var head = SignedHead.Parse(SignedHead.Sign("tenant ä", 7, Hash, Time.AddTicks(3), _key), "head");
        using var another = SigningKey.CreateEphemeral();
        using var anothersPublic = VerificationKey.FromSubjectPublicKeyInfo(another.PublicKey);

        Assert.Equal(("tenant ä", 7L, Hash, Time), (head.Chain, head.Sequence, head.Hash, head.Time));
        Assert.True(head.IsSignedBy(_public));
        Assert.False(head.IsSignedBy(anothersPublic));
    }

    /// <summary>No change of a character leaves another head that this key has signed.</summary>
    [Fact]
    public void Parse_anyChangedCharacter_isRefusedOrNotSigned()
    {
        var text = SignedHead.Sign("t", 7, Hash, Time, _key);
        Gen.Select(Gen.Int[0, text.Length - 1], Gen.Char.AlphaNumeric).Where((at, character) => text[at] != character).Sample((at, character) =>
        {
            var changed = text[..at] + character + text[(at + 1)..];
            try
            {
                // What the envelope says of the key is not signed, and not believed.
                var head = SignedHead.Parse(changed, "head");
                Assert.True(!head.IsSignedBy(_public) || (head.Sequence, head.Hash, head.Chain, head.Time) == (7, Hash, "t", Time));
            }
            catch (InputException e)
            {
                Assert.StartsWith("head", e.Message, StringComparison.Ordinal);
            }
        });
    }

    [Fact]
    public void Parse_anyBytes_isRefusedInOneLine() => Gen.String[0, 200].Sample(text =>
        Assert.DoesNotContain('\n', Assert.Throws<InputException>(() => SignedHead.Parse(text, "head")).Message));

    [Theory]
    [InlineData("""{"chain":"t","hash":"HASH","sequence":0,"time":"2026-05-06T12:00:00.007Z"}""")]
    [InlineData("""{"chain":"","hash":"HASH","sequence":1,"time":"2026-05-06T12:00:00.007Z"}""")]
    [InlineData("""{"chain":"t","hash":"HASh","sequence":1,"time":"2026-05-06T12:00:00.007Z"}""")]
    [InlineData("""{"chain":"t","hash":"HASH","sequence":1,"time":"2026-05-06T14:00:00.007+02:00"}""")]
    [InlineData("""{"chain":"t","hash":"HASH","sequence":1}""")]
    [InlineData("""{"chain":"t","hash":"HASH","more":1,"sequence":1,"time":"2026-05-06T12:00:00.007Z"}""")]
    public void Parse_signedButNoHead_isRefused(string payload) =>
        Assert.Throws<InputException>(() => SignedHead.Parse(Enveloped(SignedHead.PayloadType, payload.Replace("HASH", Hash, StringComparison.Ordinal)), "head"));

    /// <summary>A certificate's signature does not vouch for a head, nor the other way round.</summary>
    [Fact]
    public void Parse_anotherPayloadType_isRefused() =>
        Assert.Contains("payloadType", Assert.Throws<InputException>(() => SignedHead.Parse(Enveloped("application/vnd.in-toto+json", $$"""{"chain":"t","hash":"{{Hash}}","sequence":1,"time":"2026-05-06T12:00:00.007Z"}"""), "head")).Message, StringComparison.Ordinal);

    [Fact]
    public void Parse_tooLong_isRefusedUnread() =>
        Assert.Contains("at most", Assert.Throws<InputException>(() => SignedHead.Parse(new string('{', SignedHead.MaximumBytes + 1), "head")).Message, StringComparison.Ordinal);

    private string Enveloped(string type, string payload) => Encoding.UTF8.GetString(DsseEnvelope.Sign(type, Encoding.UTF8.GetBytes(payload), _key).ToBytes());
}
