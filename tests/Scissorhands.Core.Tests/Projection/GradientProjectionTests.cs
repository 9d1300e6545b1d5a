using System.Text.Json;
using CsCheck;
using Scissorhands.Core.Projection;
using Scissorhands.Core.Tests.Models;
using Scissorhands.Core.Tests.Selection;
using Scissorhands.Planning;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Core.Tests.Projection;

public sealed class GradientProjectionTests
{
    private static readonly Gen<(double[,] Gram, double[] Dots, double Margin)> Problems =
        from count in Gen.OneOf(Gen.Int[2, 12], Gen.Int[13, 64])
        from dimension in Gen.Int[1, 20]
        from scale in Gen.OneOfConst(1e-5, 1.0, 100.0)
        from margin in Gen.OneOfConst(0.0, 0.5, 2.0)
        from vectors in Gen.Double[-1, 1].Array[dimension].Array[count + 1]
        select Problem(vectors, scale, margin);

    [Fact]
    public void Solve_any_problem_satisfies_the_optimality_conditions()
    {
        Problems.Sample(
            problem =>
            {
                var (gram, dots, margin) = problem;
                var v = GradientProjection.Solve(gram, dots, margin, 1e-3);
                for (var i = 0; i < v.Length; i++)
                {
                    var slope = dots[i] + (1e-3 * v[i]);
                    var magnitude = Math.Abs(dots[i]) + (1e-3 * v[i]);
                    for (var j = 0; j < v.Length; j++)
                    {
                        slope += gram[i, j] * v[j];
                        magnitude += Math.Abs(gram[i, j] * v[j]);
                    }

                    Assert.True(v[i] >= margin);
                    Assert.True(slope >= -1e-8 * magnitude, $"multiplier {i} of {v.Length} should be larger: slope {slope}, magnitude {magnitude}");
                    Assert.True(v[i] == margin || slope <= 1e-8 * magnitude, $"multiplier {i} of {v.Length} should be smaller: slope {slope}, magnitude {magnitude}");
                }
            },
            iter: 3000);
    }

    [Fact]
    public void Solve_one_memory_equals_the_closed_form()
    {
        Gen.Select(Gen.Double[0, 10], Gen.Double[-10, 10], Gen.Double[0, 2]).Sample((norm, dot, margin) =>
            Assert.Equal(Math.Max(margin, -dot / (norm + 1e-3)), GradientProjection.Solve(new[,] { { norm } }, [dot], margin, 1e-3)[0]));
    }

    [Fact]
    public void Solve_one_memory_twice_shares_its_multiplier()
    {
        var v = GradientProjection.Solve(new[,] { { 2.0, 2.0 }, { 2.0, 2.0 } }, [-8, -8], 0, 1e-3);
        Assert.Equal(v[0], v[1], 9);
        Assert.Equal(8 / 4.001, v[0], 9);
    }

    [Fact]
    public void Solve_dot_that_is_not_finite_ends_the_run()
    {
        Assert.Throws<RunFailedException>(() => GradientProjection.Solve(new[,] { { 1.0 } }, [double.NaN], 0.5, 1e-3));
        Assert.Throws<RunFailedException>(() => GradientProjection.Solve(new[,] { { double.PositiveInfinity } }, [-1], 0.5, 1e-3));
    }

    [Fact]
    public void Apply_any_segments_rounds_every_term_twice_and_leaves_the_rest()
    {
        Gen.Select(Gen.Int[1, 5000], Gen.Int[1, 4], Gen.Int).Sample(
            (length, count, seed) =>
            {
                var random = new Random(seed);
                float[] Vector() => [.. Enumerable.Range(0, length).Select(_ => random.NextSingle() - 0.5f)];
                var gradient = Vector();
                var memories = Enumerable.Range(0, count).Select(_ => Vector()).ToArray();
                var v = Enumerable.Range(0, count).Select(_ => random.NextDouble() * 3).ToArray();
                IndexRange[] segments = [new(0, length / 3), new(length / 2, length)];
                var expected = (float[])gradient.Clone();
                foreach (var i in segments.SelectMany(s => Enumerable.Range(s.Start, s.Count)))
                {
                    for (var j = 0; j < count; j++)
                    {
                        var term = (float)((double)(float)v[j] * memories[j][i]);
                        expected[i] = (float)((double)expected[i] + term);
                    }
                }

                GradientProjection.Apply(gradient, memories, v, segments);
                Assert.Equal(expected, gradient);
            },
            iter: 200);
    }

    [Fact]
    public void Project_golden_cases_agree()
    {
        var path = TestFolders.Shared("golden", "projection.safetensors");
        using var document = JsonDocument.Parse(File.ReadAllBytes(TestFolders.Shared("golden", "projection.json")));
        foreach (var expected in document.RootElement.EnumerateArray())
        {
            var id = expected.GetProperty("case").GetInt32();
            var gradient = GoldenTensors.Singles(path, $"{id}.g");
            IndexRange[] segments = [new(0, gradient.Length)];
            var memories = GoldenTensors.Singles(path, $"{id}.memories").Chunk(gradient.Length).ToArray();
            Assert.Equal(expected.GetProperty("memories").GetInt32(), memories.Length);
            var dots = BlockedDot.Dots(gradient, memories, segments);
            Assert.Equal(expected.GetProperty("conflict").GetBoolean(), dots.Any(d => d < 0));
            if (dots.Any(d => d < 0))
            {
                var v = GradientProjection.Solve(BlockedDot.Gram(memories, segments), dots, 0.5, 1e-3);
                var multipliers = expected.GetProperty("multipliers").EnumerateArray().Select(m => m.GetDouble()).ToArray();
                for (var j = 0; j < v.Length; j++)
                {
                    Assert.Equal(multipliers[j], v[j], 1e-4);
                }

                GradientProjection.Apply(gradient, memories, v, segments);
            }

            var projected = GoldenTensors.Doubles(path, $"{id}.projected");
            var difference = Math.Sqrt(gradient.Zip(projected, (a, b) => (a - b) * (a - b)).Sum());
            Assert.True(difference <= 1e-5 * Math.Sqrt(projected.Sum(b => b * b)), $"case {id}: differs by {difference}");
        }
    }

    private static (double[,] Gram, double[] Dots, double Margin) Problem(double[][] vectors, double scale, double margin)
    {
        double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum() * scale;
        var count = vectors.Length - 1;
        var gram = new double[count, count];
        for (var i = 0; i < count; i++)
        {
            for (var j = 0; j < count; j++)
            {
                gram[i, j] = Dot(vectors[i], vectors[j]);
            }
        }

        return (gram, [.. vectors[..count].Select(m => Dot(m, vectors[count]))], margin);
    }
}
