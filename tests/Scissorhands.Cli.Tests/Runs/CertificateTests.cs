using System.Security.Cryptography;
using System.Text.Json;
using Scissorhands.Drill.World;

namespace Scissorhands.Cli.Tests.Runs;

/// <summary>Certificates as an operator makes them and others check them: with the real program and its files.</summary>
public sealed class CertificateTests(TinyWorld world)
{
    private const int Forget = 7;

    [Fact]
    public async Task Run_signKey_everythingVerifiesAndEveryChangeIsNamed()
    {
        var (key, publicKey) = await KeyAsync();
        var output = world.NewPath("signed");
        await RunAsync([.. world.Arguments(output, 2, Forget), "--sign-key", key]);
        var certificate = Path.Combine(output, "certificate.dsse.json");
        string[] everything =
        [
            certificate, "--key", publicKey, "--model", Path.Combine(output, "model.safetensors"), "--mask", Path.Combine(output, "mask.safetensors"), "--ids", world.ForgetList(Forget),
        ];

        var (code, checks, root) = await VerifyAsync(everything);
        Assert.Equal(0, code);
        Assert.Equal("signature signer statement model mask plan ids", string.Join(' ', checks.Where(static c => c.Value == "passed").Select(static c => c.Key)));
        Assert.Equal((true, true, Forget), (root.GetProperty("verified").GetBoolean(), root.GetProperty("signerTrusted").GetBoolean(), root.GetProperty("forgotten").GetInt32()));
        Assert.True(File.Exists(Path.Combine(output, "bom.cdx.json")));

        var model = await ChangedAsync(Path.Combine(output, "model.safetensors"), -1);
        Assert.Equal((1, "model"), await FailedAsync([certificate, "--model", model]));
        var strangers = world.NewPath("strangers.txt");
        await File.WriteAllLinesAsync(strangers, [TinyData.Id("train", 0), TinyData.Id("train", 1)], TestContext.Current.CancellationToken);
        Assert.Equal((1, "ids"), await FailedAsync([certificate, "--ids", strangers]));
        var (_, otherKey) = await KeyAsync();
        Assert.Equal((1, "signer"), await FailedAsync([certificate, "--key", otherKey]));

        // Within the signature's base64, so that the file stays well-formed.
        var text = await File.ReadAllTextAsync(certificate, TestContext.Current.CancellationToken);
        var at = text.IndexOf("\"sig\":\"", StringComparison.Ordinal) + 40;
        var forged = world.NewPath("forged.json");
        await File.WriteAllTextAsync(forged, text[..at] + (text[at] == 'A' ? 'B' : 'A') + text[(at + 1)..], TestContext.Current.CancellationToken);
        Assert.Equal((1, "signature"), await FailedAsync([forged]));
        var malformed = await CliProcess.RunAsync(["verify", await ChangedAsync(certificate, 0)]);
        Assert.Equal((2, 1), (malformed.ExitCode, malformed.Errors.Count));
    }

    [Fact]
    public async Task Verify_rerun_sameBytesFromTheCertifiedInputsOnly()
    {
        var (key, _) = await KeyAsync();
        var output = world.NewPath("rerun");
        await RunAsync([.. world.Arguments(output, 1, Forget), "--sign-key", key]);
        string[] rerun = [Path.Combine(output, "certificate.dsse.json"), "--rerun", "--model-before", world.ModelPath, "--data", world.TrainPath, "--test-data", world.TestPath, "--cache", "none"];

        var (code, checks, _) = await VerifyAsync([.. rerun, "--forget", world.ForgetList(Forget), "--workers", "2"]);
        Assert.Equal((0, "passed"), (code, checks["rerun"]));

        var others = world.NewPath("others.txt");
        await File.WriteAllLinesAsync(others, Enumerable.Range(50, Forget).Select(static i => TinyData.Id("train", i)), TestContext.Current.CancellationToken);
        Assert.Equal((1, "rerun"), await FailedAsync([.. rerun, "--forget", others]));
        Assert.Equal((1, "rerun"), await FailedAsync([.. rerun, "--forget", world.ForgetList(3)]));
    }

