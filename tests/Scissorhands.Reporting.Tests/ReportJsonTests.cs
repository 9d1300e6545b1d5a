using System.Text.Json.Nodes;
using Scissorhands.Planning;
using Scissorhands.Reporting.Model;

namespace Scissorhands.Reporting.Tests;

public sealed class ReportJsonTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("scissorhands-report-").FullName;

    public void Dispose()
    {
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void Read_ofWrite_givesTheSameFile()
    {
        foreach (var report in new[] { SampleReports.Full(), SampleReports.Bare() })
        {
            var first = Path.Combine(_folder, "report.json");
            var second = Path.Combine(_folder, "again.json");
            ReportJson.Write(report, first);
            var back = ReportJson.Read(first);
            ReportJson.Write(back, second);

            Assert.Equal(File.ReadAllText(first), File.ReadAllText(second));
            Assert.Equal(report.Identity, back.Identity);
            Assert.Equal(report.Repair.RetainLoss, back.Repair.RetainLoss);
            Assert.Equal(report.AfterRepair.Forget.Loss, back.AfterRepair.Forget.Loss);
            Assert.Equal(["again.json", "report.json"], Directory.GetFiles(_folder).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal));
        }
    }

    [Fact]
    public void Write_figures_areReadableByScripts()
    {
        var path = Path.Combine(_folder, "report.json");
        ReportJson.Write(SampleReports.Full(), path);
        var json = JsonNode.Parse(File.ReadAllText(path))!;

        Assert.Equal(1, (int)json["schemaVersion"]!);
        Assert.Equal(11.78, (double)json["afterRepair"]!["percent"]!["ua"]!);
        Assert.Equal(3.2925, (double)json["averageGap"]!);
        Assert.Equal(0.03m, (decimal)json["configuration"]!["trim"]!["fraction"]!);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("{\"schemaVersion\":\"1\"}")]
    [InlineData("{\"schemaVersion\":1}")]
    public void Read_noReport_isInputException(string json)
    {
        AssertRefused(json, "not a report");
    }

    [Fact]
    public void Read_otherVersion_isNamed()
    {
        AssertRefused("{\"schemaVersion\":2}", "schema 2");
    }

    [Theory]
    [InlineData("afterRepair.forget.accuracy", "1.5")]
    [InlineData("afterRepair.forget.accuracy", "\"NaN\"")]
    [InlineData("before.retain.count", "-1")]
    [InlineData("before.retain.confidence", "[1,2]")]
    [InlineData("before.nonMemberShare", "2")]
    [InlineData("repair.forgetLoss", "[]")]
    [InlineData("identity", "null")]
    [InlineData("identity.modelFile", "null")]
    [InlineData("trim.rows", "[{\"name\":\"a\",\"elements\":1,\"selected\":1,\"trimmed\":2}]")]
    [InlineData("trim.rows", "[null]")]
    [InlineData("stages", "[{\"stage\":\"a\",\"seconds\":-1,\"samples\":0}]")]
    [InlineData("notes", "[null]")]
    public void Read_contradiction_isInputException(string key, string value)
    {
        var path = Path.Combine(_folder, "report.json");
        ReportJson.Write(SampleReports.Full(), path);
        var json = JsonNode.Parse(File.ReadAllText(path))!;
        var parts = key.Split('.');
        var parent = parts[..^1].Aggregate(json, (node, part) => node[part]!);
        parent[parts[^1]] = JsonNode.Parse(value);

        AssertRefused(json.ToJsonString(), "not a report");
    }

    [Fact]
    public void Read_truncated_isInputException()
    {
        var path = Path.Combine(_folder, "report.json");
        ReportJson.Write(SampleReports.Full(), path);
        var text = File.ReadAllText(path);
        for (var length = 0; length < text.Length - 2; length += 997)
        {
            AssertRefused(text[..length], "not a report");
        }
    }

    [Fact]
    public void Read_missingFile_isInputException()
    {
        Assert.Contains("absent.json", Assert.Throws<InputException>(() => ReportJson.Read(Path.Combine(_folder, "absent.json"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Write_folderMissing_isRunFailedAndLeavesNothing()
    {
        Assert.Throws<RunFailedException>(() => ReportJson.Write(SampleReports.Full(), Path.Combine(_folder, "no", "report.json")));
        Assert.Empty(Directory.GetFileSystemEntries(_folder));
    }

    [Fact]
    public void EvaluationReport_write_hasExactlyTheNamedKeys()
    {
        var path = Path.Combine(_folder, "e.json");
        new EvaluationReport(new MetricSet(11.78, 97.65, 83.3, 17.38), new MetricSet(15.28, 98.11, 84.27, 25.62)).Write(path);

        var expected = """{"ua":11.78,"ra":97.65,"ta":83.3,"mia":17.38,"retrained":{"ua":15.28,"ra":98.11,"ta":84.27,"mia":25.62},"averageGap":3.2925}""";
        Assert.Equal(expected, JsonNode.Parse(File.ReadAllText(path))!.ToJsonString());
    }

    [Fact]
    public void EvaluationReport_nothingMeasured_isNull()
    {
        var path = Path.Combine(_folder, "e.json");
        new EvaluationReport(new MetricSet(1, 2, null, null), null).Write(path);

        Assert.Equal("""{"ua":1,"ra":2,"ta":null,"mia":null,"retrained":null,"averageGap":null}""", JsonNode.Parse(File.ReadAllText(path))!.ToJsonString());
    }

    private void AssertRefused(string json, string part)
    {
        var path = Path.Combine(_folder, "bad.json");
        File.WriteAllText(path, json);

        var failure = Assert.Throws<InputException>(() => ReportJson.Read(path));

        Assert.Contains("bad.json", failure.Message, StringComparison.Ordinal);
        Assert.Contains(part, failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', failure.Message);
    }
}
