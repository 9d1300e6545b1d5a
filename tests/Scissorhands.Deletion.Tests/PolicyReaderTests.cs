using System.Text.Json.Nodes;
using Scissorhands.Deletion.Batching;
using Scissorhands.Deletion.Gate;
using Scissorhands.Planning;

namespace Scissorhands.Deletion.Tests;

/// <summary>A policy's file is read as it is meant, and what is wrong in it is said with what would be right.</summary>
public sealed class PolicyReaderTests
{
    [Fact]
    public void Read_everyKindOfValue_isThePolicy()
    {
        var policy = PolicyReader.Read(
            JsonNode.Parse("""
                {"maxWait": "3.00:00:00", "minRequests": 1, "firstPreset": "strong", "quietHours": [{"from": "22:00:00", "to": "06:00:00"}],
                 "presets": [{"name": "mild"}, {"name": "strong", "configuration": {"repair": {"epochs": 5}}}],
                 "gate": {"smallSets": "accept", "testDrop": 2.5, "minTestAccuracy": null}}
                """),
            "p.yaml");

        Assert.Equal((TimeSpan.FromDays(3), 1, "strong", new QuietHours(new TimeOnly(22, 0), new TimeOnly(6, 0))), (policy.MaxWait, policy.MinRequests, policy.FirstPreset, Assert.Single(policy.QuietHours)));
        Assert.Equal(5, policy.Presets[1].Configuration["repair"]!["epochs"]!.GetValue<int>());
        Assert.Equal((SmallSetRule.Accept, 2.5, null), (policy.Gate.SmallSets, policy.Gate.TestDrop, policy.Gate.MinTestAccuracy));
    }

    [Theory]
    [InlineData("""{"maxWiat": "01:00:00"}""", "p.yaml: unknown key 'policy.maxWiat'; did you mean 'maxWait'?")]
    [InlineData("""{"x": 1}""", "unknown key 'policy.x'; policy has maxWait, minRequests")]
    [InlineData("""{"gate": {"smallSet": "wait"}}""", "unknown key 'policy.gate.smallSet'; did you mean 'smallSets'?")]
    [InlineData("""{"gate": {"smallSets": "never"}}""", "policy.gate.smallSets: must be one of wait, accept, reject, not \"never\"")]
    [InlineData("""{"gate": {"smallSets": 1}}""", "must be one of wait, accept, reject, not 1")]
    [InlineData("""{"maxWait": 3600}""", "policy.maxWait: must be a duration as days.hours:minutes:seconds, such as \"01:30:00\" or \"3.00:00:00\", not 3600")]
    [InlineData("""{"maxWait": "3 days"}""", "policy.maxWait: must be a duration")]
    [InlineData("""{"minRequests": "many"}""", "policy.minRequests: must be a whole number, not \"many\"")]
    [InlineData("""{"minRequests": 1.5}""", "policy.minRequests: must be a whole number, not 1.5")]
    [InlineData("""{"minRequests": null}""", "policy.minRequests: must be a whole number, not nothing")]
    [InlineData("""{"gate": {"testDrop": "2 %"}}""", "policy.gate.testDrop: must be a number")]
    [InlineData("""{"quietHours": [{"from": "late", "to": "06:00:00"}]}""", "policy.quietHours[0].from: must be a time of day")]
    [InlineData("""{"presets": {"name": "one"}}""", "policy.presets: must be a list")]
    [InlineData("""{"presets": ["one"]}""", "policy.presets[0]: must be a section with the keys name, configuration, not \"one\"")]
    [InlineData("""{"presets": [{}]}""", "p.yaml: policy.presets[0]: ")]
    [InlineData("""{"retrain": {"x": 1}}""", "unknown key 'policy.retrain.x'; policy.retrain has ")]
    [InlineData("""{"gate": null}""", "policy.gate: must be a section")]
    [InlineData("""[]""", "p.yaml: policy: must be a section")]
    [InlineData("""{"maxRequests": 1}""", "p.yaml: policy.maxRequests: must be at least minRequests")]
    public void Read_whatIsNotInOrder_isSaidWithWhatIs(string text, string expected)
    {
        var thrown = Assert.Throws<InputException>(() => PolicyReader.Read(JsonNode.Parse(text), "p.yaml"));
        Assert.Contains(expected, thrown.Message, StringComparison.Ordinal);
    }
}
