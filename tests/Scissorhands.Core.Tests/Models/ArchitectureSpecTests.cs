using CsCheck;
using Scissorhands.Core.Models;
using Scissorhands.Planning;

namespace Scissorhands.Core.Tests.Models;

public sealed class ArchitectureSpecTests
{
    [Fact]
    public void Parse_name_only_has_torchvisions_defaults()
    {
        Assert.Equal(new ArchitectureSpec("resnet18", 1000, false, 64, 0), ArchitectureSpec.Parse("resnet18"));
        Assert.Equal(new ArchitectureSpec("resnet20", 10, true, 16, 0), ArchitectureSpec.Parse("resnet20"));
        Assert.Equal(new ArchitectureSpec("vgg16_bn", 1000, false, 64, 0.5), ArchitectureSpec.Parse("vgg16_bn"));
    }

    [Fact]
    public void Parse_options_overrides_defaults()
        => Assert.Equal(
            new ArchitectureSpec("resnet18", 10, true, 16, 0.25, 1),
            ArchitectureSpec.Parse("resnet18;classes=10;stem=cifar;width=16;dropout=0.25;channels=1"));

    [Theory]
    [InlineData("resnet19", "unknown name 'resnet19'; known are resnet18, resnet20, resnet34, resnet50, vgg16_bn")]
    [InlineData("", "unknown name ''")]
    [InlineData("ResNet18", "unknown name 'ResNet18'")]
    [InlineData("resnet18;classes=0", "classes=0")]
    [InlineData("resnet18;classes=ten", "classes=ten")]
    [InlineData("resnet18;classes=99999999999", "classes=99999999999")]
    [InlineData("resnet18;width=-1", "width=-1")]
    [InlineData("resnet18;width", "width=")]
    [InlineData("resnet18;stem=big", "stem=big")]
    [InlineData("resnet18;dropout=1", "dropout=1")]
    [InlineData("resnet18;dropout=NaN", "dropout=NaN")]
    [InlineData("resnet18;depth=3", "unknown option 'depth'")]
    [InlineData("resnet18;width=16;width=32", "'width' is given twice")]
    public void Parse_bad_text_names_the_culprit(string text, string culprit)
        => Assert.Contains(culprit, Assert.Throws<InputException>(() => ArchitectureSpec.Parse(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void Parse_any_specification_as_text_reads_back_equal()
        => (from name in Gen.OneOfConst(ArchitectureSpec.KnownNames.ToArray())
            from classes in Gen.Int[1, 1 << 20]
            from width in Gen.Int[1, 1 << 20]
            from channels in Gen.Int[1, 4]
            from stem in Gen.Bool
            from dropout in Gen.Double[0, 0.999]
            select new ArchitectureSpec(name, classes, stem, width, dropout, channels))
            .Sample(spec => ArchitectureSpec.Parse(spec.ToString()) == spec);

    [Fact]
    public void Parse_arbitrary_text_only_throws_input_exceptions()
        => Gen.String[Gen.Char["resnet18vgg_bn;=.clawidthst0-+ "], 0, 40].Sample(text =>
        {
            try
            {
                ArchitectureSpec.Parse("resnet18;" + text);
            }
            catch (InputException)
            {
            }
        });

    [Theory]
    [InlineData("resnet18;classes=10;stem=cifar;width=16")]
    [InlineData("resnet20;classes=100;width=8;channels=1")]
    [InlineData("resnet20;stem=imagenet;width=8")]
    [InlineData("resnet34;classes=3;width=4")]
    [InlineData("resnet50;classes=7;width=4")]
    [InlineData("vgg16_bn;classes=7;width=4;stem=cifar")]
    [InlineData("vgg16_bn;classes=7;width=4")]
    public void Infer_shapes_of_a_created_model_gives_its_specification(string text)
    {
        var spec = ArchitectureSpec.Parse(text);
        using var model = BuiltInModels.Create(spec);
        var shapes = StateDict.Entries(model).ToDictionary(entry => entry.Name, entry => entry.Tensor.shape);

        Assert.Equal(spec, ArchitectureSpec.Infer(spec.Name, shapes));
        Assert.Equal(spec with { Dropout = 0.1 }, ArchitectureSpec.Infer($"{spec.Name};dropout=0.1;classes={spec.Classes}", shapes));
    }

    [Fact]
    public void Infer_contradicted_option_names_both_values()
    {
        var shapes = new Dictionary<string, long[]> { ["conv1.weight"] = [16, 3, 3, 3], ["fc.weight"] = [10, 128] };

        var exception = Assert.Throws<InputException>(() => ArchitectureSpec.Infer("resnet18;classes=100", shapes));

        Assert.Contains("classes=100", exception.Message, StringComparison.Ordinal);
        Assert.Contains("classes=10", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Infer_foreign_shapes_names_the_tensor()
    {
        var foreign = new Dictionary<string, long[]> { ["conv1.weight"] = [16, 3, 5, 5], ["fc.weight"] = [10, 128] };
        Assert.Contains("'conv1.weight'", Assert.Throws<InputException>(() => ArchitectureSpec.Infer("resnet18", foreign)).Message, StringComparison.Ordinal);
        Assert.Contains("'features.0.weight'", Assert.Throws<InputException>(() => ArchitectureSpec.Infer("vgg16_bn", foreign)).Message, StringComparison.Ordinal);
        var empty = new Dictionary<string, long[]> { ["conv1.weight"] = [0, 3, 3, 3], ["fc.weight"] = [10, 128] };
        Assert.Contains("'conv1.weight'", Assert.Throws<InputException>(() => ArchitectureSpec.Infer("resnet18", empty)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OfFile_metadata_decides_and_errors_name_the_file()
    {
        var shapes = new Dictionary<string, long[]> { ["conv1.weight"] = [16, 3, 3, 3], ["fc.weight"] = [10, 128] };

        Assert.Equal(new ArchitectureSpec("resnet18", 10, true, 16, 0), ArchitectureSpec.OfFile("m.safetensors", Named("resnet18"), shapes));
        foreach (var metadata in new[] { [], Named("resnet19"), Named("vgg16_bn") })
        {
            var message = Assert.Throws<InputException>(() => ArchitectureSpec.OfFile("m.safetensors", metadata, shapes)).Message;
            Assert.StartsWith("m.safetensors: ", message, StringComparison.Ordinal);
            Assert.Contains("resnet18, resnet20", message, StringComparison.Ordinal);
        }

        static Dictionary<string, string> Named(string name) => new() { [ArchitectureSpec.MetadataKey] = name };
    }
}
