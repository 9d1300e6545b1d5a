using Scissorhands.Core.Native;

namespace Scissorhands.Core.Tests.Native;

public sealed class NativeLibrariesTests
{
    [Fact]
    public void Check_BuildOutput_LoadsLibtorch()
    {
        var findings = NativeLibraries.Check();
        var libtorch = findings[0];
        Assert.Equal("libtorch", libtorch.Name);
        Assert.True(libtorch.Ok, libtorch.Text);
        Assert.Equal(["libtorch", "cuda", "c library", "cpu", "cores", "memory", "disk"], findings.Select(f => f.Name));
        Assert.All(findings, f => Assert.NotEmpty(f.Text));
    }

    [Theory]
    [InlineData("/lib/libstdc++.so.6: version `GLIBCXX_3.4.32' not found", "older than 13.2")]
    [InlineData("/lib/libc.so.6: version `GLIBC_2.38' not found", "C library")]
    [InlineData("libLibTorchSharp: cannot open shared object file: No such file", "TorchBackend")]
    public void ExplainLoadFailure_InnerMessage_NamesTheRemedy(string message, string expected)
    {
        var failure = new TypeInitializationException("TorchSharp.torch", new NotSupportedException("This application uses TorchSharp", new DllNotFoundException(message)));
        Assert.Contains(expected, NativeLibraries.ExplainLoadFailure(failure), StringComparison.Ordinal);
    }

    [Fact]
    public void ExplainLoadFailure_WrongArchitecture_SaysSo() =>
        Assert.Contains("x64", NativeLibraries.ExplainLoadFailure(new TypeInitializationException("TorchSharp.torch", new BadImageFormatException("wrong"))), StringComparison.Ordinal);
}
