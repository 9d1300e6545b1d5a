using Scissorhands.Core.Native;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Core.Tests.Native;

public sealed class NumericProfileTests
{
    [Fact]
    public void Variables_Default_HoldsEveryLibraryToSse()
    {
        var variables = NumericProfile.Variables(new NumericProfile.Profile("default", 3)).ToDictionary(v => v.Name, v => v.Value);
        Assert.Equal("default", variables["ATEN_CPU_CAPABILITY"]);
        Assert.Equal("SSE41", variables["ONEDNN_MAX_CPU_ISA"]);
        Assert.Equal("COMPATIBLE", variables["MKL_CBWR"]);
        Assert.Equal("3", variables["OMP_NUM_THREADS"]);
        Assert.Equal("3", variables["MKL_NUM_THREADS"]);
        Assert.Equal(":4096:8", variables["CUBLAS_WORKSPACE_CONFIG"]);
    }

    [Theory]
    [InlineData("avx2", "AVX2")]
    [InlineData("avx512", "AVX512_CORE")]
    public void Variables_Profile_IsSetOrRefusedWithTheRemedy(string numerics, string oneDnn)
    {
        var supported = numerics == "avx2" ? NumericProfile.HasAvx2 : NumericProfile.HasAvx512;
        var profile = new NumericProfile.Profile(numerics, 1);
        if (supported)
        {
            Assert.Contains(("ONEDNN_MAX_CPU_ISA", oneDnn), NumericProfile.Variables(profile));
            return;
        }

        var failure = Assert.Throws<InputException>(() => NumericProfile.Variables(profile));
        Assert.StartsWith("numerics:", failure.Message, StringComparison.Ordinal);
        Assert.Contains("--set numerics=default", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Variables_UnknownProfile_NamesTheKey()
    {
        var failure = Assert.Throws<InputException>(() => NumericProfile.Variables(new NumericProfile.Profile("sse9", 1)));
        Assert.StartsWith("numerics:", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Apply_SecondProfile_IsRefusedAndTheSameIsNot()
    {
        var configuration = new RunConfiguration { Numerics = NumericProfile.HasAvx2 ? "avx2" : "default" };
        NumericProfile.Apply(configuration);
        NumericProfile.Apply(configuration with { Seed = 2 });

        var numerics = Assert.Throws<InputException>(() => NumericProfile.Apply(configuration with { Numerics = "other" }));
        Assert.StartsWith("numerics:", numerics.Message, StringComparison.Ordinal);
        var threads = Assert.Throws<InputException>(() => NumericProfile.Apply(configuration with { Threads = 2 }));
        Assert.StartsWith("threads:", threads.Message, StringComparison.Ordinal);
    }
}
