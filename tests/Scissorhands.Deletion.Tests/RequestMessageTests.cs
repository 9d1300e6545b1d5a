using System.Text;
using CsCheck;
using Scissorhands.Deletion.Requests;
using Scissorhands.Planning;

namespace Scissorhands.Deletion.Tests;

public sealed class RequestMessageTests
{
    private const string Event = """{"specversion":"1.0","type":"dev.scissorhands.deletion-request","source":"/s","id":"7","data":{"model":"m","ids":["a"]}}""";
    private static readonly Dictionary<string, string> None = [];

    private static DeletionSubmission Read(string? contentType, string body, Dictionary<string, string>? headers = null) => RequestMessage.Read(contentType, headers ?? None, Encoding.UTF8.GetBytes(body));

    [Fact]
    public void Read_Structured_TakesTheEventsIdForTheRequests() => Assert.Equal("/s 7", Read("application/cloudevents+json; charset=utf-8", Event).RequestId);

    [Fact]
    public void Read_Base64_IsTheSameRequest()
    {
        var encoded = Convert.ToBase64String("""{"model":"m","ids":["a"]}"""u8);
        var other = Event.Replace("""
            "data":{"model":"m","ids":["a"]}
            """.Trim(), $"\"data_base64\":\"{encoded}\"", StringComparison.Ordinal);

        Assert.Equal(Read("application/cloudevents+json", Event).Digest(), Read("application/cloudevents+json", other).Digest());
    }

    [Theory]
    [InlineData("cloudEvents:")]
    [InlineData("cloudEvents_")]
    public void Read_Binary_IsTheSameRequest(string prefix)
    {
        var headers = new Dictionary<string, string> { [prefix + "specversion"] = "1.0", [prefix + "type"] = RequestMessage.EventType, [prefix + "source"] = "/s", [prefix + "id"] = "7" };

        Assert.Equal(Read("application/cloudevents+json", Event).Digest(), Read("application/json", """{"model":"m","ids":["a"]}""", headers).Digest());
    }

    [Theory]
    [InlineData("text/plain", "{}", "content type")]
    [InlineData("application/cloudevents+json", "[]", "not an object")]
    [InlineData("application/cloudevents+json", "{", "not JSON")]
    [InlineData("application/cloudevents+json", """{"specversion":"0.3","type":"t","source":"s","id":"i","data":{}}""", "specversion")]
    [InlineData("application/cloudevents+json", """{"specversion":"1.0","type":"t","source":"s","id":"i","data":{}}""", "type")]
    [InlineData("application/cloudevents+json", """{"specversion":"1.0","type":"dev.scissorhands.deletion-request","source":"s","data":{}}""", "no id")]
    [InlineData("application/cloudevents+json", """{"specversion":"1.0","type":"dev.scissorhands.deletion-request","source":"s","id":"i","data":[]}""", "not an object")]
    [InlineData("application/cloudevents+json", """{"specversion":"1.0","type":"dev.scissorhands.deletion-request","source":"s","id":"i"}""", "neither data")]
    [InlineData("application/cloudevents+json", """{"specversion":"1.0","type":"dev.scissorhands.deletion-request","source":"s","id":"i","data_base64":"?"}""", "neither data")]
    [InlineData("application/cloudevents+json", """{"id":"i","id":"j","data":{}}""", "not JSON")]
    [InlineData(null, "", "the request")]
    public void Read_NoRequest_SaysWhy(string? contentType, string body, string reason) =>
        Assert.Contains(reason, Assert.Throws<InputException>(() => Read(contentType, body)).Message, StringComparison.Ordinal);

    [Fact]
    public void Read_AnyDamage_IsReadOrTheClearErrorWithoutAnId() =>
        Gen.Select(Gen.Int[0, Event.Length - 1], Gen.Char[' ', '~'], Gen.OneOfConst<string?>(null, "application/json", "application/cloudevents+json")).Sample((at, character, type) =>
        {
            var body = Event.Replace("\"a\"", "\"alice-1\"", StringComparison.Ordinal);
            try
            {
                Read(type, body[..at] + character + body[(at + 1)..]);
            }
            catch (InputException e)
            {
                Assert.DoesNotContain("alice", e.Message, StringComparison.Ordinal);
            }
        });
}
