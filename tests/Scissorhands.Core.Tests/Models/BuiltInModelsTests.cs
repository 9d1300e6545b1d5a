using System.Runtime.InteropServices;
using Scissorhands.Core.Models;
using Scissorhands.Core.Replica;
using Scissorhands.Planning;
using Scissorhands.Planning.Randomness;
using TorchSharp;
using static TorchSharp.torch;

namespace Scissorhands.Core.Tests.Models;

public sealed class BuiltInModelsTests
{
    public static TheoryData<string> SmallModels =>
    [
        "resnet18;classes=10;stem=cifar;width=4;dropout=0.2",
        "resnet18;classes=10;width=4",
        "resnet20;classes=10;width=4;dropout=0.2",
        "resnet34;classes=10;stem=cifar;width=4",
        "resnet50;classes=10;stem=cifar;width=4;dropout=0.2",
        "vgg16_bn;classes=10;stem=cifar;width=4",
        "vgg16_bn;classes=10;width=4",
    ];

    [Theory]
    [InlineData("resnet18")]
    [InlineData("resnet20")]
    [InlineData("resnet34")]
    [InlineData("resnet50")]
    [InlineData("vgg16_bn")]
    public void Create_names_shapes_and_order_are_torchvisions(string name)
    {
        using var model = BuiltInModels.Create(ArchitectureSpec.Parse(name));

        Assert.Equal(File.ReadAllLines(TestFolders.Source("Models", "expected", name + ".txt")), Lines(model));
    }

    [Fact]
    public void Create_unknown_name_lists_the_known_ones()
        => Assert.Contains("resnet18, resnet20", Assert.Throws<InputException>(() => BuiltInModels.Create(new("alexnet", 10, false, 64, 0))).Message, StringComparison.Ordinal);

    [Theory]
    [MemberData(nameof(SmallModels))]
    public void Forward_and_backward_leave_no_tensors_and_reach_every_parameter(string text)
    {
        using var model = BuiltInModels.Create(ArchitectureSpec.Parse(text));
        ReproducibleInitialization.Apply(model, 1);
        SetContext(model, 0);
        using var images = Images(4);
        using var labels = tensor(new long[] { 1, 2, 3, 4 });
        model.train();
        Step();
        var live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (var step = 0; step < 3; step++)
        {
            Step();
        }

        model.eval();
        using (no_grad())
        {
            model.call(images).Dispose();
        }

        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        void Step()
        {
            // A gradient's wrapper counts as live until it is disposed of, the gradient itself belongs to the parameter.
            using var scope = NewDisposeScope();
            using var logits = model.call(images);
            using var loss = nn.functional.cross_entropy(logits, labels);
            Assert.Equal([4, 10], logits.shape);
            model.zero_grad();
            loss.backward();
            foreach (var (name, parameter) in model.named_parameters())
            {
                using var gradient = parameter.grad;
                Assert.True(gradient is not null, $"{name} has no gradient");
            }
        }
    }

