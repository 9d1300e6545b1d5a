using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Grains.Cluster;
using Scissorhands.Grains.Store;
using Scissorhands.Planning;

namespace Scissorhands.Grains.Tests.Cluster;

public sealed class ClusterRunTests
{
    private readonly FakeTimeProvider _time = new();
    private long _number;

    [Fact]
    public void Form_newRun_storesTheGenerationAndAssignsEachRank()
    {
        var decision = Fresh().Form(RunRig.Members("a", "b"));

        Assert.True(decision.Store);
        var assigned = decision.Commands.Cast<GangAssigned>().ToArray();
        Assert.Equal([("a", 0, 1L), ("b", 1, 1L)], assigned.Select(static c => (c.WorkerId, c.Rank, c.Generation)));
        Assert.Single(assigned.Select(static c => c.Key).Distinct());
    }

    [Fact]
    public void Tick_workersSilent_assignmentsAreRepeatedUntilTheySpeak()
    {
        var run = Fresh();
        run.Form(RunRig.Members("a", "b"));
        run.Handle(Ready("a", 0));

        Assert.Equal("b", Assert.IsType<GangAssigned>(Assert.Single(run.Tick().Commands)).WorkerId);
    }

    [Fact]
    public void Handle_readyFromAll_answersAllWithThePlan()
    {
        var run = Fresh();
        run.Form(RunRig.Members("a", "b"));
        Assert.Empty(run.Handle(Ready("a", 0)).Commands);

        var answers = run.Handle(Ready("b", 1)).Commands.Cast<WorkerAnswer>();

        Assert.Equal(["a", "b"], answers.Select(static a => a.WorkerId).Order(StringComparer.Ordinal));
        Assert.All(answers, static a => Assert.Equal(RunRig.Plan.Hash(), a.Body));
    }

    [Fact]
    public void Handle_anotherPlan_runFailsAndSaysWhatDiffers()
    {
        var run = Fresh();
        run.Form(RunRig.Members("a", "b"));
        run.Handle(Ready("a", 0));

        var decision = run.Handle(Ready("b", 1, RunRig.Plan with { ModelDigest = "other" }));

        Assert.Equal(RunStatus.Failed, run.Status);
        Assert.True(run.State.BadInput);
        Assert.Contains("worker b", run.Reason, StringComparison.Ordinal);
        Assert.Contains("another model", run.Reason, StringComparison.Ordinal);
        Assert.Equal(2, decision.Commands.OfType<GenerationOver>().Count());
    }

    [Fact]
    public void Handle_sameQuestionTwice_sameAnswer()
    {
        var (run, _) = Begun("a");
        var question = Call("a", 0, WorkerCallKind.Next);
        var first = Assert.IsType<WorkerAnswer>(Assert.Single(run.Handle(question).Commands));

        Assert.Same(first, Assert.Single(run.Handle(question).Commands));
        Assert.Empty(run.Handle(question with { Number = question.Number - 1 }).Commands);
    }

    [Fact]
    public void Handle_questionOfAnOlderGenerationOrOfAStranger_isFenced()
    {
        var (run, _) = Begun("a");
        var question = Call("a", 0, WorkerCallKind.Next);

        foreach (var late in (WorkerCall[])[question with { Generation = 0 }, question with { WorkerId = "b" }, question with { Rank = 1 }, question with { Rank = -1 }])
        {
            Assert.True(Assert.IsType<WorkerAnswer>(Assert.Single(run.Handle(late).Commands)).Fenced);
        }
    }

    [Fact]
    public void Read_fromTheStore_fencesTheFormerGenerationAndFormsAHigherOne()
    {
        var (run, rig) = Begun("a");
        var again = rig.Restart(run);

        Assert.Empty(again.Members);
        Assert.True(Assert.IsType<WorkerAnswer>(Assert.Single(again.Handle(Call("a", 0, WorkerCallKind.Next)).Commands)).Fenced);
        Assert.Equal(2, Assert.IsType<GangAssigned>(Assert.Single(again.Form(RunRig.Members("a")).Commands)).Generation);
        Assert.Equal(["a"], again.State.Members);
    }

