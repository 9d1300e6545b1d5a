using System.Runtime.InteropServices;
using Scissorhands.Core.Models;
using Scissorhands.Planning;
using TorchSharp;
using static TorchSharp.torch;

namespace Scissorhands.Core.Tests.Models;

public sealed class StateDictTests
{
    [Fact]
    public void Match_equal_states_passes()
    {
        using var model = Model();
        StateDict.Match(StateDict.Entries(model), Found(model), "model.safetensors");
    }

    [Fact]
    public void Match_missing_tensor_names_file_and_key()
        => AssertRefused(found => found.Remove("bn1.running_var"), "'bn1.running_var' is missing");

    [Fact]
    public void Match_unexpected_tensor_names_file_and_key()
        => AssertRefused(found => found["layer4.0.conv1.weight"] = (ScalarType.Float32, [1]), "no tensor 'layer4.0.conv1.weight'");

    [Fact]
    public void Match_renamed_tensor_names_file_and_key()
        => AssertRefused(
            found =>
            {
                found["module.fc.bias"] = found["fc.bias"];
                found.Remove("fc.bias");
            },
            "'fc.bias' is missing");

    [Fact]
    public void Match_wrong_shape_names_file_and_key()
        => AssertRefused(found => found["fc.weight"] = (ScalarType.Float32, [100, 16]), "'fc.weight' has shape [100, 16] where the model has [10, 16]");

    [Fact]
    public void Match_wrong_element_type_names_file_and_key()
        => AssertRefused(found => found["bn1.num_batches_tracked"] = (ScalarType.Float32, []), "'bn1.num_batches_tracked' is Float32 where the model has Int64");

    [Fact]
    public void Load_saved_state_gives_equal_tensors_integers_included()
    {
        using var scope = NewDisposeScope();
        using var source = Model();
        using var target = Model();
        ReproducibleInitialization.Apply(source, 3);
        source.call(ones(2, 3, 8, 8));
        var saved = StateDict.Entries(source).ToDictionary(entry => entry.Name, entry => entry.Tensor.bytes.ToArray());

        StateDict.Load(StateDict.Entries(target), Found(source), "model.safetensors", (name, bytes) => saved[name].CopyTo(bytes));

        Assert.All(StateDict.Entries(target), entry => Assert.Equal(saved[entry.Name], entry.Tensor.bytes.ToArray()));
        Assert.Equal(1, target.named_buffers().Single(entry => entry.name == "bn1.num_batches_tracked").buffer.item<long>());
    }

    [Fact]
    public void Load_mismatch_overwrites_nothing()
    {
        using var model = Model();
        var found = Found(model);
        found.Remove("fc.bias");

        Assert.Throws<InputException>(() => StateDict.Load(StateDict.Entries(model), found, "model.safetensors", (_, _) => Assert.Fail("read")));
    }

    [Fact]
    public void Write_and_read_transposed_tensor_uses_row_major_order()
    {
        using var scope = NewDisposeScope();
        var transposed = zeros(2, 3).t();
        float[] values = [1, 2, 3, 4, 5, 6];
        StateDict.Write(transposed, values, (bytes, source) => MemoryMarshal.AsBytes<float>(source).CopyTo(bytes));
        float[] back = new float[6];
        StateDict.Read(transposed, back, (bytes, target) => MemoryMarshal.Cast<byte, float>(bytes).CopyTo(target));

        Assert.Equal(values, back);
        Assert.Equal(2f, transposed[0, 1].item<float>());
    }

    [Fact]
    public void Write_parameter_that_requires_a_gradient_leaves_no_tensors()
    {
        using var model = Model();
        var parameter = model.parameters().First();
        var live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        StateDict.Write(parameter, 0, (bytes, _) => bytes.Clear());
        StateDict.Read(parameter, 0, (bytes, _) => Assert.False(bytes.ContainsAnyExcept((byte)0)));

        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        Assert.True(parameter.requires_grad);
    }

    private static nn.Module<Tensor, Tensor> Model() => BuiltInModels.Create(ArchitectureSpec.Parse("resnet20;width=4"));

    private static Dictionary<string, (ScalarType, long[])> Found(nn.Module model)
        => StateDict.Entries(model).ToDictionary(entry => entry.Name, entry => (entry.Tensor.dtype, entry.Tensor.shape));

    private static void AssertRefused(Action<Dictionary<string, (ScalarType, long[])>> change, string culprit)
    {
        using var model = Model();
        var found = Found(model);
        change(found);
        var message = Assert.Throws<InputException>(() => StateDict.Match(StateDict.Entries(model), found, "model.safetensors")).Message;

        Assert.StartsWith("model.safetensors: ", message, StringComparison.Ordinal);
        Assert.Contains(culprit, message, StringComparison.Ordinal);
    }
}
