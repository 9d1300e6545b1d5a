using System.Buffers;
using System.Numerics.Tensors;
using Scissorhands.Data.Samples;
using Scissorhands.Planning.Configuration;
using Scissorhands.Planning.Randomness;

namespace Scissorhands.Data.Batches;

/// <summary>
/// Makes float32 batches of a data set: bytes become [0,1], normalised where configured, flipped and cropped by
/// (seed, epoch, sample id). A few batches are prepared ahead on pool threads.
/// </summary>
public sealed class BatchSource : IBatchSource
{
    private readonly AugmentationConfiguration _augmentation;
    private readonly long _seed;
    private readonly int _prefetch;
    private readonly float[] _scale;
    private readonly float[] _shift;

    /// <summary>Describes a source.</summary>
    /// <param name="samples">The samples.</param>
    /// <param name="data">Mean and standard deviation.</param>
    /// <param name="augmentation">Flip and crop, used for requests that name an epoch.</param>
    /// <param name="seed">The run's seed.</param>
    /// <param name="prefetch">Batches prepared ahead, at least 1.</param>
    public BatchSource(ISampleSet samples, DataConfiguration data, AugmentationConfiguration augmentation, long seed, int prefetch = 3)
    {
        ArgumentNullException.ThrowIfNull(samples);
        ArgumentNullException.ThrowIfNull(data);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(prefetch);
        Samples = samples;
        _augmentation = augmentation;
        _seed = seed;
        _prefetch = prefetch;
        var channels = samples.Shape.Channels;
        if (data.Mean.Count > 0 && data.Mean.Count != channels)
        {
            throw new Planning.InputException($"data.mean: {data.Mean.Count} values for images of {channels} channels");
        }

        _scale = [.. Enumerable.Range(0, channels).Select(c => 1f / (data.Std.Count > 0 ? data.Std[c] : 1f))];
        _shift = [.. Enumerable.Range(0, channels).Select(c => data.Mean.Count > 0 ? data.Mean[c] : 0f)];
    }

    /// <inheritdoc />
    public ISampleSet Samples { get; }

    /// <inheritdoc />
    public IBatchStream Open(IEnumerable<BatchRequest> requests) => new PrefetchingStream(requests, Fill, _prefetch);

    private void Fill(BatchRequest request, BatchBuffer buffer)
    {
        var shape = Samples.Shape;
        buffer.Resize(request.Ordinals.Count, shape);
        if (Samples is IndexedSampleSet { DecodesOnRead: true })
        {
            Sources.SourceFile.ForEach(request.Ordinals.Count, i =>
            {
                var bytes = ArrayPool<byte>.Shared.Rent(shape.Elements);
                FillOne(request, buffer, i, bytes.AsSpan(0, shape.Elements));
                ArrayPool<byte>.Shared.Return(bytes);
            }, CancellationToken.None);
            return;
        }

        var image = new byte[shape.Elements];
        for (var i = 0; i < request.Ordinals.Count; i++)
        {
            FillOne(request, buffer, i, image);
        }
    }

    private void FillOne(BatchRequest request, BatchBuffer buffer, int place, Span<byte> bytes)
    {
        var shape = Samples.Shape;
        var ordinal = request.Ordinals[place];
        buffer.MutableLabels[place] = Samples.Label(ordinal);
        Samples.Read(ordinal, bytes);
        if (request.AugmentationEpoch is { } epoch)
        {
            Augment(bytes, shape, ordinal, epoch);
        }

        var target = buffer.MutablePixels.Slice(place * shape.Elements, shape.Elements);
        TensorPrimitives.ConvertTruncating<byte, float>(bytes, target);

        // Division, not multiplication by 1/255: x/255 is what other tools feed the model.
        TensorPrimitives.Divide(target, 255f, target);
        Normalise(target, shape);
    }

