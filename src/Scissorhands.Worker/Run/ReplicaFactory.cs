using System.Runtime.InteropServices;
using Scissorhands.Core.Models;
using Scissorhands.Core.Native;
using Scissorhands.Core.Replica;
using Scissorhands.Data.Samples;
using Scissorhands.Planning;
using TorchSharp;

namespace Scissorhands.Worker.Run;

/// <summary>Makes a worker's replica, checked against the data.</summary>
public static class ReplicaFactory
{
    private const int ProbeSamples = 4;

    /// <summary>Loads the model of a run on the calling thread, which becomes its compute thread.</summary>
    /// <param name="inputs">What the run works on.</param>
    /// <param name="checkLabels">Whether all labels are checked against the model's output; once a run is enough.</param>
    /// <returns>The replica, in eval mode.</returns>
    /// <exception cref="InputException">The model does not load, or does not take the data.</exception>
    public static ModelReplica Create(RunInputs inputs, bool checkLabels = false)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        return Create(inputs, inputs.ModelPath, checkLabels, checkGradient: checkLabels);
    }

    /// <summary>Loads another model on the run's data: the retrained one it is compared with.</summary>
    /// <param name="inputs">The data and the configuration.</param>
    /// <param name="modelPath">The model file.</param>
    /// <param name="checkLabels">Whether all labels are checked against the model's output.</param>
    /// <param name="checkGradient">Whether the model must be one that can be trained, too.</param>
    /// <returns>The replica, in eval mode.</returns>
    public static ModelReplica Create(RunInputs inputs, string modelPath, bool checkLabels, bool checkGradient = false)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        var configuration = inputs.Configuration;
        NumericProfile.ConfigureThread(configuration.Threads);
        if (configuration.Device == "cuda" && !torch.cuda.is_available())
        {
            throw new InputException("configuration key 'device' is cuda, but libtorch finds no CUDA device here; use cpu");
        }

        var device = configuration.Device == "cuda" ? torch.CUDA : torch.CPU;
        var replica = new ModelReplica(ModelFiles.Load(modelPath, inputs.Architecture), device, configuration.Seed);
        try
        {
            using var scope = torch.NewDisposeScope();
            using var stream = inputs.Plain.Open([new BatchRequest([.. Enumerable.Range(0, Math.Min(ProbeSamples, inputs.Train.Count))], null)]);
            using var host = stream.Next(CancellationToken.None)!;
            using var batch = inputs.Task.ToTensors(host, device);
            torch.Tensor output;
            try
            {
                output = replica.Probe(batch.Input);
            }
            catch (Exception e) when (e is NotImplementedException or InvalidCastException or ArgumentException)
            {
                throw new InputException($"{modelPath}: the model must take one tensor of images and return one tensor of logits ({FirstLine(e.Message)})", e);
            }
            catch (ExternalException e)
            {
                var shape = inputs.Train.Shape;
                throw new InputException($"{modelPath}: the model cannot take a batch of [{batch.Count}, {shape.Channels}, {shape.Height}, {shape.Width}] images ({FirstLine(e.Message)}); data.imageSize resizes them", e);
            }

            if (checkLabels)
            {
                inputs.Task.Check(output, modelPath, inputs.Train, "--data");
                if (inputs.Test is { } test)
                {
                    inputs.Task.Check(output, modelPath, test, "--test-data");
                }
            }

            if (checkGradient && !replica.IsDifferentiable(batch.Input))
            {
                throw new InputException($"{modelPath}: the model's output has no gradient, so nothing tells which weights matter; it must return the logits themselves, not detached from its weights");
            }

            return replica;
        }
        catch
        {
            replica.Dispose();
            throw;
        }
    }

    private static string FirstLine(string message)
    {
        // TorchScript errors begin with a stack trace; the reason stands in the last line that says so.
        var lines = message.Split('\n');
        var line = lines.LastOrDefault(l => l.Contains("Error:", StringComparison.Ordinal) && !l.StartsWith("frame #", StringComparison.Ordinal)) ?? lines[0];
        return line.Trim();
    }
}
