using System.Diagnostics;

namespace Scissorhands.Benchmarks.Memory;

/// <summary>A model of 100 million parameters whose steps take seconds: two large layers, made by Debian's Python.</summary>
internal sealed class LargeModel : IDisposable
{
    private const string Program = """
        import sys, torch
        from torch import nn
        torch.manual_seed(1)
        model = nn.Sequential(nn.Flatten(), nn.Linear(3072, 8192), nn.ReLU(), nn.Linear(8192, 9098), nn.ReLU(), nn.Linear(9098, 10))
        torch.jit.script(model).save(sys.argv[1])
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("scissorhands-large-").FullName;

    private LargeModel()
    {
    }

    public string Path => System.IO.Path.Combine(_folder, "model.pt");

    /// <summary>Writes it; null where Python or its PyTorch is not installed.</summary>
    public static LargeModel? TryMake()
    {
        const string Python = "/usr/bin/python3";
        var model = new LargeModel();
        var script = System.IO.Path.Combine(model._folder, "make.py");
        File.WriteAllText(script, Program);
        if (File.Exists(Python))
        {
            using var process = Process.Start(Python, [script, model.Path]);
            process.WaitForExit();
            if (process.ExitCode == 0)
            {
                return model;
            }
        }

        model.Dispose();
        return null;
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