    private void Normalise(Span<float> image, ImageShape shape)
    {
        var plane = shape.Height * shape.Width;
        for (var c = 0; c < shape.Channels; c++)
        {
            if (_shift[c] != 0 || _scale[c] != 1)
            {
                var channel = image.Slice(c * plane, plane);
                TensorPrimitives.Subtract(channel, _shift[c], channel);
                TensorPrimitives.Multiply(channel, _scale[c], channel);
            }
        }
    }

    private void Augment(Span<byte> image, ImageShape shape, int ordinal, int epoch)
    {
        if (!_augmentation.Flip && _augmentation.Crop == 0)
        {
            return;
        }

        var stream = RandomStream.Create(_seed, RandomPurpose.Augmentation, Samples.Id(ordinal), epoch);
        if (_augmentation.Flip && (stream.Bits(0) & 1) != 0)
        {
            for (var row = 0; row < shape.Channels * shape.Height; row++)
            {
                image.Slice(row * shape.Width, shape.Width).Reverse();
            }
        }

        if (_augmentation.Crop > 0)
        {
            var range = (2 * _augmentation.Crop) + 1;
            Shift(image, shape, stream.Below(1, range) - _augmentation.Crop, stream.Below(2, range) - _augmentation.Crop);
        }
    }

    /// <summary>A crop of the zero-padded image at the original size is the image moved by up to the padding.</summary>
    private static void Shift(Span<byte> image, ImageShape shape, int down, int right)
    {
        var source = image.ToArray();
        image.Clear();
        var firstX = Math.Max(0, -right);
        var width = shape.Width - Math.Abs(right);
        if (width <= 0)
        {
            return;
        }

        for (var c = 0; c < shape.Channels; c++)
        {
            for (var y = 0; y < shape.Height; y++)
            {
                var from = y - down;
                if (from >= 0 && from < shape.Height)
                {
                    source.AsSpan((((c * shape.Height) + from) * shape.Width) + firstX, width)
                        .CopyTo(image.Slice((((c * shape.Height) + y) * shape.Width) + firstX + right, width));
                }
            }
        }
    }

    /// <summary>Prepares up to a number of batches ahead, each on a pool thread, and hands them out in order.</summary>
    private sealed class PrefetchingStream : IBatchStream
    {
        private readonly IEnumerator<BatchRequest> _requests;
        private readonly Action<BatchRequest, BatchBuffer> _fill;
        private readonly int _depth;
        private readonly Queue<Task<BatchBuffer>> _ahead = new();
        private readonly BatchBufferPool _pool = new();
        private bool _ended;

        public PrefetchingStream(IEnumerable<BatchRequest> requests, Action<BatchRequest, BatchBuffer> fill, int depth)
        {
            _requests = requests.GetEnumerator();
            _fill = fill;
            _depth = depth;
            Refill();
        }

        public IHostBatch? Next(CancellationToken cancellationToken)
        {
            if (!_ahead.TryDequeue(out var task))
            {
                return null;
            }

            BatchBuffer buffer;
            try
            {
                task.Wait(cancellationToken);
            }
            catch (AggregateException e)
            {
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(e.InnerException!);
            }

            buffer = task.GetAwaiter().GetResult();
            Refill();
            return buffer;
        }

        public void Dispose()
        {
            // Buffers are native memory: nobody may still be writing into one when it is freed.
            foreach (var task in _ahead)
            {
                try
                {
                    task.Wait();
                    _pool.Return(task.GetAwaiter().GetResult());
                }
                catch (AggregateException)
                {
                    // The batch was never asked for; its fault concerns nobody.
                }
            }

            _ahead.Clear();
            _pool.Clear();
            _requests.Dispose();
        }

        private void Refill()
        {
            while (!_ended && _ahead.Count < _depth)
            {
                if (!_requests.MoveNext())
                {
                    _ended = true;
                    break;
                }

                var request = _requests.Current;
                _ahead.Enqueue(Task.Run(() =>
                {
                    var buffer = _pool.Rent();
                    _fill(request, buffer);
                    return buffer;
                }));
            }
        }
    }
}
