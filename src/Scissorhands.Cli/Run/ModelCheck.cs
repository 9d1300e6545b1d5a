using Scissorhands.Core.Models;
using Scissorhands.Core.Replica;
using Scissorhands.Core.Trim;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;
using Scissorhands.Worker.Run;
using TorchSharp;

namespace Scissorhands.Cli.Run;

/// <summary>Whether configurations fit a model: told where it is registered, rather than by the first run that fails.</summary>
internal static class ModelCheck
{
    /// <summary>Loads the model, and looks for the parameters that the configurations name.</summary>
    /// <param name="path">The model's file, readable here.</param>
    /// <param name="architecture">Of a state dict; null to take what the file says.</param>
    /// <param name="configurations">The configurations, each with what messages call it.</param>
    /// <returns>A task that fails with what is wrong.</returns>
    /// <exception cref="InputException">The model does not load, or a scope means none of its parameters.</exception>
    public static Task CheckAsync(string path, string? architecture, IReadOnlyList<(string Source, RunConfiguration Configuration)> configurations) => ComputeThread.Run("check", () =>
    {
        using var replica = new ModelReplica(ModelFiles.Load(path, architecture), torch.CPU, seed: 0);
        foreach (var (source, configuration) in configurations)
        {
            try
            {
                TrimScope.Trimmable(configuration.Trim, replica.Parameters);
                TrimScope.Projected(configuration.Projection, replica.Parameters);
            }
            catch (InputException e)
            {
                throw new InputException($"{source}: {e.Message}", e) { Key = e.Key };
            }
        }
    });
}
