using CsCheck;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Scissorhands.Deletion.Requests;
using Scissorhands.Planning;

namespace Scissorhands.Deletion.Tests;

public sealed class DeletionSubmissionTests
{
    private const string Whole = """{"requestId":"r","model":"m","ids":["a","b"],"subjects":["p"],"receivedAt":"2026-01-02T03:04:05Z","deadline":"2026-02-01T00:00:00Z","legalHold":true}""";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private static DeletionSubmission Parse(string json) => DeletionSubmission.Parse(Encoding.UTF8.GetBytes(json));

    [Fact]
    public void Parse_Whole_ReadsEverything()
    {
        var submission = Parse(Whole);

        Assert.Equal(("r", "m", true), (submission.RequestId, submission.Model, submission.LegalHold));
        Assert.Equal(["a", "b"], submission.Ids);
        Assert.Equal(["p"], submission.Subjects);
    }

    /// <summary>The same text is the same moment, and the same request, whatever zone the coordinator is in.</summary>
    [Fact]
    public void Parse_TimeWithoutOffset_IsMeantInUtcWhereverItIsRead()
    {
        var before = Environment.GetEnvironmentVariable("TZ");
        var here = Parse(Whole.Replace("00:00:00Z", "00:00:00", StringComparison.Ordinal));
        try
        {
            Environment.SetEnvironmentVariable("TZ", "Asia/Tokyo");
            TimeZoneInfo.ClearCachedData();
            Assert.SkipWhen(TimeZoneInfo.Local.BaseUtcOffset == TimeSpan.Zero, "this machine knows no time zones");
            var there = Parse(Whole.Replace("00:00:00Z", "00:00:00", StringComparison.Ordinal));

            Assert.Equal((new DateTimeOffset(2026, 2, 1, 0, 0, 0, TimeSpan.Zero), TimeSpan.Zero), (there.Deadline!.Value, there.Deadline.Value.Offset));
            Assert.Equal((here.Digest(), Parse(Whole).Digest()), (there.Digest(), there.Digest()));
            Assert.Equal(TimeSpan.FromHours(1), Parse(Whole.Replace("00:00:00Z", "00:00:00+01:00", StringComparison.Ordinal)).Deadline!.Value.Offset);
        }
        finally
        {
            Environment.SetEnvironmentVariable("TZ", before);
            TimeZoneInfo.ClearCachedData();
        }
    }

    [Theory]
    [InlineData("""{"model":"m","ids":["a"]}""", "requestId")]
    [InlineData("""{"requestId":"r","ids":["a"]}""", "model, dataSet")]
    [InlineData("""{"requestId":"r","model":"m","dataSet":"d","ids":["a"]}""", "model, dataSet")]
    [InlineData("""{"requestId":"r","model":"m"}""", "ids, subjects, file")]
    [InlineData("""{"requestId":"r","model":"../m","ids":["a"]}""", "model:")]
    [InlineData("""{"requestId":"r","model":"m","ids":["a",""]}""", "ids[1]")]
    [InlineData("""{"requestId":"r","model":"m","ids":["a\nb"]}""", "ids[0]")]
    [InlineData("""{"requestId":"r","model":"m","ids":[null]}""", "ids[0]")]
    [InlineData("""{"requestId":"r","model":"m","ids":["a"],"receivedAt":"2026-02-01T00:00:00Z","deadline":"2026-01-01T00:00:00Z"}""", "deadline")]
    [InlineData("""{"requestId":"r\u0000","model":"m","ids":["a"]}""", "requestId")]
    [InlineData("""{"requestId":"r","model":"m","ids":["a"],"idz":[]}""", "the request: unknown key 'idz'; did you mean 'ids'?")]
    [InlineData("""{"requestId":"r","model":"m","subject":["alice"]}""", "the request: unknown key 'subject'; did you mean 'subjects'?")]
    [InlineData("""{"request_id":"r","model":"m","ids":["a"]}""", "the request: unknown key 'request_id'; did you mean 'requestId'?")]
    [InlineData("""{"requestId":"r","model":"m","ids":["a"],"alice-1":[]}""", "the request: unknown key; there are requestId,")]
    [InlineData("""{"requestId":"r","model":"m","ids":["a"],"deadline":"31.01.2030"}""", "deadline: must be a time as ISO 8601 writes it, such as")]
    [InlineData("""{"requestId":"r","model":"m","ids":["a"],"receivedAt":1893456000}""", "receivedAt: must be a time as ISO 8601 writes it, such as")]
    [InlineData("""{"requestId":"r","model":"m","ids":["a"],"legalHold":"yes"}""", "legalHold: must be true or false")]
    [InlineData("""{"requestId":"r","model":"m","ids":"a"}""", "ids: must be a list of texts")]
    [InlineData("""{"requestId":"r","model":"m","ids":["a",7]}""", "ids[1]: must be a text")]
    [InlineData("""{"requestId":17,"model":"m","ids":["a"]}""", "requestId: must be a text")]
    [InlineData("""["a"]""", "the request: must be an object with the keys requestId,")]
    [InlineData("""{"requestId":"r","requestId":"s","model":"m","ids":["a"]}""", "the request: the key 'requestId' is given twice")]
    [InlineData("""{"requestId":"r","model":"m","ids":null}""", "ids: must be a list of texts")]
    [InlineData("null", "the request")]
    [InlineData("", "the request:")]
    [InlineData("[", "the request:")]
    public void Parse_WrongBody_NamesTheKey(string json, string key)
    {
        var error = Assert.Throws<InputException>(() => Parse(json));
        Assert.StartsWith(key, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("alice", error.Message, StringComparison.Ordinal);
    }

    /// <summary>A message may end in a log: it never shows an id or anything else that was sent.</summary>
    [Fact]
    public void Parse_AnyDamage_IsTheClearErrorAndShowsNothingOfIt() =>
        Gen.Select(Gen.Int[0, Whole.Length - 1], Gen.Char[' ', '~']).Sample((at, character) =>
        {
            var secret = Whole.Replace("\"a\"", "\"alice-1\"", StringComparison.Ordinal);
            try
            {
                Parse(secret[..at] + character + secret[(at + 1)..]);
            }
            catch (InputException e)
            {
                Assert.DoesNotContain("alice", e.Message, StringComparison.Ordinal);
            }
        });

    [Fact]
    public void Parse_AnyBytes_IsReadOrTheClearError() =>
        Gen.Byte.Array[0, 60].Sample(bytes =>
        {
            try
            {
                DeletionSubmission.Parse(bytes);
            }
            catch (InputException)
            {
            }
        });

    [Fact]
    public void Digest_OtherLayout_IsTheSame_OtherMeaning_IsNot()
    {
        var other = JsonNode.Parse(Whole)!.ToJsonString(Indented);

        Assert.Equal(Parse(Whole).Digest(), Parse(other).Digest());
        Assert.NotEqual(Parse(Whole).Digest(), Parse(Whole.Replace("\"b\"", "\"c\"", StringComparison.Ordinal)).Digest());
    }

    [Fact]
    public void IdOf_PartsThatJoinToTheSame_AreDifferent()
    {
        Assert.NotEqual(DeletionSubmission.IdOf("t", "ab", "c", "m"), DeletionSubmission.IdOf("t", "a", "bc", "m"));
        Assert.NotEqual(DeletionSubmission.IdOf("t", "a", "b", "m"), DeletionSubmission.IdOf("u", "a", "b", "m"));
        Assert.Equal(DeletionSubmission.IdOf("t", "a", "b", "m"), DeletionSubmission.IdOf("t", "a", "b", "m"));
    }
}
