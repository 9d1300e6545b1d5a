namespace Scissorhands.Planning.Configuration;

/// <summary>
/// Everything, besides model, data, forget ids and tombstones, that a run's result is a function of. The property
/// names in camel case are the keys of the YAML and JSON files and of <c>--set</c>.
/// </summary>
public sealed record RunConfiguration
{
    /// <summary>The seed of every random number of the run. Default: 1.</summary>
    public long Seed { get; init; } = 1;

    /// <summary>The device kind: <c>cpu</c> or <c>cuda</c>. Default: cpu.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>
    /// Intra-op threads of one worker. Another number is another answer (libtorch splits its sums by it), so more cores
    /// are used by more workers. Default: 1.
    /// </summary>
    public int Threads { get; init; } = 1;

    /// <summary>The CPU instruction profile libtorch is held to: <c>default</c> (SSE), <c>avx2</c> or <c>avx512</c>. Default: avx2.</summary>
    public string Numerics { get; init; } = "avx2";

    /// <summary>The learning task, one of the registered ones. Default: classification.</summary>
    public string Task { get; init; } = "classification";

    /// <summary>How samples become tensors.</summary>
    public DataConfiguration Data { get; init; } = new();

    /// <summary>How the forget set is scored.</summary>
    public SensitivityConfiguration Sensitivity { get; init; } = new();

    /// <summary>Which weights are re-initialised.</summary>
    public TrimConfiguration Trim { get; init; } = new();

    /// <summary>How the trimmed model is repaired.</summary>
    public RepairConfiguration Repair { get; init; } = new();

    /// <summary>How repair gradients are projected.</summary>
    public ProjectionConfiguration Projection { get; init; } = new();

    /// <summary>How models are evaluated.</summary>
    public EvaluationConfiguration Evaluation { get; init; } = new();

    /// <summary>When progress is made durable.</summary>
    public CheckpointConfiguration Checkpoint { get; init; } = new();

    /// <summary>How tensors travel between workers.</summary>
    public WireConfiguration Wire { get; init; } = new();

    /// <summary>Random changes to training images.</summary>
    public AugmentationConfiguration Augmentation { get; init; } = new();

    /// <summary>Which optional files a run leaves behind.</summary>
    public ArtifactsConfiguration Artifacts { get; init; } = new();

    /// <summary>
    /// The same with everything at its default that changes no result and may differ when a run is resumed: where files are
    /// cached, how often progress is made durable, and who keeps what of the repair's state.
    /// </summary>
    /// <returns>The configuration that plans and certificates name.</returns>
    public RunConfiguration ForResult() => this with
    {
        Data = Data with { Cache = "" },
        Checkpoint = new(),
        Repair = Repair with { ShardState = false },
    };
}

/// <summary>How samples become tensors.</summary>
public sealed record DataConfiguration
{
    /// <summary>Per-channel mean in [0,1] units, subtracted after scaling to [0,1]; empty where the model normalises itself. Default: empty.</summary>
    public IReadOnlyList<float> Mean { get; init; } = [];

    /// <summary>Per-channel standard deviation in [0,1] units; as many entries as <see cref="Mean"/>. Default: empty.</summary>
    public IReadOnlyList<float> Std { get; init; } = [];

    /// <summary>Edge in pixels that every image is resized to; 0 keeps the images' own size, which must then be equal. Default: 0.</summary>
    public int ImageSize { get; init; }

    /// <summary>Folder of the decode cache; empty for the user's cache folder, <c>none</c> for no cache on disk. Default: empty.</summary>
    public string Cache { get; init; } = "";
}

/// <summary>How the forget set is scored (connection sensitivity).</summary>
public sealed record SensitivityConfiguration
{
    /// <summary>Samples of one batch, whose mean gradient's magnitude is one term of the sum. Default: 256.</summary>
    public int BatchSize { get; init; } = 256;

    /// <summary>Batches of one block: the unit of leasing and the leaf of the reduction tree. Default: 16.</summary>
    public int BlockBatches { get; init; } = 16;

    /// <summary>At most so many batches, from the front of the forget list; 0 takes all. Default: 0.</summary>
    public int MaxBatches { get; init; }
}

/// <summary>Which weights are re-initialised.</summary>
public sealed record TrimConfiguration
{
    /// <summary>Share of the weights to select, in (0,1); decimal so that n * fraction is exact. Default: 0.03.</summary>
    public decimal Fraction { get; init; } = 0.03m;

    /// <summary>Globs on the whole dotted parameter name; empty takes everything but normalisation layers. Default: empty.</summary>
    public IReadOnlyList<string> Scope { get; init; } = [];

    /// <summary>Globs taken out of <see cref="Scope"/>. Default: empty.</summary>
    public IReadOnlyList<string> Exclude { get; init; } = [];

    /// <summary><c>all</c>: rank over all parameters and trim what lies in scope; <c>scope</c>: rank within the scope. Default: all.</summary>
    public string ThresholdOver { get; init; } = "all";

