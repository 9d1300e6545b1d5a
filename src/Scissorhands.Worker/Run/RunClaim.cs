using System.Text.Json;
using Scissorhands.Core.Trim;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Worker.Run;

/// <summary>Checks a run's inputs against its model, and its output folder against its plan.</summary>
public static class RunClaim
{
    private static readonly JsonSerializerOptions PlanJson = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    /// <summary>Loads the model once on the calling thread, checks it against data and configuration, and makes the plan.</summary>
    /// <param name="inputs">What the run works on.</param>
    /// <returns>The plan.</returns>
    /// <exception cref="InputException">The model does not load or does not fit.</exception>
    public static RunPlan Plan(RunInputs inputs)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        using var replica = ReplicaFactory.Create(inputs, checkLabels: true);
        TrimScope.Trimmable(inputs.Configuration.Trim, replica.Parameters);
        TrimScope.Projected(inputs.Configuration.Projection, replica.Parameters);
        return inputs.Plan(replica.Parameters.Count);
    }

    /// <summary>Makes a folder this run's, or finds that it is.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="inputs">What the run works on.</param>
    /// <param name="plan">The plan.</param>
    /// <exception cref="InputException">It holds another run, or files of something else.</exception>
    public static void Take(RunFolder folder, RunInputs inputs, RunPlan plan)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(inputs);
        ArgumentNullException.ThrowIfNull(plan);
        RefuseForeign(folder);
        if (!File.Exists(folder.PlanPath))
        {
            // The plan first: it is what makes the folder a run's.
            folder.Create();
            Write(folder.PlanPath, JsonSerializer.Serialize(plan, PlanJson));
        }
        else if (Stored(folder) is var stored && stored?.Hash() != plan.Hash())
        {
            throw new InputException($"--out {folder.Path}: holds a run of {stored?.DifferenceFrom(plan) ?? "another plan"}; give the same inputs to continue it, or name an empty folder");
        }

        if (!File.Exists(folder.ConfigurationPath))
        {
            Write(folder.ConfigurationPath, ConfigurationJson.Canonical(inputs.Configuration));
        }
    }

    /// <summary>Refuses a folder that holds files which a run would overwrite but which are not of a run.</summary>
    /// <param name="folder">The folder.</param>
    /// <exception cref="InputException">It does.</exception>
    public static void RefuseForeign(RunFolder folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        if (!File.Exists(folder.StatePath) && !File.Exists(folder.PlanPath) && folder.FindForeignFile() is { } foreign)
        {
            throw new InputException($"--out {folder.Path}: holds {foreign}, which is not of a run and would be overwritten; name an empty folder");
        }
    }

    /// <summary>Makes a folder that is taken a cluster's, which keeps local runs out of it.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="runId">The cluster's run.</param>
    /// <exception cref="InputException">A local run is at work in it.</exception>
    public static void TakeForCluster(RunFolder folder, string runId)
    {
        ArgumentNullException.ThrowIfNull(folder);
        if (File.Exists(folder.LockPath))
        {
            try
            {
                new FileStream(folder.LockPath, FileMode.Open, FileAccess.ReadWrite, FileShare.None).Dispose();
            }
            catch (IOException e)
            {
                throw new InputException($"--out {folder.Path}: a local run is at work in it; wait for it to end or name another folder", e);
            }
        }

        Write(folder.ClusterPath, runId);
    }

    /// <summary>Refuses a folder that belongs to a cluster's run.</summary>
    /// <param name="folder">The folder.</param>
    /// <exception cref="InputException">It does.</exception>
    public static void RefuseClusters(RunFolder folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        if (File.Exists(folder.ClusterPath))
        {
            throw new InputException($"--out {folder.Path}: belongs to run {File.ReadAllText(folder.ClusterPath).Trim()} of a cluster; submit it again to continue it, or name an empty folder");
        }
    }

    private static RunPlan? Stored(RunFolder folder)
    {
        try
        {
            return JsonSerializer.Deserialize<RunPlan>(File.ReadAllBytes(folder.PlanPath), PlanJson);
        }
        catch (JsonException e)
        {
            throw new InputException($"{folder.PlanPath}: the plan of the run is damaged ({e.Message})", e);
        }
    }

    private static void Write(string path, string text)
    {
        var beside = path + ".tmp";
        File.WriteAllText(beside, text + "\n");
        File.Move(beside, path, overwrite: true);
    }
}
