using System.Text.Json;
using CsCheck;
using Scissorhands.Core.Membership;
using Scissorhands.Core.Tests.Models;
using Scissorhands.Core.Tests.Selection;
using Scissorhands.Planning;

namespace Scissorhands.Core.Tests.Membership;

public sealed class MembershipAttackTests
{
    [Fact]
    public void ShareCalledNonMember_golden_cases_agree()
    {
        var path = TestFolders.Shared("golden", "mia.safetensors");
        using var document = JsonDocument.Parse(File.ReadAllBytes(TestFolders.Shared("golden", "mia.json")));
        foreach (var expected in document.RootElement.EnumerateArray())
        {
            var id = expected.GetProperty("case").GetInt32();
            var share = MembershipAttack.ShareCalledNonMember(
                GoldenTensors.Singles(path, $"{id}.members"), GoldenTensors.Singles(path, $"{id}.nonmembers"), GoldenTensors.Singles(path, $"{id}.forget"));
            TestContext.Current.TestOutputHelper?.WriteLine($"case {id}: {share}, golden {expected.GetProperty("share_called_nonmember").GetDouble()}");
            Assert.Equal(expected.GetProperty("share_called_nonmember").GetDouble(), share, 0.01);
        }
    }

    [Fact]
    public void ShareCalledNonMember_small_problems_agree_with_sequential_minimal_optimisation()
    {
        var confidence = Gen.OneOf(Gen.Float[0, 1], Gen.Int[0, 5].Select(i => i / 5f), Gen.Float[0.99f, 1f], Gen.Const(1f));
        Gen.Select(confidence.Array[1, 25], confidence.Array[1, 25]).Sample(
            (members, nonMembers) =>
            {
                var reference = SequentialMinimalOptimization.Train(members, nonMembers, 3, 1, 1e-8);
                var classifier = RbfClassifier.Train(members, nonMembers, 3, 1);
                for (var i = 0; i <= 20; i++)
                {
                    Assert.Equal(reference(i / 20.0), classifier.Decide(i / 20.0), 2e-3);
                }
            },
            iter: 200);
    }

    [Fact]
    public void ShareCalledNonMember_saturated_confidences_end_within_tens_of_steps()
    {
        // As a well-trained model gives them: members all but certain, non-members nearly so, most of the float range unused.
        var random = new Random(5);
        float[] Confidences(int count, double spread) => [.. Enumerable.Range(0, count).Select(_ => (float)(1 / (1 + Math.Exp(-12 + (spread * (random.NextDouble() + random.NextDouble()))))))];
        var classifier = RbfClassifier.Train(Confidences(10_000, 4), Confidences(10_000, 9), 3, 1);
        Assert.InRange(classifier.Iterations, 1, 80);
        TestContext.Current.TestOutputHelper?.WriteLine($"{classifier.Iterations} steps");
    }

    [Fact]
    public void ShareCalledNonMember_equal_inputs_in_any_order_give_equal_bits()
    {
        Gen.Float[0, 1].Array[2, 50].Sample(
            values =>
            {
                var half = values.Length / 2;
                var forward = RbfClassifier.Train(values.AsSpan(0, half), values.AsSpan(half), 3, 1).Decide(0.3);
                float[] first = [.. values.Take(half).Reverse()];
                float[] second = [.. values.Skip(half).Reverse()];
                Assert.Equal(forward, RbfClassifier.Train(first, second, 3, 1).Decide(0.3));
            },
            iter: 50);
    }

    [Fact]
    public void ShareCalledNonMember_confidences_that_tell_nothing_call_all_members()
    {
        Assert.Equal(0, MembershipAttack.ShareCalledNonMember([1, 1, 1], [1, 1, 1], [1, 1]));
    }

    [Fact]
    public void ShareCalledNonMember_separate_classes_calls_each_side()
    {
        Assert.Equal(0.5, MembershipAttack.ShareCalledNonMember([0.9f, 0.95f, 1], [0, 0.1f, 0.2f], [0.05f, 0.97f]));
    }

    [Fact]
    public void ShareCalledNonMember_confidence_that_is_no_number_ends_the_run()
    {
        Assert.Throws<RunFailedException>(() => MembershipAttack.ShareCalledNonMember([1, float.NaN], [0], [1]));
    }
}