    /// <summary><c>index</c>: lower flat index first among equals; <c>strict</c>: only saliencies above the k-th smallest, as the public code. Default: index.</summary>
    public string Ties { get; init; } = "index";
}

/// <summary>How the trimmed model is repaired.</summary>
public sealed record RepairConfiguration
{
    /// <summary>Passes over the retain data. Default: 10.</summary>
    public int Epochs { get; init; } = 10;

    /// <summary>Samples of a step, over all its slices. Default: 256.</summary>
    public int BatchSize { get; init; } = 256;

    /// <summary>Slices a step's batch is cut into, a power of two: as many workers can share a step. Default: 4.</summary>
    public int Slices { get; init; } = 4;

    /// <summary>Learning rate of SGD. Default: 0.005.</summary>
    public double Lr { get; init; } = 0.005;

    /// <summary><c>milestones</c> or <c>cosine</c> (to zero over all steps). Default: milestones.</summary>
    public string Schedule { get; init; } = "milestones";

    /// <summary>Momentum of SGD. Default: 0.9.</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>Weight decay of SGD, on all parameters. Default: 0.0005.</summary>
    public double WeightDecay { get; init; } = 0.0005;

    /// <summary>Epochs at which the learning rate is multiplied by <see cref="Gamma"/>. Default: 91, 136.</summary>
    public IReadOnlyList<int> Milestones { get; init; } = [91, 136];

    /// <summary>Factor at each milestone. Default: 0.1.</summary>
    public double Gamma { get; init; } = 0.1;

    /// <summary>Weight of the forget loss that is subtracted. Default: 0.05.</summary>
    public double Lambda { get; init; } = 0.05;

    /// <summary><c>all</c> parameters move, or only the <c>masked</c> entries (and only they travel). Default: all.</summary>
    public string Trainable { get; init; } = "all";

    /// <summary>
    /// Each worker keeps momentum and memory gradients of the range it owns only, moves that range of the weights and gives it
    /// to the others: the same bits with less memory, for more traffic and a lost worker that costs the steps since the last
    /// checkpoint. Default: false.
    /// </summary>
    public bool ShardState { get; init; }
}

/// <summary>How repair gradients are projected.</summary>
public sealed record ProjectionConfiguration
{
    /// <summary>Memory gradients an epoch; 0 switches the projection off. Default: 1.</summary>
    public int Memories { get; init; } = 1;

    /// <summary>Project on every n-th joint step of an epoch. Default: 1.</summary>
    public int Every { get; init; } = 1;

    /// <summary>Lower bound of the multipliers (GEM's memory strength). Default: 0.5.</summary>
    public double Margin { get; init; } = 0.5;

    /// <summary>Ridge added to the Gram matrix. Default: 0.001.</summary>
    public double Eps { get; init; } = 0.001;

    /// <summary>Globs of the parameters the projection sees; empty takes all. Default: empty.</summary>
    public IReadOnlyList<string> Scope { get; init; } = [];

    /// <summary>Let memory gradients add up over the batches, as the public code does by accident. Default: false.</summary>
    public bool Accumulate { get; init; }
}

/// <summary>How models are evaluated.</summary>
public sealed record EvaluationConfiguration
{
    /// <summary>Samples of a forward pass; beyond some hundred, activations leave the processor's cache. Default: 128.</summary>
    public int BatchSize { get; init; } = 128;

    /// <summary>Run the membership attack. Default: true.</summary>
    public bool Mia { get; init; } = true;
}

/// <summary>When progress is made durable.</summary>
public sealed record CheckpointConfiguration
{
    /// <summary>Repair steps (and sensitivity blocks) between checkpoints. Default: 50.</summary>
    public int EverySteps { get; init; } = 50;
}

/// <summary>How tensors travel between workers.</summary>
public sealed record WireConfiguration
{
    /// <summary>
    /// What the gradients of repair steps are rounded to where they are added up, on one machine as on several:
    /// <c>f32</c> (not at all), <c>bf16</c>, or <c>int8</c> with an exponent a block and the loss carried over to the next
    /// step. Each is another result, of the same bits for any number of workers. Everything else stays float32 or exact:
    /// saliency, counts, memory gradients, changes of buffers, losses and accuracies. Default: f32.
    /// </summary>
    public string Format { get; init; } = "f32";

    /// <summary>Whether chunks carry a message authentication code. Default: true.</summary>
    public bool Authenticate { get; init; } = true;
}

/// <summary>Random changes to training images, keyed by (seed, epoch, sample id).</summary>
public sealed record AugmentationConfiguration
{
    /// <summary>Mirror left to right with probability 1/2. Default: false.</summary>
    public bool Flip { get; init; }

    /// <summary>Pixels of zero padding of a random crop; 0 for none. Default: 0.</summary>
    public int Crop { get; init; }
}

/// <summary>Which optional files a run leaves behind.</summary>
public sealed record ArtifactsConfiguration
{
    /// <summary>Write <c>saliency.safetensors</c>. Default: false.</summary>
    public bool Saliency { get; init; }
}
