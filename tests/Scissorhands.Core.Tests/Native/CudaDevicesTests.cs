using Scissorhands.Core.Native;

namespace Scissorhands.Core.Tests.Native;

public sealed class CudaDevicesTests
{
    [Theory]
    [InlineData("cuda", 1)]
    [InlineData("cuda:0", 1)]
    [InlineData("cuda:3", 4)]
    public void Refusal_deviceThatIsThere_isNone(string device, int count) => Assert.Null(CudaDevices.Refusal(device, count, hasBackend: true));

    [Theory]
    [InlineData("cuda", null, true, "driver")]
    [InlineData("cuda:1", 0, true, "finds none")]
    [InlineData("cuda", 1, false, "-p:TorchBackend=cuda")]
    [InlineData("cuda:1", 1, true, "no CUDA device 1 here: there is one, cuda:0;")]
    [InlineData("cuda:4", 4, true, "no CUDA device 4 here: there are 4, cuda:0 to cuda:3;")]
    public void Refusal_deviceThatIsNot_saysWhyAndWhatToDo(string device, int? count, bool hasBackend, string said)
    {
        var refusal = CudaDevices.Refusal(device, count, hasBackend);
        Assert.Contains(said, refusal, StringComparison.Ordinal);
        Assert.Contains("--device cpu", refusal, StringComparison.Ordinal);
    }
}
