using CsCheck;
using Scissorhands.Core.Models;
using Scissorhands.Core.Projection;
using Scissorhands.Core.Repair;
using Scissorhands.Core.Replica;
using Scissorhands.Core.TensorMemory;
using Scissorhands.Planning.Configuration;
using Scissorhands.Planning.Cut;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Scissorhands.Core.Tests.Repair;

/// <summary>Projection and update of parts of the moving vector, each by its owner, are those of the whole, bit for bit.</summary>
public sealed class PartsTests
{
    private const int Block = RangeOwnership.BlockElements;

    [Fact]
    public void Project_parts_of_any_number_of_owners_give_the_whole()
    {
        var gen =
            from length in Gen.OneOf(Gen.Int[1, 40], Gen.Int[Block - 2, Block + 2], Gen.Int[3 * Block, (4 * Block) + 100])
            from owners in Gen.Int[1, 6]
            from memories in Gen.Int[0, 4]
            from cut in Gen.Int[0, length]
            from seed in Gen.Int
            select (length, owners, memories, cut, seed);
        gen.Sample(
            static c =>
            {
                IndexRange[] segments = c.cut == 0 ? [new(0, c.length)] : [.. new IndexRange[] { new(0, c.cut / 2), new(c.cut, c.length) }.Where(static s => s.Count > 0)];
                var options = new ProjectionConfiguration { Memories = c.memories };
                var memories = Enumerable.Range(1, c.memories).Select(j => Vector(c.length, c.seed + j)).ToArray();
                var gradient = Vector(c.length, c.seed);
                float[] expected = [.. gradient];
                using var whole = new ProjectedGradient(options, segments, new IndexRange(0, c.length));
                foreach (var memory in memories)
                {
                    memory.CopyTo(whole.Add());
                }

                // Twice: the second projection uses the Gram matrix of the first.
                bool[] projected = [whole.Project(expected), whole.Project(expected)];
                using var exchange = new Owners(c.owners);
                var threads = Enumerable.Range(0, c.owners).Select(owner => Task.Factory.StartNew(
                    () =>
                    {
                        var part = RangeOwnership.Owned(c.length, owner, c.owners);
                        using var projection = new ProjectedGradient(options, segments, new IndexRange(0, c.length));
                        projection.Hold(part, exchange.Of(owner));
                        foreach (var memory in memories)
                        {
                            memory.AsMemory(part.Start, part.Count).CopyTo(projection.Add());
                        }

                        bool[] own = [projection.Project(gradient.AsSpan(part.Start, part.Count)), projection.Project(gradient.AsSpan(part.Start, part.Count))];
                        Assert.Equal(projected, own);
                    },
                    TestContext.Current.CancellationToken,
                    TaskCreationOptions.LongRunning,
                    TaskScheduler.Default)).ToArray();
                Task.WaitAll(threads, TestContext.Current.CancellationToken);
                Assert.Equal(expected.Select(BitConverter.SingleToInt32Bits), gradient.Select(BitConverter.SingleToInt32Bits));
            },
            iter: 60,
            threads: 1);
    }

    /// <summary>Wherever parts begin: which elements libtorch takes together must not show.</summary>
    [Theory]
    [InlineData(false, 1)]
    [InlineData(false, 2)]
    [InlineData(true, 1)]
    [InlineData(true, 2)]
    public void Step_parts_wherever_they_begin_move_the_weights_as_the_whole_does(bool masked, int threads)
    {
        torch.set_num_threads(threads);
        try
        {
            using var expected = Model();
            using var actual = Model();
            var n = expected.Parameters.Count;
            var mask = new byte[n];
            for (var i = 0; i < n; i++)
            {
                mask[i] = (byte)(i % 3 == 0 ? 0 : 1);
            }

            using var moving = masked ? MovingSet.Masked(mask, torch.CPU) : MovingSet.All(n);
            int[] cuts = [0, 1, 8, 1003, moving.Count / 2, moving.Count - 1, moving.Count];
            using var whole = new MomentumSgd(expected, moving, 0.9, 5e-4);
            var parts = cuts.Zip(cuts[1..], (start, end) => new MomentumSgd(actual, moving, 0.9, 5e-4, new IndexRange(start, end))).ToArray();
            for (var step = 0; step < 3; step++)
            {
                var gradient = Vector(moving.Count, step);
                gradient.CopyTo(expected.HostGradient.Span);
                whole.Step(expected.HostGradient, 0.01);
                gradient.CopyTo(actual.HostGradient.Span);
                foreach (var part in parts)
                {
                    part.Step(actual.HostGradient, 0.01);
                }
            }

            Assert.Equal(expected.StateHash(), actual.StateHash());
            Assert.Equal(whole.Capture().ToArray(), parts.SelectMany(static part => part.Capture().ToArray()));
            foreach (var part in parts)
            {
                part.Dispose();
            }
        }
        finally
        {
            torch.set_num_threads(1);
        }
    }

    private static ModelReplica Model()
    {
        var module = new Linear300();
        using (torch.no_grad())
        {
            foreach (var parameter in module.parameters())
            {
                parameter.copy_(torch.linspace(-1, 1, parameter.numel()).view(parameter.shape));
            }
        }

        return new ModelReplica(new LoadedModel(module, module.forward, "test"), torch.CPU, 1);
    }

    private static float[] Vector(int length, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => (float)((random.NextDouble() - 0.5) * Math.Exp(random.NextDouble() * 10)))];
    }

    private sealed class Linear300 : nn.Module<Tensor, Tensor>
    {
        private readonly Linear _linear;

        public Linear300() : base(nameof(Linear300))
        {
            // Its first weights come from the generator that other tests watch.
            lock (ProcessGenerator.Gate)
            {
                _linear = nn.Linear(300, 299);
            }

            RegisterComponents();
        }

        public override Tensor forward(Tensor input) => _linear.forward(input);
    }

    /// <summary>Owners on threads that meet at every exchange.</summary>
    private sealed class Owners(int count) : IDisposable
    {
        private readonly Barrier _barrier = new(count);
        private readonly double[][] _values = new double[count][];

        public IBlockExchange Of(int owner) => new Seat(this, owner);

        public void Dispose() => _barrier.Dispose();

        private sealed class Seat(Owners owners, int owner) : IBlockExchange
        {
            public double[] Gather(double[] values, int perBlock)
            {
                Assert.Equal(0, perBlock == 0 ? 0 : values.Length % perBlock);
                owners._values[owner] = values;
                owners._barrier.SignalAndWait(TestContext.Current.CancellationToken);
                double[] all = [.. owners._values.SelectMany(static v => v)];
                owners._barrier.SignalAndWait(TestContext.Current.CancellationToken);
                return all;
            }
        }
    }
}
