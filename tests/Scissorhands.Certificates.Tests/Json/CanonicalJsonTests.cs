using System.Globalization;
using System.Text;
using System.Text.Json;
using CsCheck;
using Scissorhands.Certificates.Json;

namespace Scissorhands.Certificates.Tests.Json;

public sealed class CanonicalJsonTests
{
    // RFC 8785, appendix B: IEEE-754 bits and what ECMAScript writes.
    [Theory]
    [InlineData(0x0000000000000000, "0")]
    [InlineData(0x8000000000000000, "0")]
    [InlineData(0x0000000000000001, "5e-324")]
    [InlineData(0x8000000000000001, "-5e-324")]
    [InlineData(0x7fefffffffffffff, "1.7976931348623157e+308")]
    [InlineData(0xffefffffffffffff, "-1.7976931348623157e+308")]
    [InlineData(0x4340000000000000, "9007199254740992")]
    [InlineData(0xc340000000000000, "-9007199254740992")]
    [InlineData(0x4430000000000000, "295147905179352830000")]
    [InlineData(0x44b52d02c7e14af5, "9.999999999999997e+22")]
    [InlineData(0x44b52d02c7e14af6, "1e+23")]
    [InlineData(0x44b52d02c7e14af7, "1.0000000000000001e+23")]
    [InlineData(0x444b1ae4d6e2ef4e, "999999999999999700000")]
    [InlineData(0x444b1ae4d6e2ef4f, "999999999999999900000")]
    [InlineData(0x444b1ae4d6e2ef50, "1e+21")]
    [InlineData(0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7")]
    [InlineData(0x3eb0c6f7a0b5ed8d, "0.000001")]
    [InlineData(0x41b3de4355555553, "333333333.3333332")]
    [InlineData(0x41b3de4355555554, "333333333.33333325")]
    [InlineData(0x41b3de4355555555, "333333333.3333333")]
    [InlineData(0x41b3de4355555556, "333333333.3333334")]
    [InlineData(0x41b3de4355555557, "333333333.33333343")]
    [InlineData(0xbecbf647612f3696, "-0.0000033333333333333333")]
    [InlineData(0x43143ff3c1cb0959, "1424953923781206.2")]
    public void Format_vectorsOfTheRfc_asThere(ulong bits, string expected) => Assert.Equal(expected, EcmaScriptNumber.Format(BitConverter.UInt64BitsToDouble(bits)));

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(double.NegativeInfinity)]
    public void Format_notFinite_refused(double value) => Assert.Throws<ArgumentOutOfRangeException>(() => EcmaScriptNumber.Format(value));

    [Fact]
    public void Format_anyNumber_leadsBackToIt() => Gen.ULong.Select(BitConverter.UInt64BitsToDouble).Where(double.IsFinite).Sample(value =>
        double.Parse(EcmaScriptNumber.Format(value), CultureInfo.InvariantCulture) == value);

    [Fact]
    public void Write_exampleOfTheRfc_asThere()
    {
        // Section 3.2.2: escapes, control characters and characters that only look like they need an escape.
        var value = Parse("""
            {
              "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
              "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
              "literals": [null, true, false]
            }
            """);
        Assert.Equal(
            """{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}""",
            Text(value));
    }

    [Fact]
    public void Write_namesOfTheRfc_sortedByCodeUnits()
    {
        // Section 3.2.3: a surrogate pair sorts before a letter whose code point is lower.
        var value = Parse("""{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}""");
        Assert.Equal(
            ["\\r", "1", "\u0080", "\u00f6", "\u20ac", "\ud83d\ude00", "\ufb33"],
            Text(value)[1..^1].Split("\",\"").Select(static member => member.Split("\":\"")[0].TrimStart('"')));
    }

    [Theory]
    [InlineData("{\"a\":\"\\ud800\"}")]
    [InlineData("{\"\\udc00\":1}")]
    [InlineData("[1e400]")]
    public void Write_whatHasNoCanonicalForm_refused(string json) => Assert.Throws<FormatException>(() => CanonicalJson.Write(Parse(json)));

    [Fact]
    public void Write_membersInAnyOrder_sameBytesAndAFixedPoint() =>
        Gen.Select(Gen.String.Where(static s => !s.Any(char.IsSurrogate)).Array[1, 6].Select(static names => names.Distinct().ToArray()), Gen.Double.Where(double.IsFinite)).Sample((names, number) =>
        {
            var forwards = CanonicalJson.Write(Object(names, number));
            var backwards = CanonicalJson.Write(Object([.. names.Reverse()], number));
            Assert.Equal(forwards, backwards);
            Assert.Equal(forwards, CanonicalJson.Write(Parse(Encoding.UTF8.GetString(forwards))));
        });

    private static JsonElement Object(string[] names, double number)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            writer.WriteStartObject();
            foreach (var name in names)
            {
                writer.WritePropertyName(name);
                writer.WriteNumberValue(number);
            }

            writer.WriteEndObject();
        }

        return Parse(Encoding.UTF8.GetString(stream.ToArray()));
    }

    private static JsonElement Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }

    private static string Text(JsonElement value) => Encoding.UTF8.GetString(CanonicalJson.Write(value));
}