    [Theory]
    [MemberData(nameof(SmallModels))]
    public void Forward_concurrent_replicas_with_equal_contexts_give_equal_gradients(string text)
    {
        var gradients = new string[2];
        using var barrier = new Barrier(2);
        var threads = Enumerable.Range(0, 2).Select(index => new Thread(() =>
        {
            using var scope = NewDisposeScope();
            using var model = BuiltInModels.Create(ArchitectureSpec.Parse(text));
            set_num_threads(1);
            ReproducibleInitialization.Apply(model, 3);
            model.train();
            SetContext(model, 5);
            barrier.SignalAndWait();
            nn.functional.cross_entropy(model.call(Images(4)), tensor(new long[] { 1, 2, 3, 4 })).backward();
            gradients[index] = Digest(model.parameters().Select(parameter => parameter.grad!));
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());

        Assert.Equal(gradients[0], gradients[1]);
    }

    [Theory]
    [MemberData(nameof(SmallModels))]
    public void Replica_of_a_built_in_model_draws_nothing_from_libtorch_and_keys_its_masks(string text)
    {
        var spec = ArchitectureSpec.Parse(text);
        using var scope = NewDisposeScope();
        var model = BuiltInModels.CreateLoaded(spec, "model.safetensors");
        ReproducibleInitialization.Apply(model.Module, 1);
        using var replica = new ModelReplica(model, CPU, seed: 1);
        var images = Images(4);
        replica.Probe(images);
        replica.SetTraining(true);
        var first = replica.ForwardTraining(images, new ForwardKey("retain", 0, 1, 0));
        var again = replica.ForwardTraining(images, new ForwardKey("retain", 0, 1, 0));
        var next = replica.ForwardTraining(images, new ForwardKey("retain", 0, 2, 0));

        Assert.False(replica.DrawsFromGenerator);
        Assert.True(first.Equals(again));
        Assert.Equal(spec.Dropout == 0, first.Equals(next));
    }

    [Fact]
    public void Create_inside_a_dispose_scope_outlives_it()
    {
        nn.Module<Tensor, Tensor> model;
        using (NewDisposeScope())
        {
            model = BuiltInModels.Create(ArchitectureSpec.Parse("resnet20;width=4"));
        }

        using (model)
        using (var images = Images(2))
        using (var logits = model.call(images))
        {
            Assert.Equal([2, 10], logits.shape);
            Assert.All(StateDict.Entries(model), entry => Assert.False(entry.Tensor.IsInvalid));
        }
    }

    [Fact]
    public void ReproducibleInitialization_same_seed_gives_same_bits_and_the_definitions_values()
    {
        using var first = BuiltInModels.Create(ArchitectureSpec.Parse("resnet20;width=4"));
        using var second = BuiltInModels.Create(ArchitectureSpec.Parse("resnet20;width=4"));
        ReproducibleInitialization.Apply(first, 9);
        ReproducibleInitialization.Apply(second, 9);
        var digest = Digest(first.parameters());

        Assert.Equal(digest, Digest(second.parameters()));
        ReproducibleInitialization.Apply(second, 10);
        Assert.NotEqual(digest, Digest(second.parameters()));
        var parameters = first.named_parameters().ToDictionary(entry => entry.name, entry => entry.parameter);
        var stream = RandomStream.Create(9, RandomPurpose.InitialWeights, "layer1.0.conv1.weight");
        var weights = MemoryMarshal.Cast<byte, float>(parameters["layer1.0.conv1.weight"].bytes);
        Assert.Equal(FreshWeights.ValueAt(stream, 17, (float)(1 / Math.Sqrt(36))), weights[17]);
        Assert.All(MemoryMarshal.Cast<byte, float>(parameters["bn1.weight"].bytes).ToArray(), value => Assert.Equal(1f, value));
        Assert.All(MemoryMarshal.Cast<byte, float>(parameters["bn1.bias"].bytes).ToArray(), value => Assert.Equal(0f, value));
        Assert.All(MemoryMarshal.Cast<byte, float>(parameters["fc.bias"].bytes).ToArray(), value => Assert.Equal(0f, value));
    }

    [Fact]
    public void ReproducibleInitialization_apply_leaves_no_tensors()
    {
        using var model = BuiltInModels.Create(ArchitectureSpec.Parse("resnet20;width=4"));
        ReproducibleInitialization.Apply(model, 1);
        var live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        ReproducibleInitialization.Apply(model, 2);

        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void Resnet18_width16_holds_the_script_models_weights_and_gives_its_logits()
    {
        var path = TestFolders.Shared("models", "cifar10-resnet18w16.pt");
        using var scope = NewDisposeScope();
        using var script = jit.load<Tensor, Tensor>(path);
        script.eval();
        var scriptState = StateDict.Entries(script).ToDictionary(entry => entry.Name, entry => entry.Tensor);
        var shapes = scriptState.ToDictionary(entry => entry.Key, entry => entry.Value.shape);
        using var model = BuiltInModels.Create(ArchitectureSpec.Infer("resnet18", shapes));
        model.eval();

        // The script module's own buffers, by which it normalises its input, have no counterpart.
        var normalisation = new[] { "mean", "std" };
        Assert.Equal(Lines(script).Where(line => !normalisation.Contains(line.Split(' ')[1])), Lines(model));
        foreach (var entry in StateDict.Entries(model))
        {
            StateDict.Write(entry.Tensor, scriptState[entry.Name], (bytes, source) => source.bytes.CopyTo(bytes));
        }

        using var noGradient = no_grad();
        var images = Images(16);
        var expected = script.call(images);
        var actual = model.call(images.sub(scriptState["mean"]).div(scriptState["std"]));

        Assert.True(expected.abs().max().item<float>() > 1, "the logits are too small to tell anything");
        Assert.InRange(actual.sub(expected).abs().max().item<float>(), 0f, 1e-4f);
    }

    private static void SetContext(nn.Module model, long step)
        => ((IHasDropoutContext)model).DropoutContext = new DropoutContext(1, 0, step, 0, "retain");

    private static Tensor Images(int samples)
    {
        var images = empty(samples, 3, 32, 32);
        FreshWeights.Fill(MemoryMarshal.Cast<byte, float>(images.bytes), RandomStream.Create(2, RandomPurpose.Demo), 0.5f);
        return images.add_(0.5);
    }

    private static string[] Lines(nn.Module module)
        => [.. StateDict.Entries(module).Select(entry => $"{(entry.IsBuffer ? "buffer" : "parameter")} {entry.Name} {string.Join(',', entry.Tensor.shape)}".TrimEnd())];

    private static string Digest(IEnumerable<Tensor> tensors)
    {
        using var hash = System.Security.Cryptography.IncrementalHash.CreateHash(System.Security.Cryptography.HashAlgorithmName.SHA256);
        foreach (var tensor in tensors)
        {
            StateDict.Read(tensor, hash, (bytes, sink) => sink.AppendData(bytes));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
