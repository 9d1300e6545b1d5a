using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;

namespace Scissorhands.Core.Tests.Native;

public sealed class VersionNeedTests : IDisposable
{
    private const string Version = "GLIBCXX_3.4.32";
    private const string Library = "libLibTorchSharp.so";
    private const string TorchSharpVersion = "0.107.0";
    private const int WeakFlag = 2;
    private const int FlagsOffset = 64 + 128 + 16 + 4;

    private readonly string _folder = Directory.CreateTempSubdirectory("version-need-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void FindFlags_NotElf_FindsNone()
    {
        Assert.Equal(-1, VersionNeed.FindFlags([], Version));
        Assert.Equal(-1, VersionNeed.FindFlags(new byte[200], Version));
        Assert.Equal(-1, VersionNeed.FindFlags(Encoding.ASCII.GetBytes(new string('x', 200)), Version));
    }

    [Fact]
    public void FindFlags_32Bit_FindsNone()
    {
        var elf = Elf(Version);
        elf[4] = 1;
        Assert.Equal(-1, VersionNeed.FindFlags(elf, Version));
    }

    [Fact]
    public void FindFlags_NeedPresent_FindsItsFlags() => Assert.Equal(FlagsOffset, VersionNeed.FindFlags(Elf(Version), Version));

    [Theory]
    [InlineData("GLIBCXX_3.4.3")]
    [InlineData("GLIBCXX_3.4.321")]
    public void FindFlags_OtherVersion_FindsNone(string version) => Assert.Equal(-1, VersionNeed.FindFlags(Elf(Version), version));

    [Fact]
    public void FindFlags_TruncatedElf_ThrowsInvalidData()
    {
        var elf = Elf(Version);
        for (var length = 64; length < elf.Length; length++)
        {
            Assert.Throws<InvalidDataException>(() => VersionNeed.FindFlags(elf[..length], Version));
        }
    }

    [Fact]
    public void FindFlags_AnyByteChanged_FindsOrThrowsInvalidData()
    {
        var elf = Elf(Version);
        for (var i = 0; i < elf.Length; i++)
        {
            foreach (byte value in new byte[] { 0, 1, 0x7f, 0x80, 0xff })
            {
                var changed = (byte[])elf.Clone();
                changed[i] = value;
                var failure = Record.Exception(() => VersionNeed.FindFlags(changed, Version));
                Assert.True(failure is null or InvalidDataException, $"byte {i} = {value}: {failure}");
            }
        }
    }

    [Fact]
    public void Weaken_Need_SetsOneBitOnce()
    {
        var path = Path.Combine(_folder, "a.so");
        var before = Elf(Version);
        File.WriteAllBytes(path, before);

        Assert.True(VersionNeed.Weaken(path, Version));

        var expected = (byte[])before.Clone();
        expected[FlagsOffset] |= WeakFlag;
        Assert.Equal(expected, File.ReadAllBytes(path));
        Assert.False(VersionNeed.Weaken(path, Version));
        Assert.Equal(expected, File.ReadAllBytes(path));
        Assert.Equal([path], Directory.GetFiles(_folder));
    }

    [Fact]
    public async Task Weaken_HardLink_LeavesTheOriginal()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("ln is not there on Windows");
        }

        var original = Path.Combine(_folder, "original.so");
        var link = Path.Combine(_folder, "link.so");
        var before = Elf(Version);
        await File.WriteAllBytesAsync(original, before, TestContext.Current.CancellationToken);
        using (var ln = Process.Start("ln", [original, link]))
        {
            await ln.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.Equal(0, ln.ExitCode);
        }

        Assert.True(VersionNeed.Weaken(link, Version));

        Assert.Equal(before, await File.ReadAllBytesAsync(original, TestContext.Current.CancellationToken));
        Assert.NotEqual(before, await File.ReadAllBytesAsync(link, TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Build_CopiedLibrary_IsWeak()
    {
        var path = Assert.Single(Directory.GetFiles(AppContext.BaseDirectory, Library, SearchOption.AllDirectories));
        var before = File.ReadAllBytes(path);
        var flags = VersionNeed.FindFlags(before, Version);
        Assert.True(flags > 0, $"{Library} no longer needs {Version}: the build step can go");
        Assert.Equal(WeakFlag, before[flags] & WeakFlag);

        var copy = Path.Combine(_folder, Library);
        File.Copy(path, copy);
        Assert.False(VersionNeed.Weaken(copy, Version));
        Assert.Equal(before, File.ReadAllBytes(copy));
    }

    [Fact]
    public void Build_PackageCache_IsUntouched()
    {
        var cache = Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } set
            ? set
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        var path = Path.Combine(cache, "torchsharp", TorchSharpVersion, "runtimes", "linux-x64", "native", Library);
        if (!File.Exists(path))
        {
            Assert.Skip("no package cache with TorchSharp " + TorchSharpVersion);
        }

        var elf = File.ReadAllBytes(path);
        var flags = VersionNeed.FindFlags(elf, Version);
        Assert.True(flags > 0);
        Assert.Equal(0, elf[flags] & WeakFlag);
    }

    /// <summary>A header, a string section header and a version-need section header, one need with one version, the name.</summary>
    private static byte[] Elf(string version)
    {
        const int Header = 64;
        const int SectionHeader = 64;
        const int Need = Header + 2 * SectionHeader;
        const int Strings = Need + 32;
        var elf = new byte[Strings + version.Length + 1];
        byte[] magic = [0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1];
        magic.CopyTo(elf, 0);
        Long(0x28, Header);
        Short(0x3A, SectionHeader);
        Short(0x3C, 2);
        Long(Header + 24, Strings);

        const int Section = Header + SectionHeader;
        Int(Section + 4, 0x6ffffffe);
        Long(Section + 24, Need);
        Int(Section + 40, 0);
        Int(Section + 44, 1);

        Short(Need + 2, 1);
        Int(Need + 8, 16);
        Int(Need + 16 + 8, 0);
        Encoding.ASCII.GetBytes(version).CopyTo(elf, Strings);
        return elf;

        void Short(int at, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(elf.AsSpan(at), value);
        void Int(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(elf.AsSpan(at), value);
        void Long(int at, long value) => BinaryPrimitives.WriteInt64LittleEndian(elf.AsSpan(at), value);
    }
}
