using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;
using CsCheck;
using Scissorhands.Data.Safetensors;
using Scissorhands.Planning;

namespace Scissorhands.Data.Tests.Safetensors;

public sealed class SafetensorsTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Write_ThenOpen_GivesBackEverything()
    {
        Write("a.safetensors");
        using var file = SafetensorsFile.Open(_folder["a.safetensors"]);
        Assert.Equal(["weight", "count", "empty"], file.Entries.OrderBy(e => e.Start).ThenBy(e => -e.Length).Select(e => e.Name).ToArray());
        Assert.Equal("yes", file.Metadata["kind"]);
        var bytes = new byte[24];
        file.ReadInto(file.Find("weight"), bytes);
        Assert.Equal(Enumerable.Range(0, 24).Select(i => (byte)i), bytes);
        Assert.Empty(Directory.GetFiles(_folder.Path, "*.tmp"));
    }

    [Fact]
    public void Write_EqualInput_GivesEqualBytes()
    {
        Write("a.safetensors");
        Write("b.safetensors");
        Assert.Equal(File.ReadAllBytes(_folder["a.safetensors"]), File.ReadAllBytes(_folder["b.safetensors"]));
    }

    [Theory]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "overlaps")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "hole")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 5, "truncated")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 3, "truncated")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "needs 8")]
    [InlineData("{\"a\":{\"dtype\":\"F31\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[4,4]}}", 4, "twice")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775807,4],\"data_offsets\":[0,4]}}", 4, "safetensors")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "lacks")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "unexpected")]
    [InlineData("[]", 0, "begin")]
    [InlineData("{\"__metadata__\":{\"k\":1}}", 0, "safetensors")]
    public void Open_BrokenHeader_IsRefusedNamingTheFile(string header, int data, string expected)
    {
        var bytes = new byte[8 + header.Length + data];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, header.Length);
        Encoding.ASCII.GetBytes(header, bytes.AsSpan(8));
        File.WriteAllBytes(_folder["x.safetensors"], bytes);
        var fault = Assert.Throws<InputException>(() => SafetensorsFile.Open(_folder["x.safetensors"])).Message;
        Assert.Contains("x.safetensors", fault, StringComparison.Ordinal);
        Assert.Contains(expected, fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(100_000_001UL)]
    [InlineData(ulong.MaxValue)]
    [InlineData(1UL << 62)]
    public void Open_AbsurdHeaderLength_IsRefusedWithoutAllocating(ulong length)
    {
        var bytes = new byte[64];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, length);
        File.WriteAllBytes(_folder["x.safetensors"], bytes);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<InputException>(() => SafetensorsFile.Open(_folder["x.safetensors"]));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void Open_MutatedBytes_NeverFailsButByRefusal()
    {
        Write("a.safetensors");
        var good = File.ReadAllBytes(_folder["a.safetensors"]);
        var path = _folder["mutated.safetensors"];
        Gen.Select(Gen.Int[0, good.Length - 1], Gen.Byte, Gen.Int[0, good.Length]).Array[1, 4].Sample(
            mutations =>
            {
                var bytes = good.ToArray();
                foreach (var (position, value, _) in mutations)
                {
                    bytes[position] = value;
                }

                File.WriteAllBytes(path, bytes[..Math.Max(1, mutations[0].Item3)]);
                try
                {
                    using var file = SafetensorsFile.Open(path);
                    foreach (var entry in file.Entries)
                    {
                        file.ReadInto(entry, new byte[entry.Length]);
                    }
                }
                catch (InputException)
                {
                    // Refused: that is what it is for.
                }
            },
            iter: 2_000,
            threads: 1);
    }

    [Fact]
    public void Write_ReadByAnIndependentStrictReader_IsAccepted()
    {
        Write("a.safetensors");
        var script = Path.Combine(AppContext.BaseDirectory, "tools", "strict_safetensors.py");
        ProcessStartInfo start = new("python3", [script, _folder["a.safetensors"]]) { RedirectStandardOutput = true, RedirectStandardError = true };
        Process? process;
        try
        {
            process = Process.Start(start);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip("python3 is not installed");
            return;
        }

        using (process)
        {
            var output = process!.StandardOutput.ReadToEnd();
            var error = process.StandardError.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, error);
            Assert.Contains("weight F32 [2, 3] 24", output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Open_GoldenFiles_AreRead()
    {
        var golden = SharedFolder.Find("golden");
        foreach (var path in Directory.GetFiles(golden, "*.safetensors"))
        {
            using var file = SafetensorsFile.Open(path);
            Assert.NotEmpty(file.Entries);
        }
    }

    [Theory]
    [InlineData(3)]
    [InlineData(5)]
    public void Write_TensorGivesAnotherLengthThanItsShape_NoFile(int bytes)
    {
        var path = _folder["wrong.safetensors"];
        var error = Assert.Throws<InvalidOperationException>(() =>
            SafetensorsWriter.Write(path, [new SafetensorsInput("weight", SafetensorsDType.F32, [1], d => d.Write(new byte[bytes]))], null));
        Assert.Contains("'weight'", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(path)!, "wrong*"));
    }

    private void Write(string name) => SafetensorsWriter.Write(
        _folder[name],
        [
            new SafetensorsInput("weight", SafetensorsDType.F32, [2, 3], d => d.Write([.. Enumerable.Range(0, 24).Select(i => (byte)i)])),
            new SafetensorsInput("count", SafetensorsDType.I64, [], d => d.Write([42, 0, 0, 0, 0, 0, 0, 0])),
            new SafetensorsInput("empty", SafetensorsDType.F32, [0, 4], _ => { }),
        ],
        new Dictionary<string, string> { ["kind"] = "yes" });
}
