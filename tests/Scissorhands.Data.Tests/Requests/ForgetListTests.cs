using System.Text;
using Scissorhands.Data.Requests;
using Scissorhands.Data.Samples;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Data.Tests.Requests;

public sealed class ForgetListTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Resolve_IdsAndSubjects_KeepsListOrderEachOnce()
    {
        using var set = Set();
        var selection = Resolve(set, "c\n{\"subject\": \"p\"}\n\n{\"id\": \"c\"}\n", ignoreUnknown: false);
        Assert.Equal([2, 0, 1], selection.Ordinals);
    }

    [Fact]
    public void Resolve_UnknownIds_AreCountedAndFiveNamed()
    {
        using var set = Set();
        var fault = Assert.Throws<InputException>(() => Resolve(set, "a\nu1\nu2\nu3\nu4\nu5\nu6\n", ignoreUnknown: false)).Message;
        Assert.Contains("6 of 7", fault, StringComparison.Ordinal);
        Assert.Contains("'u5'", fault, StringComparison.Ordinal);
        Assert.DoesNotContain("'u6'", fault, StringComparison.Ordinal);
        Assert.Contains("--ignore-unknown", fault, StringComparison.Ordinal);
        Assert.Equal([0], Resolve(set, "a\nu1\n", ignoreUnknown: true).Ordinals);
    }

    [Theory]
    [InlineData("img-001.png\nimg-002.png\nimg-004.png", "2 of them are when written without ending: 'img-001', not 'img-001.png'")]
    [InlineData("some.where/img-001\nu1", "1 of them is when written without folder: 'img-001', not 'some.where/img-001'")]
    [InlineData("cat/img-001.png", "1 of them is when written without folder and ending: 'img-001', not 'cat/img-001.png'")]
    [InlineData("img_001\n.png\n/", "'img-###'")]
    public void Resolve_IdsWrittenOtherwise_SaysWhatIdsLookLikeAndWhatWouldMatch(string list, string expected)
    {
        using var set = Set("img-001", "img-002", "img-003");
        foreach (var ignoreUnknown in (bool[])[false, true])
        {
            var fault = Assert.Throws<InputException>(() => Resolve(set, list, ignoreUnknown)).Message;
            Assert.Contains("ids here look like 'img-###'", fault, StringComparison.Ordinal);
            Assert.Contains(expected, fault, StringComparison.Ordinal);
            Assert.DoesNotContain("img-003", fault, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Resolve_FileThatIsNoList_ShowsTheStartOfItsLinesOnly()
    {
        using var set = Set();
        var fault = Assert.Throws<InputException>(() => Resolve(set, "\u001b[2J\u0007x\n" + new string('y', 5000), ignoreUnknown: false)).Message;
        Assert.Contains("'?[2J?x', '" + new string('y', 100) + "...' (5000 characters)", fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "empty")]
    [InlineData("\n \n", "empty")]
    [InlineData("a\nb\nc\nd\n", "covers all")]
    [InlineData("{\"name\": 1}", "line 1")]
    [InlineData("{\"id\"", "line 1")]
    public void Resolve_BadList_SaysWhatIsWrong(string text, string expected)
    {
        using var set = Set();
        Assert.Contains(expected, Assert.Throws<InputException>(() => Resolve(set, text, ignoreUnknown: true)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_FileThatCannotBeRead_NamesIt() =>
        Assert.Contains("/proc/self/mem: cannot be read", Assert.Throws<InputException>(() => ForgetList.Read("/proc/self/mem")).Message, StringComparison.Ordinal);

    private ForgetSelection Resolve(ISampleSet set, string text, bool ignoreUnknown)
    {
        File.WriteAllText(_folder["forget.txt"], text);
        return ForgetList.Resolve(ForgetList.Read(_folder["forget.txt"]), set, ignoreUnknown, "forget.txt");
    }

    private ISampleSet Set() => Set("a", "b", "c", "d");

    private ISampleSet Set(params string[] keys)
    {
        Shards.Write(_folder["a.tar"], keys.SelectMany(key => new[]
        {
            ($"{key}.png", Shards.Png(2, 2, (_, _) => (0, 0, 0))),
            ($"{key}.json", Encoding.UTF8.GetBytes(string.CompareOrdinal(key, "c") < 0 ? "{\"label\": 0, \"subject\": \"p\"}" : "{\"label\": 1}")),
        }));
        return DataSets.Open(_folder["a.tar"], new DataConfiguration { Cache = "none" }, null, CancellationToken.None);
    }
}
