using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans;
using Scissorhands.Abstractions.Skeleton;
using Scissorhands.Coordinator.Hosting;
using Scissorhands.Integration.Worker;
using Scissorhands.Messaging.Control;
using Scissorhands.Testing;

namespace Scissorhands.Integration.Tests.Skeleton;

/// <summary>Silo, broker and worker processes end to end: one all-reduced step driven by a grain.</summary>
public sealed class StepOverBrokerTests(BrokerFixture fixture) : IClassFixture<BrokerFixture>
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(120);

    [Fact]
    public async Task Outcome_one_or_two_worker_processes_is_the_sequential_tree_sum_on_every_rank()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        var work = new ToyStep(Slices: 4, Length: 700_001, Seed: 11, Workers: 0);
        var expected = SequentialHash(work);
        var ports = Ports.Free(2);
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.AddCoordinator(new CoordinatorOptions(ports[0], ports[1], $"test-{ports[0]}"), fixture.Broker.Address);
        using var host = builder.Build();
        await host.StartAsync(TestContext.Current.CancellationToken);
        foreach (var workers in new[] { 1, 2 })
        {
            var outcome = await RunAsync(host, $"run-{workers}", work with { Workers = workers });
            Assert.Null(outcome.Failure);
            Assert.Equal(Enumerable.Repeat(expected, workers), outcome.Hashes);
        }

        await host.StopAsync(TestContext.Current.CancellationToken);
    }

    private async Task<StepOutcome> RunAsync(IHost host, string run, ToyStep work)
    {
        var grain = host.Services.GetRequiredService<IGrainFactory>().GetGrain<IStepGrain>(run);
        await grain.StartAsync(work);
        var outcome = grain.OutcomeAsync();
        var environment = new Dictionary<string, string> { [ControlBus.BrokerVariable] = fixture.Broker.Address.ToString() };
        var program = Path.Combine(AppContext.BaseDirectory, "Scissorhands.Integration.Worker.dll");
        var processes = Enumerable.Range(0, work.Workers)
            .Select(i => new ChildProcess(Environment.ProcessPath is { } self && Path.GetFileName(self) == "dotnet" ? self : "dotnet", [program, run, $"{run}-worker-{i}"], environment))
            .ToArray();
        try
        {
            // A worker that dies early ends the wait with what it printed.
            var first = await Task.WhenAny([outcome, .. processes.Select(static p => p.Ready)]).WaitAsync(Deadline, TestContext.Current.CancellationToken);
            await first;
            return await outcome;
        }
        catch (TimeoutException e)
        {
            throw new InvalidOperationException($"{run}: no outcome after {Deadline}. Workers said:\n{string.Join("\n---\n", processes.Select(static p => p.Output))}", e);
        }
        finally
        {
            foreach (var process in processes)
            {
                await process.DisposeAsync();
            }
        }
    }

    private static string SequentialHash(ToyStep work)
    {
        var level = Enumerable.Range(0, work.Slices).Select(s => ToyGradient.Slice(work.Seed, s, work.Length)).ToList();
        while (level.Count > 1)
        {
            level = [.. level.Chunk(2).Select(static pair => pair.Length == 1 ? pair[0] : pair[0].Zip(pair[1], static (a, b) => a + b).ToArray())];
        }

        return Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes(level[0].AsSpan())));
    }
}