    [Fact]
    public void Form_whileAtWork_asksToYieldAndBeginsWhenAllHave()
    {
        var (run, _) = Begun("a");
        Assert.IsType<YieldAsked>(Assert.Single(run.Form(RunRig.Members("a", "b")).Commands));
        Assert.Equal(["a"], run.Members);

        var decision = run.Handle(Report("a", 0, new Yielded("run", 1, 0, RunStage.Sensitivity)));

        Assert.Equal(["a", "b"], run.Members);
        Assert.Equal(2, run.State.Generation);
        Assert.Equal(2, decision.Commands.OfType<GangAssigned>().Count());
    }

    [Fact]
    public void Tick_workersDoNotYieldInTime_generationEndsAnyway()
    {
        var (run, _) = Begun("a");
        run.Form(RunRig.Members("a", "b"));
        Assert.IsType<YieldAsked>(Assert.Single(run.Tick().Commands));

        _time.Advance(new LivenessOptions().YieldTimeout + TimeSpan.FromSeconds(1));
        run.Tick();

        Assert.Equal(["a", "b"], run.Members);
    }

    [Fact]
    public void Handle_failureThatMayPass_triedThreeTimesThenFailed()
    {
        var (run, _) = Begun("a");
        for (var attempt = 1; attempt < new LivenessOptions().MaxAttempts; attempt++)
        {
            Fail(run);
            Assert.True(run.IsOpen);
            Assert.Equal(attempt, run.State.Attempts);
            run.Form(RunRig.Members("a"));
            run.Handle(Ready("a", 0, generation: run.State.Generation));
        }

        Fail(run);
        Assert.Equal((RunStatus.Failed, "disk full"), (run.Status, run.Reason));
        Assert.False(run.State.BadInput);

        run.Reopen();
        Assert.Equal(0, run.State.Attempts);
        Assert.True(run.IsOpen);

        void Fail(ClusterRun failing) => failing.Handle(Report("a", 0, new WorkerFailed("run", failing.State.Generation, 0, RunStage.Repair, "disk full", FailureCause.Passing), failing.State.Generation));
    }

    [Fact]
    public void Handle_unfitWorker_isRememberedAndTheGenerationEnds()
    {
        var (run, _) = Begun("a");

        var decision = run.Handle(Report("a", 0, new WorkerUnfit("run", 1, 0, "needs 9 GiB")));

        Assert.True(decision.Store && decision.NeedChanged);
        Assert.Equal(int.MaxValue, run.State.LeastWorkers["a"]);
        Assert.Equal("needs 9 GiB", run.Reason);
        Assert.Empty(run.Members);
    }

    [Fact]
    public void Cancel_atWork_tellsTheWorkers()
    {
        var (run, _) = Begun("a");

        var decision = run.Cancel("not wanted");

        Assert.IsType<GenerationOver>(Assert.Single(decision.Commands));
        Assert.Equal(RunStatus.Canceled, run.Status);
        Assert.Empty(run.Cancel("again").Events);
    }

    private ClusterRun Fresh() => new RunRig(_time).Open();

    private (ClusterRun Run, RunRig Rig) Begun(params string[] workers)
    {
        var rig = new RunRig(_time);
        var run = rig.Open();
        run.Form(RunRig.Members(workers));
        for (var rank = 0; rank < workers.Length; rank++)
        {
            run.Handle(Ready(workers[rank], rank));
        }

        return (run, rig);
    }

    private WorkerCall Ready(string worker, int rank, RunPlan? plan = null, long generation = 1) =>
        Call(worker, rank, WorkerCallKind.Ready, JsonSerializer.Serialize(plan ?? RunRig.Plan, RunStateJson.Options), generation);

    private WorkerCall Report(string worker, int rank, WorkerReport report, long generation = 1) =>
        Call(worker, rank, WorkerCallKind.Report, JsonSerializer.Serialize(report, RunStateJson.Options), generation);

    private WorkerCall Call(string worker, int rank, WorkerCallKind kind, string body = "", long generation = 1) =>
        new(worker, "run", generation, rank, ++_number, kind, body);
}
