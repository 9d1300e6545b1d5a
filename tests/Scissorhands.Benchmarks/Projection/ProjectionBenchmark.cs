using System.Globalization;
using System.Numerics.Tensors;
using System.Text.Json;
using Scissorhands.Core.Projection;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Benchmarks.Projection;

/// <summary>
/// What the projection costs a step: the dots with all memories and the weighted sum, against one float32 dot product pass
/// over the same vector: <c>projection [parameters] [rounds]</c>, 11 million (ResNet-18) and 21 where not given.
/// </summary>
internal static class ProjectionBenchmark
{
    /// <summary>Runs the benchmark.</summary>
    public static int Run(string[] args)
    {
        var count = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 11_000_000;
        var rounds = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 21;
        IndexRange[] segments = [new(0, count)];
        var random = new Random(3);
        float[] Vector()
        {
            var values = new float[count];
            for (var i = 0; i < count; i++)
            {
                values[i] = random.NextSingle() - 0.5f;
            }

            return values;
        }

        var gradient = Vector();
        foreach (var memories in new[] { 1, 10 })
        {
            float[][] held = [.. Enumerable.Range(0, memories).Select(_ => Vector())];
            var factors = Enumerable.Repeat(1e-9, memories).ToArray();
            var sink = 0.0;
            var times = Alternating.Run(
                rounds,
                () => sink += TensorPrimitives.Dot<float>(gradient, held[0]),
                () => sink += BlockedDot.Dots(gradient, held, segments)[0],
                () => GradientProjection.Apply(gradient, held, factors, segments));
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{memories,2} memories: dots {times.Milliseconds(1):F2} ms, apply {times.Milliseconds(2):F2} ms; one float32 dot product {times.Milliseconds(0):F2} ms"));
            Console.WriteLine(JsonSerializer.Serialize(new
            {
                benchmark = "projection",
                parameters = count,
                memories,
                rounds,
                dotMs = times.Milliseconds(0),
                dotsMs = times.Milliseconds(1),
                applyMs = times.Milliseconds(2),
            }));
        }

        return 0;
    }
}