    [Fact]
    public async Task Run_resumedWhenComplete_certificateAddedOnceAndNamedByTheNext()
    {
        var (key, publicKey) = await KeyAsync();
        var first = world.NewPath("first");
        await RunAsync([.. world.Arguments(first, 1, 3)]);
        var certificate = Path.Combine(first, "certificate.dsse.json");
        Assert.False(File.Exists(certificate));

        string[] again = [.. world.Arguments(first, 1, 3), "--resume", "--sign-key", key];
        await RunAsync(again);
        var bytes = await File.ReadAllBytesAsync(certificate, TestContext.Current.CancellationToken);
        await RunAsync(again);
        Assert.Equal(bytes, await File.ReadAllBytesAsync(certificate, TestContext.Current.CancellationToken));

        // The next run of the scrubbed model forgets others.
        var second = world.NewPath("second");
        string[] next = [.. world.Arguments(second, 1, Forget), "--sign-key", key, "--earlier-certificate", certificate];
        var ofAnotherModel = await CliProcess.RunAsync(next);
        Assert.Equal(2, ofAnotherModel.ExitCode);
        Assert.Contains("is not about --model", Assert.Single(ofAnotherModel.Errors), StringComparison.Ordinal);
        await RunAsync([.. next.Select(word => word == world.ModelPath ? Path.Combine(first, "model.safetensors") : word)]);

        var (code, checks, _) = await VerifyAsync([Path.Combine(second, "certificate.dsse.json"), "--key", publicKey, "--earlier", certificate]);
        Assert.Equal((0, "passed"), (code, checks["lineage"]));
    }

    [Fact]
    public async Task Run_resultChangedBeforeItIsSigned_noCertificate()
    {
        var (key, _) = await KeyAsync();
        var output = world.NewPath("changed");
        await RunAsync([.. world.Arguments(output, 1, 3)]);
        var model = Path.Combine(output, "model.safetensors");
        File.Move(await ChangedAsync(model, -1), model, overwrite: true);

        var result = await CliProcess.RunAsync([.. world.Arguments(output, 1, 3), "--resume", "--sign-key", key]);

        Assert.Equal(1, result.ExitCode);
        Assert.Contains(model, Assert.Single(result.Errors), StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(output, "certificate.dsse.json")));
    }

    [Fact]
    public async Task Run_signKeyThatIsNone_refusedBeforeAnythingIsWritten()
    {
        var key = world.NewPath("key.pem");
        await File.WriteAllTextAsync(key, "no key", TestContext.Current.CancellationToken);
        var output = world.NewPath("unsigned");

        var result = await CliProcess.RunAsync([.. world.Arguments(output, 1, 3), "--sign-key", key]);

        Assert.Equal(2, result.ExitCode);
        Assert.Contains(key, Assert.Single(result.Errors), StringComparison.Ordinal);
        Assert.False(Directory.Exists(output));
    }

    [Theory]
    [InlineData("nowhere.json", "nowhere.json")]
    [InlineData("--keyid ABC certificate.json", "--keyid ABC")]
    [InlineData("--proofs openings.jsonl certificate.json", "--proofs: does nothing without --ids")]
    [InlineData("--data train.tar certificate.json", "--data: does nothing without --rerun")]
    public async Task Verify_badUsage_oneLine(string arguments, string named)
    {
        var result = await CliProcess.RunAsync(["verify", .. arguments.Split(' ')], world.Folder);

        Assert.Equal(2, result.ExitCode);
        Assert.Contains(named, Assert.Single(result.Errors), StringComparison.Ordinal);
    }

    private static async Task RunAsync(IReadOnlyList<string> arguments)
    {
        var result = await CliProcess.RunAsync(arguments);
        Assert.True(result.ExitCode == 0, result.Describe());
    }

    private static async Task<(int Code, Dictionary<string, string> Checks, JsonElement Root)> VerifyAsync(IReadOnlyList<string> arguments)
    {
        var result = await CliProcess.RunAsync(["verify", .. arguments, "--json"]);
        Assert.True(result.Output.Count > 0, result.Describe());
        using var document = JsonDocument.Parse(string.Join('\n', result.Output));
        var root = document.RootElement.Clone();
        return (result.ExitCode, root.GetProperty("checks").EnumerateArray().ToDictionary(static c => c.GetProperty("name").GetString()!, static c => c.GetProperty("outcome").GetString()!), root);
    }

    private static async Task<(int Code, string Failed)> FailedAsync(IReadOnlyList<string> arguments)
    {
        var (code, checks, _) = await VerifyAsync(arguments);
        return (code, string.Join(' ', checks.Where(static c => c.Value == "failed").Select(static c => c.Key)));
    }

    /// <summary>A copy with one bit of one byte changed; negative places count from the end.</summary>
    private async Task<string> ChangedAsync(string path, int at)
    {
        var bytes = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        bytes[at < 0 ? bytes.Length + at : at] ^= 1;
        var changed = world.NewPath(Path.GetFileName(path));
        await File.WriteAllBytesAsync(changed, bytes, TestContext.Current.CancellationToken);
        return changed;
    }

    private async Task<(string Key, string PublicKey)> KeyAsync()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var (path, publicPath) = (world.NewPath("key.pem"), world.NewPath("public.pem"));
        await File.WriteAllTextAsync(path, key.ExportPkcs8PrivateKeyPem(), TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(publicPath, key.ExportSubjectPublicKeyInfoPem(), TestContext.Current.CancellationToken);
        return (path, publicPath);
    }
}
