using Scissorhands.Planning.Configuration;

namespace Scissorhands.Planning.Tests.Configuration;

public sealed class ConfigurationValidatorTests
{
    [Fact]
    public void Validate_defaults_pass()
    {
        ConfigurationValidator.Validate(new RunConfiguration());
    }

    [Theory]
    [InlineData("trim.fraction=0")]
    [InlineData("trim.fraction=1")]
    [InlineData("trim.fraction=-0.5")]
    [InlineData("trim.scope=[a b]")]
    [InlineData("trim.exclude=['']")]
    [InlineData("trim.thresholdOver=most")]
    [InlineData("trim.ties=random")]
    [InlineData("repair.slices=3")]
    [InlineData("repair.slices=0")]
    [InlineData("repair.slices=2048")]
    [InlineData("repair.epochs=-1")]
    [InlineData("repair.batchSize=0")]
    [InlineData("repair.lr=0")]
    [InlineData("repair.schedule=linear")]
    [InlineData("repair.momentum=1")]
    [InlineData("repair.momentum=-0.1")]
    [InlineData("repair.weightDecay=-1")]
    [InlineData("repair.milestones=[3,2]")]
    [InlineData("repair.milestones=[0]")]
    [InlineData("repair.gamma=0")]
    [InlineData("repair.lambda=-0.1")]
    [InlineData("repair.trainable=some")]
    [InlineData("projection.memories=65")]
    [InlineData("projection.memories=-1")]
    [InlineData("projection.every=0")]
    [InlineData("projection.margin=-0.5")]
    [InlineData("projection.eps=0")]
    [InlineData("projection.scope=['\t']")]
    [InlineData("sensitivity.batchSize=1")]
    [InlineData("sensitivity.blockBatches=0")]
    [InlineData("sensitivity.maxBatches=-1")]
    [InlineData("evaluation.batchSize=0")]
    [InlineData("checkpoint.everySteps=0")]
    [InlineData("wire.format=f16")]
    [InlineData("augmentation.crop=-1")]
    [InlineData("data.imageSize=-1")]
    [InlineData("data.std=[1]")]
    [InlineData("data.mean=[2]")]
    [InlineData("device=tpu")]
    [InlineData("threads=0")]
    [InlineData("numerics=sse")]
    [InlineData("task=diffusion")]
    public void Validate_valueOutOfRange_namesKeyValueAndRange(string setting)
    {
        var key = setting[..setting.IndexOf('=', StringComparison.Ordinal)];
        var configuration = ConfigurationBinder.Bind([], [setting]);

        var failure = Assert.Throws<InputException>(() => ConfigurationValidator.Validate(configuration));

        Assert.Contains(key, failure.Message, StringComparison.Ordinal);
        Assert.Contains("must be", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', failure.Message);
    }

    [Theory]
    [InlineData("repair.epochs=0")]
    [InlineData("repair.slices=1")]
    [InlineData("projection.memories=0")]
    [InlineData("projection.memories=64")]
    [InlineData("projection.margin=0")]
    [InlineData("repair.momentum=0")]
    [InlineData("repair.milestones=[]")]
    [InlineData("sensitivity.batchSize=2")]
    public void Validate_valueAtTheBorder_passes(string setting)
    {
        ConfigurationValidator.Validate(ConfigurationBinder.Bind([], [setting]));
    }

    [Fact]
    public void Validate_infiniteFromCode_isRefused()
    {
        var configuration = new RunConfiguration { Repair = new RepairConfiguration { Lr = double.PositiveInfinity } };

        Assert.Contains("repair.lr", Assert.Throws<InputException>(() => ConfigurationValidator.Validate(configuration)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Validate_registeredTask_passes()
    {
        ConfigurationValidator.Validate(new RunConfiguration { Task = "denoising" }, ["classification", "denoising"]);
    }
}
